//! `/studio`: making something with credits. The cost stands on the button and follows what is typed; the
//! server decides it.

use super::query_at_start;
use crate::api::error::{ApiError, Field};
use crate::api::studio::{Generate, load_studio};
use crate::api::studio_features::{MAX_PROMPT_CHARS, StudioFeature};
use crate::api::views::{CreationView, MadeView, StudioView};
use crate::components::{CreationCard, FormError, InsufficientPrompt, Loaded, Viewer, credit_count, encode_query};
use crate::domain::Credits;
use crate::domain::rates::Rate;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// Tabs, the form, what came of it, and what was made before.
#[component]
pub fn StudioPage() -> impl IntoView {
    let query = use_query_map();
    let feature = Memo::new(move |_| {
        query.read().get("feature").and_then(|text| StudioFeature::parse(&text)).unwrap_or_default()
    });
    let prompt = RwSignal::new(query_at_start("prompt"));
    let generate = ServerAction::<Generate>::new();
    let studio = Resource::new(move || generate.version().get(), |_| load_studio());
    Viewer::expect().refresh_after(generate.value().into());
    view! {
        <Title text="Studio" />
        <div class="page studio">
            <h1>"Studio"</h1>
            <Tabs feature />
            <Loaded
                resource=Resource::new(|| (), |()| load_studio())
                view=move |view: StudioView| view! { <Workbench view feature prompt generate /> }
            />
            <Outcome generate feature prompt />
            <section class="creations" aria-labelledby="creations-title">
                <h2 id="creations-title">"What you made"</h2>
                <Loaded resource=studio view=|view: StudioView| view! { <Creations creations=view.creations /> } />
            </section>
        </div>
    }
}

#[component]
fn Tabs(feature: Memo<StudioFeature>) -> impl IntoView {
    view! {
        <nav class="tabs" aria-label="What to make">
            {StudioFeature::ALL
                .into_iter()
                .map(|tab| {
                    view! {
                        <a
                            href=encode_query("/studio", &[("feature", tab.slug())])
                            aria-current=move || (feature.get() == tab).then_some("page")
                        >
                            {tab.title()}
                        </a>
                    }
                })
                .collect_view()}
        </nav>
    }
}

#[component]
fn Workbench(
    view: StudioView,
    feature: Memo<StudioFeature>,
    prompt: RwSignal<String>,
    generate: ServerAction<Generate>,
) -> impl IntoView {
    let rates = StoredValue::new(view.rates);
    let rate = move || rates.with_value(|rates| rates.iter().find(|rate| rate.feature == feature.get().id()).cloned());
    let cost = Memo::new(move |_| rate().and_then(|rate| cost_of(&rate, feature.get(), &prompt.read())));
    let error = Signal::derive(move || generate.value().get().and_then(Result::err));
    let pending = generate.pending();
    view! {
        <ActionForm action=generate attr:class="panel form workbench">
            <FormError error=Signal::derive(move || error.get().filter(is_for_the_form)) />
            <input type="hidden" name="feature" value=move || feature.get().slug() />
            <PromptField feature prompt error />
            <div class="form-foot">
                <button type="submit" class="button is-primary spend" disabled=move || pending.get()>
                    <span>{move || if pending.get() { "Working…" } else { verb_of(feature.get()) }}</span>
                    {move || cost.get().map(|cost| view! { <span class="cost">{credit_count(cost)}</span> })}
                </button>
                <BalanceAfter cost />
            </div>
            <p class="note">
                {move || rate().map(|rate| rate.in_words())} ". Made here by the " {view.provider_name}
                " generator, which any other can replace."
                {view
                    .can_fail
                    .then(|| view! { " Write " <code>"/fail"</code> " to see that a failure costs nothing." })}
            </p>
        </ActionForm>
    }
}

/// Errors that stand at the form; the others have a place of their own.
fn is_for_the_form(error: &ApiError) -> bool {
    !matches!(error, ApiError::Insufficient { .. } | ApiError::Invalid { .. })
}

fn cost_of(rate: &Rate, feature: StudioFeature, prompt: &str) -> Option<Credits> {
    rate.cost(feature.units(prompt)).ok()
}

