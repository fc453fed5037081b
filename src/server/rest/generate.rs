//! Making things: video, audio and what `/api/chat` stands for. Each is held, made and then charged; the answer to
//! a key is kept.

use super::call::{Call, Caller, Subject, explain, require_scope, respond};
use super::problem::{InsufficientCredits, ProblemView};
use super::schemas::Moment;
use super::views::{BalanceView, TransactionView};
use super::{Problem, tags};
use crate::api::error::ApiError;
use crate::api::studio_features::StudioFeature;
use crate::api::views::CreationView;
use crate::domain::access::Scope;
use crate::domain::{Credits, Outcome};
use crate::server::ledger::Answer;
use crate::server::services::{Delivery, Field, NO_SUCH_FEATURE, Picture, Render, ServiceError, Services, Wish};
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tower::ServiceExt;
use tower_http::services::ServeFile;
use utoipa::ToSchema;

/// How long browsers keep what was made: it never changes under its name.
const KEPT_BY_BROWSERS: HeaderValue = HeaderValue::from_static("private, max-age=3600");

/// A video from words.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Video, example = json!({ "prompt": "Snow over the sea", "seconds": 5 }))]
pub struct VideoBody {
    /// What is to be seen.
    #[schema(min_length = 1, max_length = 2_000)]
    prompt: String,
    /// How long, in seconds; 5 where absent. The rate may allow less.
    #[schema(minimum = 1, maximum = 20)]
    seconds: Option<u32>,
}

/// A sound from words.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Audio, example = json!({ "text": "Good evening, and welcome." }))]
pub struct AudioBody {
    /// What is to be heard. How long it sounds is estimated from it, and decides the cost.
    #[schema(min_length = 1, max_length = 2_000)]
    text: String,
}

/// What was made, what it cost, and where that leaves the account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Made)]
pub struct MadeAnswer {
    result: MadeResult,
    /// What it cost.
    credits_used: Credits,
    balance: BalanceView,
    /// The charge.
    transaction: Option<TransactionView>,
}

/// An answer in words, or a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MadeResult {
    /// Words.
    Text(String),
    /// A file.
    Media(MediaView),
}

/// A file that was made. Its owner reads it, with the same key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Media)]
pub struct MediaView {
    /// Where it is, on this server.
    #[schema(example = "/media/4n8k2x.png")]
    url: String,
    /// Its media type.
    #[serde(rename = "type")]
    #[schema(example = "image/png")]
    kind: String,
    /// When it goes.
    #[schema(value_type = Moment)]
    expires_at: String,
}

/// Make a video.
///
/// The cost is held, the video is made, and only then is it charged; a failure costs nothing.
#[utoipa::path(
    post, path = "/generate-video", operation_id = "generate_video", tag = tags::FEATURES, request_body = VideoBody,
    responses((status = 200, description = "It is made and charged.", body = MadeAnswer),
        (status = 402, description = "Fewer credits are available than it costs; nothing has changed.",
            body = InsufficientCredits, content_type = "application/problem+json"),
        (status = 502, description = "Nothing was made, and nothing was charged.", body = ProblemView,
            content_type = "application/problem+json")))]
pub async fn video(State(services): State<Services>, call: Call<Subject, VideoBody>) -> Result<Response, Problem> {
    let wish = Wish {
        feature: StudioFeature::Video,
        prompt: call.body.prompt.clone(),
        seconds: call.body.seconds,
        picture: Picture::Absent,
    };
    make(&services, call, wish, "prompt").await
}

/// Make a sound.
///
/// Its length is estimated from the text: 15 characters take a second.
#[utoipa::path(
    post, path = "/generate-audio", operation_id = "generate_audio", tag = tags::FEATURES, request_body = AudioBody,
    responses((status = 200, description = "It is made and charged.", body = MadeAnswer),
        (status = 402, description = "Fewer credits are available than it costs; nothing has changed.",
            body = InsufficientCredits, content_type = "application/problem+json"),
        (status = 502, description = "Nothing was made, and nothing was charged.", body = ProblemView,
            content_type = "application/problem+json")))]
