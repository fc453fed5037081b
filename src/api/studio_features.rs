//! What can be made in the studio, and how much of its feature one prompt uses. Known to both sides: the
//! browser shows the cost while someone types, the server decides it.

use crate::domain::FeatureId;
use crate::domain::rates::estimate_speech_seconds;
use serde::{Deserialize, Serialize};

/// The longest prompt in characters.
pub const MAX_PROMPT_CHARS: usize = 2_000;

/// Something that can be made in the studio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StudioFeature {
    /// A picture from words.
    #[default]
    TextToImage,
    /// An answer to a message.
    Chat,
    /// A sound from words.
    Audio,
}

impl StudioFeature {
    /// All of them, in the order of the tabs.
    pub const ALL: [Self; 3] = [Self::TextToImage, Self::Chat, Self::Audio];

    /// Its name in the catalogue, in addresses and in forms.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::TextToImage => "text-to-image",
            Self::Chat => "chat-message",
            Self::Audio => "audio",
        }
    }

    /// Its name in the catalogue.
    pub fn id(self) -> FeatureId {
        // Proven by the test below: every slug is a feature's name.
        FeatureId::parse(self.slug()).unwrap_or_else(|| unreachable!("a slug is a feature's name"))
    }

    /// Takes what an address or a form names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.slug() == text)
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::TextToImage => "Image",
            Self::Chat => "Chat",
            Self::Audio => "Audio",
        }
    }

    /// How many units of its feature a prompt uses.
    pub fn units(self, prompt: &str) -> u32 {
        match self {
            Self::TextToImage | Self::Chat => 1,
            Self::Audio => self.seconds(prompt),
        }
    }

    /// How long the sound of a prompt is, in seconds.
    pub fn seconds(self, prompt: &str) -> u32 {
        estimate_speech_seconds(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_a_name_in_the_catalogue_and_is_found_by_it() {
        for feature in StudioFeature::ALL {
            assert_eq!(feature.id().as_str(), feature.slug());
            assert_eq!(StudioFeature::parse(feature.slug()), Some(feature));
        }
    }
}
