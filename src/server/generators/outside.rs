//! Outside: a generator that another service runs. A request is posted to its address as JSON; what it answers with
//! 2xx is the thing, as a file or as JSON, within limits of time and size. What it does not make, the built-in
//! generators make.

use super::{Generated, GenerationError, GenerationKind, GenerationRequest, Generator};
use crate::server::upstreams::{self, read_whole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long the service may take, unless the settings say otherwise, in seconds.
pub const DEFAULT_SECONDS: u64 = 120;
/// The longest that it may be given, in seconds: below the limit of the job.
pub const MAX_SECONDS: u64 = 290;
/// The largest answer, in bytes: a file of 32 MiB, or the same in base64.
const MAX_ANSWER_BYTES: usize = 44 * 1024 * 1024;
/// The largest file, in bytes.
const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;
/// The longest answer in words, in characters.
const MAX_ANSWER_CHARS: usize = 100_000;

/// Where the service is, and what it makes.
#[derive(Clone)]
pub struct OutsideSettings {
    /// Its address.
    pub url: Url,
    /// What it is told so that it knows us, as `Authorization: Bearer ...`.
    pub secret: Option<String>,
    /// What it makes.
    pub kinds: Vec<GenerationKind>,
    /// How long it may take.
    pub limit: Duration,
}

impl std::fmt::Debug for OutsideSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutsideSettings").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// The service, and who makes the rest.
pub struct OutsideGenerator {
    client: reqwest::Client,
    settings: OutsideSettings,
    rest: Arc<dyn Generator>,
}

impl OutsideGenerator {
    /// Asks the service for its kinds of things, and `rest` for the others.
    ///
    /// # Errors
    /// Where the machine has no certificates for TLS.
    pub fn new(settings: OutsideSettings, rest: Arc<dyn Generator>) -> reqwest::Result<Self> {
        Ok(Self { client: upstreams::client()?, settings, rest })
    }

    async fn ask(&self, request: &GenerationRequest) -> Result<Generated, OutsideError> {
        let mut body = json!({
            "feature": name_of(request.kind), "prompt": request.prompt, "seed": request.seed,
        });
        if lasts(request.kind) {
            body["seconds"] = json!(request.seconds);
        }
        if let Some(picture) = &request.picture {
            body["picture"] = json!(STANDARD.encode(picture));
        }
        let mut asking = self.client.post(self.settings.url.clone()).timeout(self.settings.limit).json(&body);
        if let Some(secret) = &self.settings.secret {
            asking = asking.bearer_auth(secret);
        }
        let response = asking.send().await.map_err(reqwest::Error::without_url)?;
        if !response.status().is_success() {
            return Err(OutsideError::Status(response.status()));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let bytes = read_whole(response, MAX_ANSWER_BYTES).await?;
        match kind.as_str() {
            "application/json" => read_json(request.kind, &bytes),
            "text/plain" => text(request.kind, String::from_utf8(bytes).map_err(|_| OutsideError::Shape)?),
            kind => file(request.kind, kind, bytes),
        }
    }
}

#[async_trait::async_trait]
impl Generator for OutsideGenerator {
    fn is_built_in(&self, kind: GenerationKind) -> bool {
        !self.settings.kinds.contains(&kind) && self.rest.is_built_in(kind)
    }

    async fn generate(&self, request: GenerationRequest) -> Result<Generated, GenerationError> {
        if !self.settings.kinds.contains(&request.kind) {
            return self.rest.generate(request).await;
        }
        self.ask(&request).await.map_err(|error| GenerationError::Provider(Box::new(error)))
    }
}

/// Why the service's answer is none.
#[derive(Debug, thiserror::Error)]
enum OutsideError {
    #[error("it cannot be reached, or took too long: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Unreadable(#[from] upstreams::ReadError),
    #[error("its answer is not of a shape that is known")]
    Shape,
    #[error("it sent {0}, which is not what was asked for")]
    WrongKind(String),
    #[error("it sent more than is kept")]
    TooLarge,
}

/// An answer in JSON: words, or a file in base64.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Text { text: String },
    File { content_type: String, data: String },
}

fn read_json(kind: GenerationKind, bytes: &[u8]) -> Result<Generated, OutsideError> {
    match serde_json::from_slice(bytes).map_err(|_| OutsideError::Shape)? {
        Answer::Text { text: words } => text(kind, words),
        Answer::File { content_type, data } => {
            let bytes = STANDARD.decode(data).map_err(|_| OutsideError::Shape)?;
            file(kind, &content_type.to_ascii_lowercase(), bytes)
        }
    }
}

fn text(kind: GenerationKind, words: String) -> Result<Generated, OutsideError> {
    if kind != GenerationKind::Chat {
        return Err(OutsideError::WrongKind("words".to_owned()));
    }
    match words.chars().count() {
        0 => Err(OutsideError::Shape),
        1..=MAX_ANSWER_CHARS => Ok(Generated::Text(words)),
        _ => Err(OutsideError::TooLarge),
    }
}

/// The files that are kept and shown, with the endings of their names. No other type is ever served from our
/// address: a page or a drawing could act in our name.
const FILES: [(&str, &str); 11] = [
    ("image/png", "png"),
    ("image/apng", "png"),
    ("image/jpeg", "jpg"),
    ("image/webp", "webp"),
    ("image/gif", "gif"),
    ("audio/wav", "wav"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/ogg", "ogv"),
];

fn file(kind: GenerationKind, content_type: &str, bytes: Vec<u8>) -> Result<Generated, OutsideError> {
    let family = content_type.split('/').next().unwrap_or_default();
    let fits = match kind {
        GenerationKind::TextToImage | GenerationKind::ImageToImage | GenerationKind::Upscale => family == "image",
        GenerationKind::Audio => family == "audio",
        GenerationKind::Video | GenerationKind::Lipsync => {
            family == "video" || matches!(content_type, "image/apng" | "image/gif" | "image/webp")
        }
        GenerationKind::Chat => false,
    };
    let known = FILES.into_iter().find(|(name, _)| fits && *name == content_type);
    let (content_type, extension) = known.ok_or_else(|| OutsideError::WrongKind(content_type.to_owned()))?;
    match bytes.len() {
        0 => Err(OutsideError::Shape),
        1..=MAX_FILE_BYTES => Ok(Generated::File { content_type, extension, bytes }),
        _ => Err(OutsideError::TooLarge),
    }
}

const fn lasts(kind: GenerationKind) -> bool {
    matches!(kind, GenerationKind::Audio | GenerationKind::Video | GenerationKind::Lipsync)
}

/// What a kind is called in the settings and in requests: as its feature.
pub const fn name_of(kind: GenerationKind) -> &'static str {
    match kind {
        GenerationKind::TextToImage => "text-to-image",
        GenerationKind::ImageToImage => "image-to-image",
        GenerationKind::Upscale => "upscale",
        GenerationKind::Chat => "chat-message",
        GenerationKind::Audio => "audio",
        GenerationKind::Video => "video",
        GenerationKind::Lipsync => "lipsync",
    }
}

/// All kinds, and the kind of a name.
pub const ALL_KINDS: [GenerationKind; 7] = [
    GenerationKind::TextToImage,
    GenerationKind::ImageToImage,
    GenerationKind::Upscale,
    GenerationKind::Chat,
    GenerationKind::Audio,
    GenerationKind::Video,
    GenerationKind::Lipsync,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_kind_that_was_asked_for_are_taken() {
        let taken = |kind, content_type: &str| file(kind, content_type, vec![1]).is_ok();
        assert!(taken(GenerationKind::TextToImage, "image/webp"));
        assert!(taken(GenerationKind::Video, "video/mp4") && taken(GenerationKind::Lipsync, "image/apng"));
        for wrong in ["text/html", "image/svg+xml", "application/pdf", "audio/wav", ""] {
            assert!(!taken(GenerationKind::TextToImage, wrong), "{wrong}");
        }
        assert!(!taken(GenerationKind::Chat, "image/png") && !taken(GenerationKind::Audio, "video/mp4"));
        assert!(file(GenerationKind::Audio, "audio/wav", vec![]).is_err());
        assert!(file(GenerationKind::Audio, "audio/wav", vec![0; MAX_FILE_BYTES + 1]).is_err());
    }

    #[test]
    fn json_holds_words_or_a_file() {
        let words = read_json(GenerationKind::Chat, br#"{"text":"hello","model":"x"}"#);
        assert!(matches!(words, Ok(Generated::Text(words)) if words == "hello"));
        let sound = read_json(GenerationKind::Audio, br#"{"content_type":"audio/wav","data":"UklGRg=="}"#);
        assert!(matches!(sound, Ok(Generated::File { bytes, .. }) if bytes == b"RIFF"));
        for bad in [&b"{}"[..], b"[]", b"", br#"{"text":""}"#, br#"{"content_type":"audio/wav","data":"*"}"#] {
            assert!(read_json(GenerationKind::Chat, bad).is_err());
        }
    }
}
