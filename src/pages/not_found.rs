//! Any other address.

use crate::api::error::ApiError;
use crate::components::NothingHere;
use leptos::prelude::*;

/// Says that there is no such page.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! { <NothingHere error=ApiError::NotFound /> }
}
