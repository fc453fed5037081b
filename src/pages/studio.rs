//! `/studio`: making something with credits. The cost stands on the button and follows what is typed; the
//! server decides it.

use super::query_at_start;
use crate::api::error::{ApiError, Field};
use crate::api::studio::{Generate, load_studio};
use crate::api::studio_features::{DEFAULT_VIDEO_SECONDS, MAX_PROMPT_CHARS, MAX_VIDEO_SECONDS, StudioFeature};
use crate::api::views::{CreationView, MadeView, OfferView, StudioView};
use crate::components::{
    CreationCard, FormError, InsufficientPrompt, Loaded, PictureField, Viewer, credit_count, encode_query,
};
use crate::domain::Credits;
use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// What someone is about to make.
#[derive(Clone, Copy)]
struct Draft {
    feature: Memo<StudioFeature>,
    prompt: RwSignal<String>,
    seconds: RwSignal<u32>,
    source: RwSignal<String>,
}

impl Draft {
    /// As the address says, where it says anything.
    fn from_address() -> Self {
        let query = use_query_map();
        let feature = Memo::new(move |_| {
            query.read().get("feature").and_then(|text| StudioFeature::parse(&text)).unwrap_or_default()
        });
        Self {
            feature,
            prompt: RwSignal::new(query_at_start("prompt")),
            seconds: RwSignal::new(query_at_start("seconds").parse().unwrap_or(DEFAULT_VIDEO_SECONDS)),
            source: RwSignal::new(query_at_start("source")),
        }
    }

    fn units(self) -> u32 {
        let feature = self.feature.get();
        let chosen = (feature == StudioFeature::Video).then(|| self.seconds.get());
        feature.units(&self.prompt.read(), chosen)
    }

    /// The way back to it.
    fn address(self) -> String {
        let seconds = self.seconds.get_untracked().to_string();
        let parts = [
            ("feature", self.feature.get_untracked().slug()),
            ("prompt", &self.prompt.get_untracked()),
            ("seconds", &seconds),
            ("source", &self.source.get_untracked()),
        ];
        encode_query("/studio", &parts.map(|(name, value)| (name, value)))
    }
}

/// Tabs, the form, what came of it, and what was made before.
#[component]
pub fn StudioPage() -> impl IntoView {
    let draft = Draft::from_address();
    let generate = ServerAction::<Generate>::new();
    let studio = Resource::new(move || generate.version().get(), |_| load_studio());
    Viewer::expect().refresh_after(generate.value().into());
    view! {
        <Title text="Studio" />
        <div class="page studio">
            <h1>"Studio"</h1>
            <Loaded
                resource=Resource::new(|| (), |()| load_studio())
                view=move |view: StudioView| view! { <Workbench view draft generate /> }
            />
            <Outcome generate draft />
            <section class="creations" aria-labelledby="creations-title">
                <h2 id="creations-title">"What you made"</h2>
                <Loaded resource=studio view=|view: StudioView| view! { <Creations creations=view.creations /> } />
            </section>
        </div>
    }
}

/// What can be made, and the form for what is chosen.
#[component]
fn Workbench(view: StudioView, draft: Draft, generate: ServerAction<Generate>) -> impl IntoView {
    let StudioView { offers, creations, can_fail } = view;
    let tabs = offers.iter().map(|offer| offer.feature).collect::<Vec<_>>();
    let offers = StoredValue::new(offers);
    let pictures = StoredValue::new(creations.into_iter().filter(CreationView::is_still_picture).collect::<Vec<_>>());
    let offer = Memo::new(move |_| {
        let feature = draft.feature.get();
        offers.with_value(|offers| offers.iter().find(|offer| offer.feature == feature).cloned())
    });
    let error = Signal::derive(move || generate.value().get().and_then(Result::err));
    let needs_picture = Memo::new(move |_| draft.feature.get().needs_picture());
    view! {
        <div class="bench">
            <Tabs tabs feature=draft.feature />
            {move || match needs_picture.get() {
                true => Either::Left(view! { <PictureForm draft offer error pictures=pictures.get_value() can_fail /> }),
                false => Either::Right(view! { <WordsForm draft offer error generate can_fail /> }),
            }}
        </div>
    }
}

