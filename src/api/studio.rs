//! The studio: spending credits on something that is made.

use crate::api::error::ApiError;
use crate::api::views::{MadeView, StudioView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {
    crate::api::guard,
    crate::api::studio_features::StudioFeature,
    crate::server::services::{Delivery, Picture, Wish},
};

/// What can be made, and what was.
#[server(prefix = "/fn", endpoint = "load_studio", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_studio() -> Result<StudioView, ApiError> {
    let user = guard::require_user().await?;
    guard::services()?.read_studio(user.account).await.map_err(guard::from_service)
}

/// Makes something from words: holds its cost, makes it, and charges; a failure costs nothing. What starts from a
/// picture is sent to `/studio/make`, since only a plain form carries a file.
#[server(prefix = "/fn", endpoint = "generate")]
pub async fn generate(feature: String, prompt: String, seconds: Option<u32>) -> Result<MadeView, ApiError> {
    let result = async {
        let user = guard::require_user().await?;
        let feature = StudioFeature::parse(&feature).ok_or(ApiError::NotFound)?;
        let wish = Wish { feature, prompt: prompt.clone(), seconds, picture: Picture::Absent };
        let delivery = guard::services()?.generate(user.account, wish, None).await.map_err(guard::from_service)?;
        let Delivery::Done { result, receipt, .. } = delivery else { return Err(ApiError::Internal) };
        let made = MadeView { creation: result, balance: receipt.balance };
        if guard::is_plain_form() {
            guard::go_to(&made_page(feature, &made.creation.name));
        }
        Ok(made)
    };
    let seconds = seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
    let typed = [("feature", feature.as_str()), ("prompt", &prompt), ("seconds", &seconds)];
    guard::answer_form::<Generate, MadeView>(result.await, "/studio", &typed)
}

/// The page that shows what was made.
#[cfg(feature = "ssr")]
pub fn made_page(feature: StudioFeature, name: &str) -> String {
    format!("/studio?feature={}&made={name}#made", feature.slug())
}
