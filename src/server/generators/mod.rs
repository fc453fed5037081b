//! Generators: what makes the thing that a person spent credits on. A request comes in already paid
//! for; a text or a file goes out. Nothing here knows of accounts or prices.
//!
//! The built-in generators make a real thing on this machine, from the words, a picture where one is needed, and
//! a seed alone. They claim to be no more than that; a real provider takes their place by [`outside`], or by
//! implementing [`Generator`].

mod animation;
pub mod audio;
pub mod chat;
mod dice;
pub mod image;
mod lipsync;
pub mod outside;
pub mod picture;
mod transform;
mod upscale;
mod words;

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest prompt accepted, in characters: some seven pages of pasted text for the chat to summarise,
/// and little enough that every generator stays within its second.
pub const MAX_PROMPT_CHARACTERS: usize = 20_000;

/// Longest sound made, in seconds: ten minutes are 26 MB of samples, which one request may hold in memory.
pub const MAX_AUDIO_SECONDS: u32 = 600;

/// A prompt that holds this word fails. It lets anyone watch how a failed generation is given back,
/// without waiting for a provider to break.
pub const FAIL_ON_PURPOSE_WORD: &str = "/fail";

/// Makes one thing from one request.
#[async_trait::async_trait]
pub trait Generator: Send + Sync {
    /// Whether things of that kind are made by the generators that come with the program; people are told.
    fn is_built_in(&self, kind: GenerationKind) -> bool;

    /// Makes the thing that `request` asks for.
    ///
    /// # Errors
    /// [`GenerationError`] where nothing was made; the caller then owes the person the credits.
    async fn generate(&self, request: GenerationRequest) -> Result<Generated, GenerationError>;
}

/// What to make. Of the built-in generators, the same request makes the same thing, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct GenerationRequest {
    /// What comes out of it.
    pub kind: GenerationKind,
    /// What the person wrote, at most [`MAX_PROMPT_CHARACTERS`].
    pub prompt: String,
    /// Length of a sound or of moving pictures in seconds, at least 1; the other kinds ignore it.
    pub seconds: u32,
    /// The PNG or JPEG file to change or to enlarge, measured already; the other kinds ignore it.
    pub picture: Option<Vec<u8>>,
    /// Another seed makes another thing from the same words.
    pub seed: u64,
}

impl std::fmt::Debug for GenerationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let picture_bytes = self.picture.as_ref().map(Vec::len);
        f.debug_struct("GenerationRequest")
            .field("kind", &self.kind)
            .field("seconds", &self.seconds)
            .field("picture_bytes", &picture_bytes)
            .finish_non_exhaustive()
    }
}

/// The kinds of things that people can have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GenerationKind {
    /// A picture from a description.
    TextToImage,
    /// A picture from a picture.
    ImageToImage,
    /// A picture of twice the size.
    Upscale,
    /// An answer to a message.
    Chat,
    /// A sound from a text.
    Audio,
    /// Moving pictures from a description.
    Video,
    /// A figure that speaks a text.
    Lipsync,
}

