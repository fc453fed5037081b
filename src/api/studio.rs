//! The studio: spending credits on something that is made.

use crate::api::error::ApiError;
use crate::api::views::{MadeView, StudioView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {crate::api::guard, crate::api::studio_features::StudioFeature};

/// What can be made, and what was.
#[server(prefix = "/fn", endpoint = "load_studio", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_studio() -> Result<StudioView, ApiError> {
    let user = guard::require_user().await?;
    guard::services()?.read_studio(user.account).await.map_err(guard::from_service)
}

/// Makes something: holds its cost, makes it, and charges; a failure costs nothing.
#[server(prefix = "/fn", endpoint = "generate")]
pub async fn generate(feature: String, prompt: String) -> Result<MadeView, ApiError> {
    let result = async {
        let user = guard::require_user().await?;
        let feature = StudioFeature::parse(&feature).ok_or(ApiError::NotFound)?;
        let made = guard::services()?.generate(user.account, feature, &prompt).await.map_err(guard::from_service)?;
        if guard::is_plain_form() {
            guard::go_to(&format!("/studio?feature={}&made={}#made", feature.slug(), made.creation.name));
        }
        Ok(made)
    };
    guard::answer_form::<Generate, MadeView>(result.await, "/studio", &[("feature", &feature), ("prompt", &prompt)])
}
