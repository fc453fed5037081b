//! Forms: a labelled field with its error beside it, and a sentence for what is about no field.

use crate::api::error::{ApiError, Field};
use leptos::prelude::*;

/// One line of text with its label; the error stands beside it and is read with it.
#[component]
pub fn TextField(
    /// Its name in the form.
    name: &'static str,
    /// Its id in the page; its name where it is the only one of that name.
    #[prop(optional, into)]
    id: Option<String>,
    /// Its label for people.
    label: &'static str,
    /// The kind of input: `text`, `email`, `password`.
    #[prop(default = "text")]
    kind: &'static str,
    /// What the browser may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// A line of help under the label.
    #[prop(optional, into)]
    hint: String,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
    /// Which field errors are about.
    field: Field,
    /// What went wrong, where something did.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.to_owned());
    let message = move || error.get().filter(|error| error.field() == Some(field)).map(|error| error.message());
    let has_error = Memo::new(move |_| message().is_some());
    let described_by = if hint.is_empty() { format!("{id}-error") } else { format!("{id}-hint {id}-error") };
    view! {
        <div class="field" class:has-error=has_error>
            <label for=id.clone()>{label}</label>
            {(!hint.is_empty()).then(|| view! { <small class="hint" id=format!("{id}-hint")>{hint}</small> })}
            <input
                id=id.clone()
                name=name
                type=kind
                autocomplete=autocomplete
                value=value
                aria-describedby=described_by
                required
                aria-invalid=move || has_error.get().then_some("true")
            />
            <strong class="error" id=format!("{id}-error") role="alert">
                {message}
            </strong>
        </div>
    }
}

/// A choice of a few with its label; the error stands beside it and is read with it.
#[component]
pub fn SelectField(
    /// Its name in the form.
    name: &'static str,
    /// Its label for people.
    label: &'static str,
    /// What can be chosen: what is sent, and what people read.
    options: &'static [(&'static str, &'static str)],
    /// What is chosen at first.
    #[prop(optional, into)]
    value: String,
    /// Which field errors are about.
    field: Field,
    /// What went wrong, where something did.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let message = move || error.get().filter(|error| error.field() == Some(field)).map(|error| error.message());
    view! {
        <div class="field" class:has-error=move || message().is_some()>
            <label for=name>{label}</label>
            <select id=name name=name aria-describedby=format!("{name}-error")>
                {options
                    .iter()
                    .map(|(sent, words)| view! { <option value=*sent selected=*sent == value>{*words}</option> })
                    .collect_view()}
            </select>
            <strong class="error" id=format!("{name}-error") role="alert">
                {message}
            </strong>
        </div>
    }
}

/// How often an action has succeeded: what depends on it is loaded again each time.
pub fn count_done<T: Send + Sync + Clone + 'static>(value: Signal<Option<Result<T, ApiError>>>) -> Memo<u32> {
    Memo::new(move |count: Option<&u32>| {
        let before = count.copied().unwrap_or_default();
        if matches!(value.get(), Some(Ok(_))) { before + 1 } else { before }
    })
}

/// What went wrong, where it is about no field of the form.
#[component]
pub fn FormError(
    /// What went wrong, where something did.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let message = move || error.get().filter(|error| error.field().is_none()).map(|error| error.message());
    view! { <div class="form-error" role="alert">{message}</div> }
}