pub async fn audio(State(services): State<Services>, call: Call<Subject, AudioBody>) -> Result<Response, Problem> {
    let wish =
        Wish { feature: StudioFeature::Audio, prompt: call.body.text.clone(), seconds: None, picture: Picture::Absent };
    make(&services, call, wish, "text").await
}

/// Makes it and answers; `words_field` is what the words are called in the body.
pub(super) async fn make<T>(
    services: &Services,
    call: Call<Subject, T>,
    wish: Wish,
    words_field: &str,
) -> Result<Response, Problem> {
    let render: Render<CreationView> = Arc::new(made_json);
    let once = call.request_key(|_| String::new()).map(|key| (key, render));
    let (subject, has_length) = (call.who, wish.seconds.is_some());
    match services.generate(subject.account(), wish, once).await {
        Ok(Delivery::Done { result, receipt, text }) => {
            let outcome = Outcome::Receipt(receipt);
            let text = text.unwrap_or_else(|| made_json(&result, &outcome));
            let answer = Answer::Applied { account: subject.account(), outcome, text: Some(text) };
            Ok(respond(StatusCode::OK, answer, |_| String::new()))
        }
        Ok(Delivery::Replayed(text)) => Ok(respond(StatusCode::OK, Answer::Replayed { text }, |_| String::new())),
        Err(ServiceError::Invalid { field, problem }) => {
            // No other field is of a wish.
            let name = if field == Field::Picture { "image" } else { words_field };
            Err(Problem::invalid(name, ApiError::Invalid { field, problem }.message()))
        }
        Err(ServiceError::NoPrice { why, .. }) if has_length && why != NO_SUCH_FEATURE => {
            Err(Problem::invalid("seconds", format!("This length has no price: {why}.")))
        }
        Err(error) => Err(explain(services, &subject, error).await),
    }
}

fn made_json(creation: &CreationView, outcome: &Outcome) -> String {
    let transaction = match outcome {
        Outcome::Receipt(receipt) => Some(TransactionView::from(&receipt.transaction)),
        Outcome::Hold { .. } | Outcome::Rolled { .. } => None,
    };
    let media = |url: String| {
        let kind = creation.content_type.clone();
        MadeResult::Media(MediaView { url, kind, expires_at: creation.expires_at.to_rfc3339() })
    };
    let words = || MadeResult::Text(creation.answer.clone().unwrap_or_default());
    let made = MadeAnswer {
        result: creation.media_url.clone().map_or_else(words, media),
        credits_used: creation.credits_used,
        balance: BalanceView::from(outcome.balance()),
        transaction,
    };
    // A plain structure with text keys; serde_json has no reason to refuse it.
    serde_json::to_string(&made).unwrap_or_default()
}

/// A file that was made, for its owner by session or key, or for a program that may read accounts. Parts of it can
/// be asked for, as players do.
pub async fn read_media(State(services): State<Services>, Path(name): Path<String>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let found = match Caller::from_request_parts(&mut parts, &services).await {
        Ok(Caller::Person(user)) => services.find_media(user.account, &name).await.map_err(Problem::from),
        Ok(Caller::Service(key)) => match require_scope(&key, Scope::AccountsRead) {
            Ok(()) => services.find_any_media(&name).await.map(|(_, file)| file).map_err(Problem::from),
            Err(problem) => Err(problem),
        },
        Err(problem) => Err(problem),
    };
    let file = match found {
        Ok(file) => file,
        Err(problem) => return problem.into_response(),
    };
    // The store's own types, each from a short list.
    let Ok(kind) = file.content_type.parse() else { return Problem::not_found().into_response() };
    let served = ServeFile::new_with_mime(file.path, &kind).oneshot(Request::from_parts(parts, body)).await;
    let mut response = served.into_response();
    response.headers_mut().insert(CACHE_CONTROL, KEPT_BY_BROWSERS);
    response
}
