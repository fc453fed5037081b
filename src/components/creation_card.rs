//! Something that was made: a picture, moving pictures, a sound or an answer.

use crate::api::studio_features::StudioFeature;
use crate::api::views::CreationView;
use crate::components::{Moment, credit_count, encode_query};
use leptos::prelude::*;

/// A creation with what it was made from, what it cost and how long it is kept.
#[component]
pub fn CreationCard(
    /// The thing.
    creation: CreationView,
    /// Whether it was made just now: moving pictures then play by themselves.
    #[prop(default = false)]
    is_new: bool,
) -> impl IntoView {
    let next_steps = creation.is_still_picture().then(|| next_steps(&creation.name));
    let words = if creation.prompt.is_empty() { "Upscaled picture".to_owned() } else { creation.prompt.clone() };
    let thing = thing(&creation, &words, is_new);
    view! {
        <figure class="creation" data-feature=creation.feature.clone()>
            {thing}
            <figcaption>
                <span class="prompt">{words}</span>
                <small>
                    {credit_count(creation.credits_used)} " · " <Moment at=creation.created_at /> " · kept until "
                    <Moment at=creation.expires_at day_only=true />
                </small>
                {next_steps}
            </figcaption>
        </figure>
    }
}

fn thing(creation: &CreationView, words: &str, is_new: bool) -> AnyView {
    let url = creation.media_url.clone();
    let family = creation.content_type.split('/').next().unwrap_or_default();
    match (&creation.answer, family) {
        (Some(answer), _) => view! { <p class="answer">{answer.clone()}</p> }.into_any(),
        (None, "audio") => view! {
            <audio controls preload="none" src=url aria-label=format!("Sound made from: {words}")></audio>
        }
        .into_any(),
        (None, "video") => view! {
            <video controls preload="metadata" src=url aria-label=format!("Video made from: {words}")></video>
        }
        .into_any(),
        // What moves begins and ends at a wish: opened, it plays once (WCAG 2.2.2).
        (None, _) if creation.is_animation() => view! {
            <details class="clip" open=is_new>
                <summary>"Play"</summary>
                <img src=url alt=format!("Moving picture made from: {words}") loading="lazy" width="384" height="288" />
            </details>
        }
        .into_any(),
        (None, _) => view! {
            <a href=url.clone() target="_blank" rel="noopener">
                <img src=url.clone() alt=format!("Made from: {words}") loading="lazy" width="768" height="768" />
            </a>
        }
        .into_any(),
    }
}

/// What a picture can be the start of.
fn next_steps(name: &str) -> impl IntoView + use<> {
    let to = |feature: StudioFeature| encode_query("/studio", &[("feature", feature.slug()), ("source", name)]);
    view! {
        <span class="next-steps">
            // A full load, so that the form begins with this picture.
            <a href=to(StudioFeature::ImageToImage) rel="external">"Change"</a>
            <a href=to(StudioFeature::Upscale) rel="external">"Upscale"</a>
        </span>
    }
}
