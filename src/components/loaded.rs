//! Showing what has to be loaded: a quiet place-holder, the thing, or a sentence on why not.

use crate::api::error::ApiError;
use crate::components::text::encode_query;
use leptos::either::EitherOf3;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;
use leptos_router::hooks::use_location;

/// Shows what a resource loads. Who has to sign in first is sent there, and back afterwards.
#[component]
pub fn Loaded<T, F, V>(
    /// What is loaded.
    resource: Resource<Result<T, ApiError>>,
    /// How it is shown.
    view: F,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T) -> V + Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let location = use_location();
    let here = move || format!("{}{}", location.pathname.get_untracked(), with_mark(&location.search.get_untracked()));
    view! {
        <Transition fallback=|| view! { <div class="skeleton" aria-busy="true"></div> }>
            {move || {
                let view = view.clone();
                Suspend::new(async move {
                    match resource.await {
                        Ok(value) => EitherOf3::A(view(value)),
                        Err(ApiError::SignInRequired) => {
                            let path = encode_query("/signin", &[("next", &here())]);
                            EitherOf3::B(view! { <Redirect path /> })
                        }
                        Err(error) => EitherOf3::C(view! { <NothingHere error /> }),
                    }
                })
            }}
        </Transition>
    }
}

fn with_mark(search: &str) -> String {
    if search.is_empty() { String::new() } else { format!("?{}", search.trim_start_matches('?')) }
}

/// Why a page has nothing to show.
#[component]
pub fn NothingHere(
    /// What went wrong.
    error: ApiError,
) -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::server::web::headers::set_status(error.status_code());
    view! {
        <Title text=heading(&error) />
        <section class="panel nothing-here" role="alert">
            <h1>{heading(&error)}</h1>
            <p>{error.message()}</p>
            <p>
                <a class="button" href="/">"To the start page"</a>
            </p>
        </section>
    }
}

fn heading(error: &ApiError) -> &'static str {
    match error {
        ApiError::NotFound => "Nothing here",
        ApiError::Forbidden => "Not for you",
        _ => "That did not work",
    }
}
