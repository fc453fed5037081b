//! A menu of the header: a `<details>`, so it opens without JavaScript; alive, it closes by itself when
//! people go on, press Escape or turn to something else.

use crate::components::Viewer;
use leptos::ev::{FocusEvent, KeyboardEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_router::hooks::use_location;

/// A button with a panel below it.
#[component]
pub fn Menu(
    /// How it looks.
    #[prop(into)]
    class: Signal<String>,
    /// What the button is called.
    label: String,
    /// What the button shows.
    button: Children,
    /// The panel.
    children: Children,
) -> impl IntoView {
    let details = NodeRef::<html::Details>::new();
    let summary = NodeRef::<html::Summary>::new();
    let close = move || {
        if let Some(details) = details.get_untracked() {
            details.set_open(false);
        }
    };
    let pathname = use_location().pathname;
    Effect::new(move || {
        pathname.track();
        close();
    });
    let on_key = move |event: KeyboardEvent| {
        if event.key() == "Escape" && !is_dialog_open() {
            close();
            if let Some(summary) = summary.get_untracked() {
                // Only a document that is going away refuses the focus.
                let _ = summary.focus();
            }
        }
    };
    let on_leave = move |event: FocusEvent| {
        let target = event.related_target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        let went_elsewhere =
            details.get_untracked().zip(target).is_some_and(|(menu, target)| !menu.contains(Some(&target)));
        if went_elsewhere && !is_dialog_open() {
            close();
        }
    };
    view! {
        <details class=class name="header-menu" node_ref=details on:keydown=on_key on:focusout=on_leave>
            <summary aria-label=label node_ref=summary>
                {button()}
            </summary>
            <div class="menu-panel">{children()}</div>
        </details>
    }
}

/// The purchase dialog gives the focus back to the menu that opened it, so the menu stays.
fn is_dialog_open() -> bool {
    Viewer::expect().purchase().get_untracked().is_some()
}
