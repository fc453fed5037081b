//! The studio: what people make with their credits, and how long it is kept.

use super::metered::{Job, Metered};
use super::{Field, Problem, ServiceError, ServiceResult, Services};
use crate::api::studio_features::{MAX_PROMPT_CHARS, StudioFeature};
use crate::api::views::{CreationView, MadeView, StudioView};
use crate::domain::{AccountId, Credits, Timestamp};
use crate::server::config::Mode;
use crate::server::generators::{Generated, GenerationError, GenerationKind, GenerationRequest};
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

impl Services {
    /// What the studio shows to someone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read_studio(&self, account: AccountId) -> ServiceResult<StudioView> {
        let creations = self.0.store.list_creations(account, self.0.clock.now(), SHOWN).await?;
        let catalogue = self.catalogue();
        let rates = StudioFeature::ALL.into_iter().filter_map(|feature| catalogue.rate(&feature.id()));
        Ok(StudioView {
            rates: rates.cloned().collect(),
            creations: creations.into_iter().map(view).collect(),
            can_fail: self.0.mode == Mode::Development,
            provider_name: self.0.generator.provider_name().to_owned(),
        })
    }

    /// Makes something and charges for it; a failure costs nothing.
    ///
    /// # Errors
    /// Where the prompt does not fit, the credits do not reach, or the generation failed.
    pub async fn generate(&self, account: AccountId, feature: StudioFeature, prompt: &str) -> ServiceResult<MadeView> {
        let prompt = parse_prompt(prompt)?;
        let metered = Metered {
            account,
            feature: feature.id(),
            units: feature.units(&prompt),
            description: format!("{}: {}", feature.title(), shorten(&prompt)),
        };
        let job = StudioJob { services: self.clone(), account, feature, prompt };
        let delivered = self.run_metered(metered, job).await?;
        Ok(MadeView { creation: view(delivered.result), balance: delivered.balance })
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

    /// A file that was made, with its media type.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where the name is not one of ours, or its time is over.
    pub async fn read_media(&self, name: &str) -> ServiceResult<(String, Vec<u8>)> {
        // Only names that the database knows reach the disk, so no path can be smuggled in.
        let found = self.0.store.find_creation(name, self.0.clock.now()).await?;
        let creation = found.filter(|creation| creation.answer.is_none()).ok_or(ServiceError::NotFound)?;
        let bytes = tokio::fs::read(self.media_path(&creation.name)).await.map_err(|_| ServiceError::NotFound)?;
        Ok((creation.content_type, bytes))
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
    prompt: String,
}

#[async_trait]
impl Job for StudioJob {
    type Made = Generated;
    type Kept = Creation;

    async fn make(&self) -> Result<Generated, String> {
        let request = GenerationRequest {
            kind: kind_of(self.feature),
            seconds: self.feature.seconds(&self.prompt),
            prompt: self.prompt.clone(),
            seed: random_seed(),
        };
        self.services.0.generator.generate(request).await.map_err(|error| reason_of(&error))
    }

    async fn keep(&self, made: Generated, cost: Credits) -> Result<Creation, String> {
        let made_at = self.services.0.clock.now();
        let creation = new_creation(self.account, self.feature, self.prompt.clone(), cost, made_at, &made);
        self.services.keep(&creation, made).await.map_err(|error| {
            tracing::error!(%error, "what was made could not be kept");
            "the result could not be kept".to_owned()
        })?;
        Ok(creation)
    }

    async fn discard(&self, kept: Creation) {
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

fn parse_prompt(text: &str) -> ServiceResult<String> {
    // A NUL is no text: PostgreSQL does not keep it.
    let text = text.replace('\0', "");
    let text = text.trim();
    match text.chars().count() {
        0 => Err(ServiceError::invalid(Field::Prompt, Problem::Missing)),
        1..=MAX_PROMPT_CHARS => Ok(text.to_owned()),
        _ => Err(ServiceError::invalid(Field::Prompt, Problem::TooLong)),
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
        StudioFeature::Chat => GenerationKind::Chat,
        StudioFeature::Audio => GenerationKind::Audio,
    }
}

/// What the history says of a failure.
fn reason_of(error: &GenerationError) -> String {
    match error {
        GenerationError::FailedOnPurpose => "it failed on purpose".to_owned(),
        GenerationError::TooLong { .. } => "the prompt is too long".to_owned(),
        GenerationError::DurationOutOfRange { .. } => "the sound would be too long".to_owned(),
        GenerationError::Encoding { .. } | GenerationError::Provider(_) => {
            tracing::error!(%error, "a generator failed");
            "the generator failed".to_owned()
        }
    }
}

fn new_creation(
    account: AccountId,
    feature: StudioFeature,
    prompt: String,
    credits_used: Credits,
    created_at: Timestamp,
    generated: &Generated,
) -> Creation {
    let name = random_name(NAME_CHARS);
    let (name, answer, content_type) = match generated {
        Generated::Text(text) => (name, Some(text.clone()), "text/plain"),
        Generated::File { content_type, extension, .. } => (format!("{name}.{extension}"), None, *content_type),
    };
    Creation {
        name,
        account,
        feature: feature.id(),
        prompt,
        answer,
        content_type: content_type.to_owned(),
        credits_used,
        created_at,
        expires_at: created_at.plus_seconds(KEPT_SECONDS),
    }
}

fn view(creation: Creation) -> CreationView {
    let media_url = creation.answer.is_none().then(|| format!("/media/{}", creation.name));
    CreationView {
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