#[component]
fn PromptField(
    feature: Memo<StudioFeature>,
    prompt: RwSignal<String>,
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let message = move || error.get().filter(|error| error.field() == Some(Field::Prompt)).map(|error| error.message());
    let length = move || prompt.read().chars().count();
    view! {
        <div class="field" class:has-error=move || message().is_some()>
            <label for="prompt">{move || label_of(feature.get())}</label>
            <textarea
                id="prompt"
                name="prompt"
                rows="4"
                placeholder=move || example_of(feature.get())
                aria-describedby="prompt-error prompt-length"
                prop:value=move || prompt.get()
                on:input=move |event| prompt.set(event_target_value(&event))
            >
                {prompt.get_untracked()}
            </textarea>
            <small class="hint" id="prompt-length">
                {move || format!("{} of {MAX_PROMPT_CHARS} characters", length())}
                {move || {
                    let seconds = feature.get().seconds(&prompt.read());
                    (feature.get() == StudioFeature::Audio).then(|| format!(" · about {seconds} s of sound"))
                }}
            </small>
            <strong class="error" id="prompt-error" role="alert">
                {message}
            </strong>
        </div>
    }
}

/// The balance beside the button: now, and after.
#[component]
fn BalanceAfter(cost: Memo<Option<Credits>>) -> impl IntoView {
    let viewer = Viewer::expect();
    let words = move || {
        let (available, cost) = (viewer.user()?.balance.available, cost.get()?);
        Some(match available.checked_sub(cost) {
            Some(after) => format!("{available} \u{2192} {after}"),
            None => format!("You have {available}, that is not enough"),
        })
    };
    let is_short = move || {
        let available = viewer.user().map(|user| user.balance.available);
        available.zip(cost.get()).is_some_and(|(available, cost)| available < cost)
    };
    view! {
        <output class="balance-after" for="prompt" class:is-short=is_short>
            <Transition>{words}</Transition>
        </output>
    }
}

/// What came of the last try: the thing, or the way to more credits.
#[component]
fn Outcome(generate: ServerAction<Generate>, feature: Memo<StudioFeature>, prompt: RwSignal<String>) -> impl IntoView {
    let return_to = move || {
        encode_query("/studio", &[("feature", feature.get_untracked().slug()), ("prompt", &prompt.get_untracked())])
    };
    view! {
        <div class="outcome" id="made" aria-live="polite">
            {move || match generate.value().get() {
                Some(Ok(made)) => Some(view! { <Made made /> }.into_any()),
                Some(Err(ApiError::Insufficient { required, available, .. })) => {
                    Some(view! { <InsufficientPrompt required available return_to=return_to() /> }.into_any())
                }
                Some(Err(_)) | None => None,
            }}
        </div>
    }
}

#[component]
fn Made(made: MadeView) -> impl IntoView {
    let (used, left) = (made.creation.credits_used, made.balance.available);
    view! {
        <p class="toast">{format!("Done. {} used, {left} left.", credit_count(used))}</p>
        <CreationCard creation=made.creation />
    }
}

#[component]
fn Creations(creations: Vec<CreationView>) -> impl IntoView {
    let made = query_at_start("made");
    let is_empty = creations.is_empty();
    view! {
        {is_empty.then(|| view! { <p class="empty">"Nothing yet. Write a few words above and press the button."</p> })}
        <ul class="gallery">
            {creations
                .into_iter()
                .map(|creation| {
                    let is_new = creation.name == made;
                    view! {
                        <li class:is-new=is_new>
                            <CreationCard creation />
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}

const fn verb_of(feature: StudioFeature) -> &'static str {
    match feature {
        StudioFeature::TextToImage => "Make the image",
        StudioFeature::Chat => "Send",
        StudioFeature::Audio => "Make the sound",
    }
}

const fn label_of(feature: StudioFeature) -> &'static str {
    match feature {
        StudioFeature::TextToImage => "What should be in the picture?",
        StudioFeature::Chat => "Your message",
        StudioFeature::Audio => "Which words should sound?",
    }
}

const fn example_of(feature: StudioFeature) -> &'static str {
    match feature {
        StudioFeature::TextToImage => "A red fox by a mountain lake at sunset",
        StudioFeature::Chat => "What is 12 * (3 + 4)?",
        StudioFeature::Audio => "Good evening, and welcome to the show.",
    }
}
