//! Keys of programs as people see them: the one just made, and the list of all.

use crate::api::views::{KeyLine, KeyState, MadeKeyView};
use crate::components::Moment;
use leptos::__reexports::wasm_bindgen_futures::JsFuture;
use leptos::either::Either;
use leptos::ev::FocusEvent;
use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};
use web_sys::js_sys::{Function, Promise, Reflect};

/// How long a new key can last, in days, as forms offer it.
pub const LIFETIMES: &[(&str, &str)] =
    &[("", "No end"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "A year")];

/// A key that was just made: the only time that its secret is shown.
#[component]
pub fn MadeKey(
    /// The key and its secret.
    made: MadeKeyView,
) -> impl IntoView {
    let MadeKeyView { key, secret } = made;
    let example = format!("curl -H 'Authorization: Bearer {secret}' …/api/credits/balance");
    let is_service = !key.scopes.is_empty();
    let select_all = |event: FocusEvent| event_target::<web_sys::HtmlInputElement>(&event).select();
    view! {
        <section class="panel receipt made-key" role="status" aria-labelledby="made-key-title">
            <h2 id="made-key-title">{format!("Your key “{}”", key.label)}</h2>
            <p>"Copy it now: it is not kept here, and is never shown again."</p>
            <div class="copy-row">
                <input
                    readonly
                    id="made-key"
                    aria-label="The new key"
                    autocomplete="off"
                    spellcheck="false"
                    value=secret.clone()
                    on:focus=select_all
                />
                <CopyButton text=secret />
            </div>
            {(!is_service)
                .then(|| {
                    view! {
                        <p class="note">
                            "A program sends it with each call: " <code class="example">{example}</code>
                        </p>
                    }
                })}
        </section>
    }
}

/// Copies a text, where the browser lets a page do so.
#[component]
pub fn CopyButton(
    /// What is copied.
    text: String,
) -> impl IntoView {
    let (can_copy, is_copied) = (RwSignal::new(false), RwSignal::new(false));
    Effect::new(move || can_copy.set(clipboard().is_some()));
    let text = StoredValue::new(text);
    let copy = move |_| {
        leptos::task::spawn_local(async move { is_copied.set(write_to_clipboard(&text.get_value()).await.is_some()) });
    };
    view! {
        <Show when=move || can_copy.get()>
            <button type="button" class="button" on:click=copy>
                {move || if is_copied.get() { "Copied" } else { "Copy" }}
            </button>
        </Show>
    }
}

/// The browser's clipboard; it has one for pages over HTTPS and on the own machine only.
fn clipboard() -> Option<JsValue> {
    let navigator = Reflect::get(&window(), &JsValue::from_str("navigator")).ok()?;
    let clipboard = Reflect::get(&navigator, &JsValue::from_str("clipboard")).ok()?;
    (!clipboard.is_undefined()).then_some(clipboard)
}

async fn write_to_clipboard(text: &str) -> Option<()> {
    let clipboard = clipboard()?;
    let write = Reflect::get(&clipboard, &JsValue::from_str("writeText")).ok()?.dyn_into::<Function>().ok()?;
    let writing = write.call1(&clipboard, &JsValue::from_str(text)).ok()?.dyn_into::<Promise>().ok()?;
    // Refused where the person does not allow it: the text can still be selected.
    JsFuture::from(writing).await.ok().map(drop)
}

/// All keys, each with a way to end it.
#[component]
pub fn KeyTable<F, V>(
    /// The keys.
    keys: Vec<KeyLine>,
    /// The form that ends the key of this id.
    revoke: F,
) -> impl IntoView
where
    F: Fn(String) -> V + 'static,
    V: IntoView + 'static,
{
    if keys.is_empty() {
        return Either::Left(view! { <p class="empty">"There are no keys yet."</p> });
    }
    Either::Right(view! {
        <table class="book-table key-table" role="table">
            <caption class="visually-hidden">"Keys, those in use first"</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col" role="columnheader">"Key"</th>
                    <th scope="col" role="columnheader">"Made"</th>
                    <th scope="col" role="columnheader">"Ends"</th>
                    <th scope="col" role="columnheader">"Last used"</th>
                    <th scope="col" role="columnheader"><span class="visually-hidden">"Revoke"</span></th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                {keys
                    .into_iter()
                    .map(|key| {
                        let form = (key.state == KeyState::Valid).then(|| revoke(key.id.to_string()));
                        view! { <KeyRow key form /> }
                    })
                    .collect_view()}
            </tbody>
        </table>
    })
}

#[component]
fn KeyRow<V: IntoView + 'static>(key: KeyLine, form: Option<V>) -> impl IntoView {
    let scopes = (!key.scopes.is_empty()).then(|| key.scopes.to_string().replace(',', ", "));
    let label = key.label.clone();
    view! {
        <tr role="row" class:is-over=key.state != KeyState::Valid data-key=key.id.to_string()>
            <td role="cell" data-label="Key" class="is-head">
                <strong class="key-label">{key.label.clone()}</strong>
                " "
                {tag_of(key.state).map(|words| view! { <span class="tag" data-kind="debit">{words}</span> })}
                <small class="entry-number">{key.id.to_string()}</small>
                {scopes.map(|scopes| view! { <small>"May: " {scopes}</small> })}
            </td>
            <td role="cell" data-label="Made">
                <Moment at=key.created_at day_only=true />
            </td>
            <td role="cell" data-label="Ends">
                {match key.expires_at {
                    Some(at) => Either::Left(view! { <Moment at day_only=true /> }),
                    None => Either::Right("no end"),
                }}
            </td>
            <td role="cell" data-label="Last used">
                {match key.last_used_at {
                    Some(at) => Either::Left(view! { <Moment at /> }),
                    None => Either::Right("never"),
                }}
            </td>
            <td role="cell" data-label="" class="row-action">
                {form
                    .map(|form| {
                        view! {
                            <details class="confirm">
                                <summary class="button is-small" aria-label=format!("Revoke {label}")>"Revoke"</summary>
                                <div class="confirm-panel">
                                    <p>"Programs that use it are refused at once. This cannot be undone."</p>
                                    {form}
                                </div>
                            </details>
                        }
                    })}
            </td>
        </tr>
    }
}

const fn tag_of(state: KeyState) -> Option<&'static str> {
    match state {
        KeyState::Valid => None,
        KeyState::Expired => Some("Ended"),
        KeyState::Revoked => Some("Revoked"),
    }
}
