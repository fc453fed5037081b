//! The studio: what people make with their credits, and how long it is kept.

use super::metered::{Delivery, Job, Metered, Once};
use super::{Field, Problem, ServiceError, ServiceResult, Services};
use crate::api::studio_features::{MAX_PROMPT_CHARS, StudioFeature};
use crate::api::views::{CreationView, OfferView, StudioView};
use crate::domain::{AccountId, Credits, Timestamp};
use crate::server::config::Mode;
use crate::server::generators::picture::{self, MAX_PICTURE_PIXELS, MAX_UPSCALED_PIXELS, PictureError};
use crate::server::generators::{Generated, GenerationError, GenerationKind, GenerationRequest, longest};
use crate::server::random::{random_name, random_seed};
use crate::server::store::Creation;
use async_trait::async_trait;
use std::path::PathBuf;

/// Characters in the name of what was made: 160 bits, since whoever knows the name sees the thing.
const NAME_CHARS: usize = 32;
/// How long it is kept, in seconds: seven days.
const KEPT_SECONDS: i64 = 7 * 86_400;
/// How much longer a file without a row is left alone, in seconds: an hour.
const FORGOTTEN_SECONDS: u64 = 3_600;
/// How many the studio shows.
const SHOWN: u32 = 12;
/// Characters of a prompt in the history.
const SHOWN_PROMPT_CHARS: usize = 80;
/// How many old ones are removed in one go.
const REMOVED_AT_ONCE: u32 = 500;

/// What is to be made, from what.
#[derive(Clone, Debug)]
pub struct Wish {
    /// By which feature.
    pub feature: StudioFeature,
    /// In which words; empty for features that need none.
    pub prompt: String,
    /// How long, where that can be chosen.
    pub seconds: Option<u32>,
    /// From which picture.
    pub picture: Picture,
}

/// A picture to start from.
#[derive(Clone)]
pub enum Picture {
    /// None.
    Absent,
    /// One that was sent.
    Sent(Vec<u8>),
    /// One that was made before, by its name or its address.
    Earlier(String),
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Sent(bytes) => write!(f, "Sent({} bytes)", bytes.len()),
            Self::Earlier(name) => write!(f, "Earlier({name})"),
        }
    }
}

/// Where a file lies that someone made, and of which kind it is.
#[derive(Clone, Debug)]
pub struct MediaFile {
    /// On the disk.
    pub path: PathBuf,
    /// Its media type.
    pub content_type: String,
}