#[component]
fn Tabs(tabs: Vec<StudioFeature>, feature: Memo<StudioFeature>) -> impl IntoView {
    view! {
        <nav class="tabs" aria-label="What to make">
            {tabs
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

/// What is made from words alone.
#[component]
fn WordsForm(
    draft: Draft,
    offer: Memo<Option<OfferView>>,
    error: Signal<Option<ApiError>>,
    generate: ServerAction<Generate>,
    can_fail: bool,
) -> impl IntoView {
    let is_video = move || draft.feature.get() == StudioFeature::Video;
    view! {
        <ActionForm action=generate attr:class="panel form workbench">
            <FormError error=Signal::derive(move || error.get().filter(is_for_the_form)) />
            <input type="hidden" name="feature" value=move || draft.feature.get().slug() />
            <PromptField draft error />
            {move || is_video().then(|| view! { <SecondsField seconds=draft.seconds offer /> })}
            <Foot draft offer is_pending=generate.pending().into() can_fail />
        </ActionForm>
    }
}

/// What starts from a picture. A plain form, since only that carries a file; it works alike with and without
/// scripts.
#[component]
fn PictureForm(
    draft: Draft,
    offer: Memo<Option<OfferView>>,
    error: Signal<Option<ApiError>>,
    pictures: Vec<CreationView>,
    can_fail: bool,
) -> impl IntoView {
    let is_sending = RwSignal::new(false);
    view! {
        <form
            method="post"
            action="/studio/make"
            enctype="multipart/form-data"
            class="panel form workbench"
            on:submit=move |_| is_sending.set(true)
        >
            <FormError error=Signal::derive(move || error.get().filter(is_for_the_form)) />
            <input type="hidden" name="feature" value=move || draft.feature.get().slug() />
            <PictureField pictures source=draft.source error />
            {move || draft.feature.get().needs_words().then(|| view! { <PromptField draft error /> })}
            <Foot draft offer is_pending=is_sending.into() can_fail />
        </form>
    }
}

/// Errors that stand at the form; the others have a place of their own.
fn is_for_the_form(error: &ApiError) -> bool {
    !matches!(error, ApiError::Insufficient { .. } | ApiError::Invalid { .. })
}

#[component]
fn PromptField(draft: Draft, error: Signal<Option<ApiError>>) -> impl IntoView {
    let Draft { feature, prompt, .. } = draft;
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
                    let seconds = feature.get().seconds(&prompt.read(), None);
                    match feature.get() {
                        StudioFeature::Audio => Some(format!(" · about {seconds} s of sound")),
                        StudioFeature::Lipsync => Some(format!(" · about {seconds} s of speech")),
                        _ => None,
                    }
                }}
            </small>
            <strong class="error" id="prompt-error" role="alert">
                {message}
            </strong>
        </div>
    }
}

/// How long a video is; each length with its price.
#[component]
fn SecondsField(seconds: RwSignal<u32>, offer: Memo<Option<OfferView>>) -> impl IntoView {
    // What is offered is the same for as long as the field is there.
    let option = move |length: u32| {
        let cost = offer.get_untracked()?.rate.cost(length).ok()?;
        let words = format!("{length} s · {}", credit_count(cost));
        Some(view! {
            <option value=length.to_string() selected=move || seconds.get() == length>
                {words}
            </option>
        })
    };
    view! {
        <div class="field">
            <label for="seconds">"How long?"</label>
            <select
                id="seconds"
                name="seconds"
                on:change=move |event| seconds.set(event_target_value(&event).parse().unwrap_or(DEFAULT_VIDEO_SECONDS))
            >
                {(1..=MAX_VIDEO_SECONDS).filter_map(option).collect_view()}
            </select>
        </div>
    }
}

