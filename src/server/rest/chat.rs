//! `/api/chat`: one address for five things that are made, told apart by their action.

use super::call::{Call, Subject};
use super::generate::{MadeAnswer, make};
use super::problem::{InsufficientCredits, ProblemView};
use super::{Problem, tags};
use crate::api::studio_features::StudioFeature;
use crate::server::generators::picture::MAX_PICTURE_BYTES;
use crate::server::services::{Picture, Services, Wish};
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use utoipa::ToSchema;

/// The largest body, in bytes: the largest picture in base64, and the words beside it.
pub const MAX_CHAT_BYTES: usize = MAX_PICTURE_BYTES.div_ceil(3) * 4 + 64 * 1024;

/// What is asked for.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An answer to a message.
    Message,
    /// A picture from words.
    TextToImage,
    /// A picture from a picture.
    ImageToImage,
    /// A picture of twice the size.
    Upscale,
    /// A figure that speaks words.
    Lipsync,
}

impl Action {
    const fn feature(self) -> StudioFeature {
        match self {
            Self::Message => StudioFeature::Chat,
            Self::TextToImage => StudioFeature::TextToImage,
            Self::ImageToImage => StudioFeature::ImageToImage,
            Self::Upscale => StudioFeature::Upscale,
            Self::Lipsync => StudioFeature::Lipsync,
        }
    }
}

/// An action with what it needs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Chat, example = json!({ "action": "message", "prompt": "What is 12 * (3 + 4)?" }))]
pub struct ChatBody {
    /// What is asked for.
    action: Action,
    /// The words; `upscale` needs none.
    #[schema(min_length = 1, max_length = 2_000)]
    prompt: Option<String>,
    /// The same under its other name.
    #[schema(min_length = 1, max_length = 2_000)]
    text: Option<String>,
    /// The picture to start from, a PNG or JPEG of at most 6 MiB, in base64 or as a data URL.
    image: Option<String>,
    /// The picture to start from, as the `url` of an earlier result.
    media: Option<String>,
    /// How long the figure of `lipsync` speaks, in seconds; estimated from the words where absent.
    #[schema(minimum = 1, maximum = 150)]
    seconds: Option<u32>,
}

impl std::fmt::Debug for ChatBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatBody").field("action", &self.action).finish_non_exhaustive()
    }
}

impl ChatBody {
    /// What is wished for, and what its words are called.
    fn check(&mut self) -> Result<(Wish, &'static str), Problem> {
        let feature = self.action.feature();
        let (words, name) = match (self.prompt.take(), self.text.take()) {
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("text", "Send the words as prompt or as text, not both."));
            }
            (None, Some(text)) => (text, "text"),
            (prompt, None) => (prompt.unwrap_or_default(), "prompt"),
        };
        if self.seconds.is_some() && feature != StudioFeature::Lipsync {
            return Err(Problem::invalid("seconds", "Only lipsync has a length of its own."));
        }
        let picture = match (self.image.take(), self.media.take()) {
            (Some(_), Some(_)) => return Err(Problem::invalid("image", "Send either image or media, not both.")),
            (None, None) => Picture::Absent,
            (Some(_), None) if !feature.needs_picture() => {
                return Err(Problem::invalid("image", "This action starts from words alone."));
            }
            (None, Some(_)) if !feature.needs_picture() => {
                return Err(Problem::invalid("media", "This action starts from words alone."));
            }
            (Some(image), None) => Picture::Sent(decode(&image)?),
            (None, Some(media)) => Picture::Earlier(media),
        };
        Ok((Wish { feature, prompt: words, seconds: self.seconds, picture }, name))
    }
}

/// The bytes of a picture in base64; what a data URL says of their kind is not believed, but read from them.
fn decode(image: &str) -> Result<Vec<u8>, Problem> {
    let data = match image.strip_prefix("data:") {
        None => image,
        Some(url) => url.split_once(";base64,").map(|(_, data)| data).unwrap_or_default(),
    };
    let decoded = STANDARD.decode(data).map_err(|_| Problem::invalid("image", "The image has to be in base64."))?;
    if decoded.is_empty() { Err(Problem::invalid("image", "The image is empty.")) } else { Ok(decoded) }
}

/// Answer a message, make, change or enlarge a picture, or let a figure speak.
///
/// The cost is held, the thing is made, and only then is it charged; a failure costs nothing. `image-to-image` and
/// `upscale` start from an `image` that is sent, or from the `media` of an earlier result.
#[utoipa::path(
    post, path = "/chat", operation_id = "chat", tag = tags::FEATURES, request_body = ChatBody,
    responses((status = 200, description = "It is made and charged.", body = MadeAnswer),
        (status = 402, description = "Fewer credits are available than it costs; nothing has changed.",
            body = InsufficientCredits, content_type = "application/problem+json"),
        (status = 502, description = "Nothing was made, and nothing was charged.", body = ProblemView,
            content_type = "application/problem+json")))]
pub async fn chat(State(services): State<Services>, mut call: Call<Subject, ChatBody>) -> Result<Response, Problem> {
    let (wish, words_field) = call.body.check()?;
    make(&services, call, wish, words_field).await
}