impl Services {
    /// What the studio shows to someone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_studio(&self, account: AccountId) -> ServiceResult<StudioView> {
        let creations = self.0.store.list_creations(account, self.0.clock.now(), SHOWN).await?;
        let catalogue = self.catalogue();
        let offer = |feature: StudioFeature| {
            let rate = catalogue.rate(&feature.id())?.clone();
            Some(OfferView { feature, rate, is_built_in: self.0.generator.is_built_in(kind_of(feature)) })
        };
        Ok(StudioView {
            offers: StudioFeature::ALL.into_iter().filter_map(offer).collect(),
            creations: creations.into_iter().map(CreationView::from).collect(),
            can_fail: self.0.mode == Mode::Development,
        })
    }

    /// Makes something and charges for it; a failure costs nothing. With a key, the same wish is charged once.
    ///
    /// # Errors
    /// Where the words or the picture do not fit, the credits do not reach, or the generation failed.
    pub async fn generate(
        &self,
        account: AccountId,
        wish: Wish,
        once: Once<CreationView>,
    ) -> ServiceResult<Delivery<CreationView>> {
        let feature = wish.feature;
        let prompt = parse_prompt(feature, &wish.prompt)?;
        let seconds = feature.seconds(&prompt, wish.seconds);
        if let Some(limit) = longest(kind_of(feature)).filter(|limit| seconds > *limit) {
            let why = format!("at most {limit} seconds are made at once");
            return Err(ServiceError::NoPrice { feature: feature.id(), why });
        }
        let picture = self.find_picture(account, feature, wish.picture).await?;
        let metered = Metered {
            account,
            feature: feature.id(),
            units: feature.units(&prompt, wish.seconds),
            description: describe(feature, &prompt),
        };
        let request = GenerationRequest { kind: kind_of(feature), seconds, prompt, picture, seed: random_seed() };
        self.run_metered(metered, StudioJob { services: self.clone(), account, feature, request }, once).await
    }

    /// The picture to start from, measured before anything is held or unpacked.
    async fn find_picture(
        &self,
        account: AccountId,
        feature: StudioFeature,
        picture: Picture,
    ) -> ServiceResult<Option<Vec<u8>>> {
        if !feature.needs_picture() {
            return Ok(None);
        }
        let bytes = match picture {
            Picture::Absent => return Err(ServiceError::invalid(Field::Picture, Problem::Missing)),
            Picture::Sent(bytes) => bytes,
            Picture::Earlier(name) => {
                let name = name.strip_prefix("/media/").unwrap_or(&name);
                let file = self.find_media(account, name).await.map_err(|error| match error {
                    ServiceError::NotFound => ServiceError::invalid(Field::Picture, Problem::Missing),
                    other => other,
                })?;
                tokio::fs::read(&file.path).await.map_err(|_| ServiceError::NotFound)?
            }
        };
        let most = if feature == StudioFeature::Upscale { MAX_UPSCALED_PIXELS } else { MAX_PICTURE_PIXELS };
        match picture::measure(&bytes, most) {
            Ok(_) => Ok(Some(bytes)),
            Err(PictureError::NotAPicture) => Err(ServiceError::invalid(Field::Picture, Problem::Malformed)),
            Err(PictureError::TooManyBytes | PictureError::TooManyPixels { .. }) => {
                Err(ServiceError::invalid(Field::Picture, Problem::TooLong))
            }
        }
    }

    /// The file first: a row without a file would be a broken picture.
    async fn keep(&self, creation: &Creation, generated: Generated) -> Result<(), KeepError> {
        if let Generated::File { bytes, .. } = generated {
            tokio::fs::create_dir_all(&self.0.media_dir).await?;
            tokio::fs::write(self.media_path(&creation.name), bytes).await?;
        }
        match self.0.store.add_creation(creation).await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.remove_file(&creation.name).await;
                Err(error.into())
            }
        }
    }

    fn media_path(&self, name: &str) -> PathBuf {
        self.0.media_dir.join(name)
    }

    /// A file that this account made.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where the name is not one of theirs, or its time is over.
    pub async fn find_media(&self, account: AccountId, name: &str) -> ServiceResult<MediaFile> {
        let file = self.find_any_media(name).await?;
        if file.0 == account { Ok(file.1) } else { Err(ServiceError::NotFound) }
    }

    /// A file that anyone made, and whose it is.
    ///
    /// # Errors
    /// As [`Services::find_media`].
    pub async fn find_any_media(&self, name: &str) -> ServiceResult<(AccountId, MediaFile)> {
        // Only names that the database knows reach the disk, so no path can be smuggled in.
        let found = self.0.store.find_creation(name, self.0.clock.now()).await?;
        let creation = found.filter(|creation| creation.answer.is_none()).ok_or(ServiceError::NotFound)?;
        let path = self.media_path(&creation.name);
        Ok((creation.account, MediaFile { path, content_type: creation.content_type }))
    }

    /// Removes what is older than seven days. Returns how many.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remove_old_creations(&self) -> ServiceResult<usize> {
        let mut count = 0;
        loop {
            let names = self.0.store.list_expired_creations(self.0.clock.now(), REMOVED_AT_ONCE).await?;
            if names.is_empty() {
                return Ok(count);
            }
            for name in &names {
                self.remove_file(name).await;
                self.0.store.remove_creation(name).await?;
            }
            count += names.len();
        }
    }

    /// Removes files that no row knows any more: a crash between the two leaves one.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub async fn remove_forgotten_files(&self) -> std::io::Result<usize> {
        let mut count = 0;
        let mut files = match tokio::fs::read_dir(&self.0.media_dir).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            files => files?,
        };
        while let Some(file) = files.next_entry().await? {
            let age = file.metadata().await?.modified()?.elapsed().unwrap_or_default();
            if age.as_secs() > KEPT_SECONDS.unsigned_abs() + FORGOTTEN_SECONDS {
                tokio::fs::remove_file(file.path()).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    async fn remove_file(&self, name: &str) {
        // It may have no file, or have lost it; then there is nothing to do.
        let _ = tokio::fs::remove_file(self.media_path(name)).await;
    }
}

/// Making something in the studio.
struct StudioJob {
    services: Services,
    account: AccountId,
    feature: StudioFeature,
    request: GenerationRequest,
}

#[async_trait]
impl Job for StudioJob {
    type Made = Generated;
    type Kept = CreationView;

    async fn make(&self) -> Result<Generated, String> {
        self.services.0.generator.generate(self.request.clone()).await.map_err(|error| reason_of(&error))
    }

    async fn keep(&self, made: Generated, cost: Credits) -> Result<CreationView, String> {
        let made_at = self.services.0.clock.now();
        let creation = new_creation(self, cost, made_at, &made);
        self.services.keep(&creation, made).await.map_err(|error| {
            tracing::error!(%error, "what was made could not be kept");
            "the result could not be kept".to_owned()
        })?;
        Ok(creation.into())
    }

    async fn discard(&self, kept: CreationView) {
        self.services.remove_file(&kept.name).await;
        if let Err(error) = self.services.0.store.remove_creation(&kept.name).await {
            tracing::error!(%error, "what could not be charged could not be removed");
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Row(#[from] crate::server::store::StoreError),
}

fn parse_prompt(feature: StudioFeature, text: &str) -> ServiceResult<String> {
    // A NUL is no text: PostgreSQL does not keep it.
    let text = text.replace('\0', "");
    let text = text.trim();
    match text.chars().count() {
        0 if feature.needs_words() => Err(ServiceError::invalid(Field::Prompt, Problem::Missing)),
        0..=MAX_PROMPT_CHARS => Ok(text.to_owned()),
        _ => Err(ServiceError::invalid(Field::Prompt, Problem::TooLong)),
    }
}

fn describe(feature: StudioFeature, prompt: &str) -> String {
    match prompt {
        "" => feature.title().to_owned(),
        words => format!("{}: {}", feature.title(), shorten(words)),
    }
}

fn shorten(prompt: &str) -> String {
    let line = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_PROMPT_CHARS) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

const fn kind_of(feature: StudioFeature) -> GenerationKind {
    match feature {
        StudioFeature::TextToImage => GenerationKind::TextToImage,
        StudioFeature::ImageToImage => GenerationKind::ImageToImage,
        StudioFeature::Upscale => GenerationKind::Upscale,
        StudioFeature::Video => GenerationKind::Video,
        StudioFeature::Audio => GenerationKind::Audio,
        StudioFeature::Lipsync => GenerationKind::Lipsync,
        StudioFeature::Chat => GenerationKind::Chat,
    }
}

/// What the history says of a failure.
fn reason_of(error: &GenerationError) -> String {
    match error {
        GenerationError::FailedOnPurpose => "it failed on purpose".to_owned(),
        GenerationError::TooLong { .. } => "the prompt is too long".to_owned(),
        GenerationError::DurationOutOfRange { .. } => "it would be too long".to_owned(),
        GenerationError::Picture(_) | GenerationError::NoPicture => "the picture could not be read".to_owned(),
        GenerationError::Encoding { .. } | GenerationError::Provider(_) => {
            tracing::error!(%error, "a generator failed");
            "the generator failed".to_owned()
        }
    }
}

fn new_creation(job: &StudioJob, credits_used: Credits, created_at: Timestamp, generated: &Generated) -> Creation {
    let name = random_name(NAME_CHARS);
    let (name, answer, content_type) = match generated {
        Generated::Text(text) => (name, Some(text.replace('\0', "")), "text/plain"),
        Generated::File { content_type, extension, .. } => (format!("{name}.{extension}"), None, *content_type),
    };
    Creation {
        name,
        account: job.account,
        feature: job.feature.id(),
        prompt: job.request.prompt.clone(),
        answer,
        content_type: content_type.to_owned(),
        credits_used,
        created_at,
        expires_at: created_at.plus_seconds(KEPT_SECONDS),
    }
}

impl From<Creation> for CreationView {
    fn from(creation: Creation) -> Self {
        let media_url = creation.answer.is_none().then(|| format!("/media/{}", creation.name));
        Self {
            name: creation.name,
            feature: creation.feature.to_string(),
            prompt: creation.prompt,
            answer: creation.answer,
            media_url,
            content_type: creation.content_type,
            credits_used: creation.credits_used,
            created_at: creation.created_at,
            expires_at: creation.expires_at,
        }
    }
}
