//! Something that was made: a picture, a sound or an answer.

use crate::api::views::CreationView;
use crate::components::{Moment, credit_count};
use leptos::either::EitherOf3;
use leptos::prelude::*;

/// A creation with what it was made from, what it cost and how long it is kept.
#[component]
pub fn CreationCard(
    /// The thing.
    creation: CreationView,
) -> impl IntoView {
    let prompt = creation.prompt.clone();
    let thing = match (&creation.answer, &creation.media_url) {
        (Some(answer), _) => EitherOf3::A(view! { <p class="answer">{answer.clone()}</p> }),
        (None, Some(url)) if creation.content_type.starts_with("audio/") => EitherOf3::B(view! {
            <audio controls preload="none" src=url.clone() aria-label=format!("Sound made from: {prompt}")></audio>
        }),
        (None, url) => EitherOf3::C(view! {
            <a href=url.clone() target="_blank" rel="noopener">
                <img src=url.clone() alt=format!("Made from: {prompt}") loading="lazy" width="768" height="768" />
            </a>
        }),
    };
    view! {
        <figure class="creation" data-feature=creation.feature.clone()>
            {thing}
            <figcaption>
                <span class="prompt">{creation.prompt.clone()}</span>
                <small>
                    {credit_count(creation.credits_used)} " · " <Moment at=creation.created_at /> " · kept until "
                    <Moment at=creation.expires_at day_only=true />
                </small>
            </figcaption>
        </figure>
    }
}