/// The button with the cost, the balance beside it, and a line on the price.
#[component]
fn Foot(draft: Draft, offer: Memo<Option<OfferView>>, is_pending: Signal<bool>, can_fail: bool) -> impl IntoView {
    let cost = Memo::new(move |_| offer.get().and_then(|offer| offer.rate.cost(draft.units()).ok()));
    let is_words = move || draft.feature.get().needs_words();
    view! {
        <div class="form-foot">
            <button type="submit" class="button is-primary spend" disabled=move || is_pending.get()>
                <span>{move || if is_pending.get() { "Working…" } else { verb_of(draft.feature.get()) }}</span>
                {move || cost.get().map(|cost| view! { <span class="cost">{credit_count(cost)}</span> })}
            </button>
            <BalanceAfter cost />
        </div>
        <p class="note">
            {move || offer.get().map(|offer| offer.rate.in_words())} ". "
            {move || match offer.get().is_none_or(|offer| offer.is_built_in) {
                true => made_here(draft.feature.get()),
                false => "Made by the service that this site has set up.",
            }}
            {move || {
                (can_fail && is_words())
                    .then(|| view! { " Write " <code>"/fail"</code> " to see that a failure costs nothing." })
            }}
        </p>
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
        <output class="balance-after" class:is-short=is_short>
            <Transition>{words}</Transition>
        </output>
    }
}

/// What came of the last try: the thing, or the way to more credits.
#[component]
fn Outcome(generate: ServerAction<Generate>, draft: Draft) -> impl IntoView {
    view! {
        <div class="outcome" id="made" aria-live="polite">
            {move || match generate.value().get() {
                Some(Ok(made)) => Some(view! { <Made made /> }.into_any()),
                Some(Err(ApiError::Insufficient { required, available, .. })) => {
                    let return_to = draft.address();
                    Some(view! { <InsufficientPrompt required available return_to /> }.into_any())
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
        <CreationCard creation=made.creation is_new=true />
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
                            <CreationCard creation is_new />
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
        StudioFeature::ImageToImage => "Change it",
        StudioFeature::Upscale => "Make it twice as large",
        StudioFeature::Video => "Make the video",
        StudioFeature::Audio => "Make the sound",
        StudioFeature::Lipsync => "Let it speak",
        StudioFeature::Chat => "Send",
    }
}

const fn label_of(feature: StudioFeature) -> &'static str {
    match feature {
        StudioFeature::TextToImage => "What should be in the picture?",
        StudioFeature::ImageToImage => "What should happen to it?",
        StudioFeature::Video | StudioFeature::Upscale => "What should be seen?",
        StudioFeature::Audio => "Which words should sound?",
        StudioFeature::Lipsync => "What should the figure say?",
        StudioFeature::Chat => "Your message",
    }
}

const fn example_of(feature: StudioFeature) -> &'static str {
    match feature {
        StudioFeature::TextToImage => "A red fox by a mountain lake at sunset",
        StudioFeature::ImageToImage => "A pencil sketch, mirrored",
        StudioFeature::Upscale => "",
        StudioFeature::Video => "Snow over a city at night",
        StudioFeature::Audio => "Good evening, and welcome to the show.",
        StudioFeature::Lipsync => "Hello! I am so glad that you are here.",
        StudioFeature::Chat => "What is 12 * (3 + 4)?",
    }
}

/// What the built-in generators do, and no more than that.
const fn made_here(feature: StudioFeature) -> &'static str {
    match feature {
        StudioFeature::TextToImage => "Painted here by a built-in generator that knows nine scenes.",
        StudioFeature::ImageToImage => {
            "Changed here by a built-in generator: sketch, painting, poster, sepia, mosaic, blur, mirror, colours \
             and more."
        }
        StudioFeature::Upscale => "Enlarged here by resampling and sharpening; no detail is invented.",
        StudioFeature::Video => "Filmed here by a built-in generator: a painted scene in which something moves.",
        StudioFeature::Audio => "Sung here by a built-in generator, in the rhythm of the words.",
        StudioFeature::Lipsync => "Drawn here by a built-in generator; the lips follow the words, without sound.",
        StudioFeature::Chat => "Answered here by a built-in generator that reckons and sums up.",
    }
}
