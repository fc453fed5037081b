//! Choosing a picture: a file of one's own, or something that was made before.

use crate::api::error::{ApiError, Field};
use crate::api::views::CreationView;
use leptos::prelude::*;

/// The value of the choice that means a file.
const FILE: &str = "file";

/// One choice among earlier pictures and a file. Without scripts a chosen file counts before an earlier picture.
#[component]
pub fn PictureField(
    /// The earlier ones, newest first.
    pictures: Vec<CreationView>,
    /// Which one is chosen, by its name; a file where it is empty.
    source: RwSignal<String>,
    /// What went wrong, where something did.
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let message =
        move || error.get().filter(|error| error.field() == Some(Field::Picture)).map(|error| error.message());
    let file = NodeRef::<leptos::html::Input>::new();
    let is_known = pictures.iter().any(|picture| picture.name == source.get_untracked());
    if !is_known {
        source.set(FILE.to_owned());
    }
    let choose_earlier = move |name: String| {
        source.set(name);
        // What stands in the form is what is sent: the earlier picture alone.
        if let Some(input) = file.get_untracked() {
            input.set_value("");
        }
    };
    view! {
        <fieldset class="field sources" class:has-error=move || message().is_some() aria-describedby="picture-error">
            <legend>"Which picture?"</legend>
            <div class="source-file">
                <label>
                    <input
                        type="radio"
                        name="source"
                        value=FILE
                        checked=!is_known
                        prop:checked=move || source.get() == FILE
                        on:change=move |_| source.set(FILE.to_owned())
                    />
                    "A file of yours"
                </label>
                <input
                    type="file"
                    name="picture"
                    accept="image/png,image/jpeg"
                    aria-label="Picture file"
                    node_ref=file
                    on:change=move |_| source.set(FILE.to_owned())
                />
                <small class="hint">"PNG or JPEG, at most 6 MB"</small>
            </div>
            {(!pictures.is_empty())
                .then(|| view! { <p class="hint">"Or one that you made:"</p> })}
            <div class="source-earlier">
                {pictures
                    .into_iter()
                    .map(|picture| {
                        let (name, own, chosen) = (picture.name.clone(), picture.name.clone(), picture.name.clone());
                        let is_first = source.get_untracked() == picture.name;
                        let alt = if picture.prompt.is_empty() { "Upscaled picture".to_owned() } else { picture.prompt };
                        view! {
                            <label>
                                <input
                                    type="radio"
                                    name="source"
                                    value=name
                                    checked=is_first
                                    prop:checked=move || source.get() == own
                                    on:change=move |_| choose_earlier(chosen.clone())
                                />
                                <img src=picture.media_url alt=alt loading="lazy" width="96" height="96" />
                            </label>
                        }
                    })
                    .collect_view()}
            </div>
            <strong class="error" id="picture-error" role="alert">
                {message}
            </strong>
        </fieldset>
    }
}