/// The longest thing of a kind that is made, in seconds, where it has a length.
pub const fn longest(kind: GenerationKind) -> Option<u32> {
    match kind {
        GenerationKind::Audio => Some(MAX_AUDIO_SECONDS),
        GenerationKind::Video => Some(image::MAX_VIDEO_SECONDS),
        GenerationKind::Lipsync => Some(lipsync::MAX_SECONDS),
        GenerationKind::TextToImage | GenerationKind::ImageToImage | GenerationKind::Upscale | GenerationKind::Chat => {
            None
        }
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Generated {
    /// Plain text, to be shown as it is and escaped by whoever shows it.
    Text(String),
    /// A file, whole in memory.
    File {
        /// Media type, for the `Content-Type` of the answer.
        content_type: &'static str,
        /// Ending of the file name, without the dot.
        extension: &'static str,
        /// Its content.
        bytes: Vec<u8>,
    },
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// The person asked for a failure, see [`FAIL_ON_PURPOSE_WORD`].
    #[error("the prompt holds {FAIL_ON_PURPOSE_WORD}, so the generation failed on purpose")]
    FailedOnPurpose,
    /// More text than the generator was built for.
    #[error("the prompt has {characters} characters; at most {limit} are accepted")]
    TooLong {
        /// Length of the prompt.
        characters: usize,
        /// Greatest length accepted.
        limit: usize,
    },
    /// No length at all, or more than the machine has room for.
    #[error("this lasts 1 to {limit} seconds, not {seconds}")]
    DurationOutOfRange {
        /// Length asked for.
        seconds: u32,
        /// Greatest length accepted.
        limit: u32,
    },
    /// The picture to start from is none, or too large.
    #[error(transparent)]
    Picture(#[from] picture::PictureError),
    /// There is no picture to start from.
    #[error("a picture is needed")]
    NoPicture,
    /// The thing was made but could not be written down in its file format.
    #[error("could not encode the {format}")]
    Encoding {
        /// Name of the file format.
        format: &'static str,
        /// What its encoder said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The generator broke off: a crashed worker here, a refusing or unreachable service elsewhere.
    #[error("the provider failed")]
    Provider(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The generators that come with the program.
#[derive(Debug, Clone)]
pub struct BuiltInGenerators {
    turns: Arc<Semaphore>,
    fails_on_purpose: bool,
}

impl BuiltInGenerators {
    /// Works on so many requests at the same time, and fails on purpose where that is wanted.
    pub fn new(cores: usize, fails_on_purpose: bool) -> Self {
        Self { turns: Arc::new(Semaphore::new(cores.max(1))), fails_on_purpose }
    }

    /// Waits for a turn that the work then keeps: a caller that hangs up does not make room for another.
    async fn take_turn(&self) -> Result<OwnedSemaphorePermit, GenerationError> {
        let turn = self.turns.clone().acquire_owned().await;
        turn.map_err(|closed| GenerationError::Provider(Box::new(closed)))
    }
}

#[async_trait::async_trait]
impl Generator for BuiltInGenerators {
    fn is_built_in(&self, _kind: GenerationKind) -> bool {
        true
    }

    async fn generate(&self, request: GenerationRequest) -> Result<Generated, GenerationError> {
        self.check(&request)?;
        let turn = self.take_turn().await?;
        // Painting takes a good part of a second of pure arithmetic, which would hold up every other
        // request on this thread.
        let work = move || {
            let made = make(&request);
            drop(turn);
            made
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(made) => made,
            Err(broken_off) => Err(GenerationError::Provider(Box::new(broken_off))),
        }
    }
}

impl BuiltInGenerators {
    /// Refuses what the generators were not built for.
    fn check(&self, request: &GenerationRequest) -> Result<(), GenerationError> {
        let characters = request.prompt.chars().count();
        if characters > MAX_PROMPT_CHARACTERS {
            return Err(GenerationError::TooLong { characters, limit: MAX_PROMPT_CHARACTERS });
        }
        let mut words = request.prompt.split_whitespace();
        if self.fails_on_purpose && words.any(|word| word == FAIL_ON_PURPOSE_WORD) {
            return Err(GenerationError::FailedOnPurpose);
        }
        Ok(())
    }
}

fn make(request: &GenerationRequest) -> Result<Generated, GenerationError> {
    let (prompt, seconds, seed) = (request.prompt.as_str(), request.seconds, request.seed);
    let picture = || request.picture.as_deref().ok_or(GenerationError::NoPicture);
    match request.kind {
        GenerationKind::TextToImage => Ok(file("image/png", "png", image::paint(prompt, seed)?)),
        GenerationKind::ImageToImage => Ok(file("image/png", "png", transform::change(picture()?, prompt, seed)?)),
        GenerationKind::Upscale => {
            let large = upscale::enlarge(picture()?)?;
            let (content_type, extension) = if large.is_jpeg { ("image/jpeg", "jpg") } else { ("image/png", "png") };
            Ok(file(content_type, extension, large.bytes))
        }
        GenerationKind::Chat => Ok(Generated::Text(chat::answer(prompt, seed))),
        GenerationKind::Audio => Ok(file("audio/wav", "wav", audio::speak(prompt, seconds, seed)?)),
        GenerationKind::Video => Ok(file("image/apng", "png", image::film(prompt, seconds, seed)?)),
        GenerationKind::Lipsync => Ok(file("image/apng", "png", lipsync::speak(prompt, seconds, seed)?)),
    }
}

fn file(content_type: &'static str, extension: &'static str, bytes: Vec<u8>) -> Generated {
    Generated::File { content_type, extension, bytes }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    fn request(kind: GenerationKind, prompt: &str) -> GenerationRequest {
        GenerationRequest { kind, prompt: prompt.to_owned(), seconds: 2, seed: 7, picture: None }
    }

    async fn generate(kind: GenerationKind, prompt: &str) -> Result<Generated, GenerationError> {
        BuiltInGenerators::new(2, true).generate(request(kind, prompt)).await
    }

    #[tokio::test]
    async fn an_image_request_makes_a_png_file() {
        let made = generate(GenerationKind::TextToImage, "a quiet sea").await;
        let Ok(Generated::File { content_type, extension, bytes }) = made else {
            panic!("expected a file, got {made:?}");
        };
        assert_eq!((content_type, extension), ("image/png", "png"));
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    }

    #[tokio::test]
    async fn an_audio_request_makes_a_wav_file_of_the_length_asked_for() {
        let made = generate(GenerationKind::Audio, "hello there").await;
        let Ok(Generated::File { content_type, extension, bytes }) = made else {
            panic!("expected a file, got {made:?}");
        };
        assert_eq!((content_type, extension), ("audio/wav", "wav"));
        assert_eq!(bytes.len(), 44 + 2 * 2 * 22_050);
    }

    #[tokio::test]
    async fn a_chat_request_makes_a_text() {
        let made = generate(GenerationKind::Chat, "what is 6 * 7?").await;
        assert!(matches!(&made, Ok(Generated::Text(text)) if text.contains("42")));
    }

    #[tokio::test]
    async fn what_starts_from_a_picture_needs_one() {
        for kind in [GenerationKind::ImageToImage, GenerationKind::Upscale] {
            assert!(matches!(generate(kind, "blue").await, Err(GenerationError::NoPicture)));
        }
    }

    #[tokio::test]
    async fn the_word_fail_fails_on_purpose_for_every_kind() {
        let kinds = [
            GenerationKind::TextToImage,
            GenerationKind::ImageToImage,
            GenerationKind::Upscale,
            GenerationKind::Chat,
            GenerationKind::Audio,
            GenerationKind::Video,
            GenerationKind::Lipsync,
        ];
        for kind in kinds {
            let made = generate(kind, "please /fail now").await;
            assert!(matches!(made, Err(GenerationError::FailedOnPurpose)));
        }
    }

    #[tokio::test]
    async fn a_word_that_only_contains_fail_does_not_fail() {
        let made = generate(GenerationKind::Chat, "docs/failures /failing").await;
        assert!(made.is_ok());
    }

    #[tokio::test]
    async fn the_longest_prompt_is_accepted_and_one_character_more_is_refused() {
        let longest = "é".repeat(MAX_PROMPT_CHARACTERS);
        assert!(generate(GenerationKind::Chat, &longest).await.is_ok());
        let refused = generate(GenerationKind::Chat, &format!("{longest}é")).await;
        assert!(
            matches!(refused, Err(GenerationError::TooLong { characters, .. }) if characters == MAX_PROMPT_CHARACTERS + 1)
        );
    }
}
