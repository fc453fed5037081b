//! The administrator's pages beside each other.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

const TABS: [(&str, &str); 3] =
    [("/admin", "People"), ("/admin/keys", "Service keys"), ("/admin/events", "Payment events")];

/// Links to the administrator's pages, the open one marked.
#[component]
pub fn AdminTabs() -> impl IntoView {
    let pathname = use_location().pathname;
    view! {
        <nav class="chips" aria-label="Administration">
            {TABS
                .into_iter()
                .map(|(path, name)| {
                    view! {
                        <a class="chip" href=path aria-current=move || (*pathname.read() == path).then_some("page")>
                            {name}
                        </a>
                    }
                })
                .collect_view()}
        </nav>
    }
}
