//! What can be made in the studio, from what, and how much of its feature it uses. Known to both sides: the
//! browser shows the cost while someone types, the server decides it.

use crate::domain::FeatureId;
use crate::domain::rates::estimate_speech_seconds;
use serde::{Deserialize, Serialize};

/// The longest prompt in characters.
pub const MAX_PROMPT_CHARS: usize = 2_000;
/// The length of a video where nothing else is said, in seconds.
pub const DEFAULT_VIDEO_SECONDS: u32 = 5;
/// The longest video that can be chosen on the page, in seconds; a rate may allow less.
pub const MAX_VIDEO_SECONDS: u32 = 10;

/// Something that can be made in the studio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StudioFeature {
    /// A picture from words.
    #[default]
    TextToImage,
    /// A picture from a picture.
    ImageToImage,
    /// A picture of twice the size.
    Upscale,
    /// Moving pictures from words.
    Video,
    /// A sound from words.
    Audio,
    /// A figure that speaks words.
    Lipsync,
    /// An answer to a message.
    Chat,
}

impl StudioFeature {
    /// All of them, in the order of the tabs.
    pub const ALL: [Self; 7] =
        [Self::TextToImage, Self::ImageToImage, Self::Upscale, Self::Video, Self::Audio, Self::Lipsync, Self::Chat];

    /// Its name in the catalogue, in addresses and in forms.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::TextToImage => "text-to-image",
            Self::ImageToImage => "image-to-image",
            Self::Upscale => "upscale",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Lipsync => "lipsync",
            Self::Chat => "chat-message",
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
            Self::ImageToImage => "Change",
            Self::Upscale => "Upscale",
            Self::Video => "Video",
            Self::Audio => "Audio",
            Self::Lipsync => "Lipsync",
            Self::Chat => "Chat",
        }
    }

    /// Whether it starts from a picture.
    pub const fn needs_picture(self) -> bool {
        match self {
            Self::ImageToImage | Self::Upscale => true,
            Self::TextToImage | Self::Video | Self::Audio | Self::Lipsync | Self::Chat => false,
        }
    }

    /// Whether it takes words; all but one cannot do without.
    pub const fn needs_words(self) -> bool {
        match self {
            Self::Upscale => false,
            Self::TextToImage | Self::ImageToImage | Self::Video | Self::Audio | Self::Lipsync | Self::Chat => true,
        }
    }

    /// How many units of its feature it uses, with these words and, where its length can be chosen, so many seconds.
    pub fn units(self, prompt: &str, seconds: Option<u32>) -> u32 {
        match self {
            Self::TextToImage | Self::ImageToImage | Self::Upscale | Self::Chat => 1,
            Self::Video | Self::Audio | Self::Lipsync => self.seconds(prompt, seconds),
        }
    }

    /// How long it lasts, in seconds: as chosen, else as long as it takes to say the words.
    pub fn seconds(self, prompt: &str, chosen: Option<u32>) -> u32 {
        match self {
            Self::Video => chosen.unwrap_or(DEFAULT_VIDEO_SECONDS),
            Self::Lipsync => chosen.unwrap_or_else(|| estimate_speech_seconds(prompt)),
            Self::Audio | Self::TextToImage | Self::ImageToImage | Self::Upscale | Self::Chat => {
                estimate_speech_seconds(prompt)
            }
        }
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

    #[test]
    fn what_lasts_is_counted_in_seconds_and_all_else_by_the_piece() {
        let words = "la ".repeat(60);
        assert_eq!(StudioFeature::Video.units(&words, None), DEFAULT_VIDEO_SECONDS);
        assert_eq!(StudioFeature::Video.units("sea", Some(9)), 9);
        assert_eq!(StudioFeature::Audio.units(&words, Some(99)), 12);
        assert_eq!(StudioFeature::Lipsync.units(&words, None), 12);
        assert_eq!(StudioFeature::Lipsync.units(&words, Some(20)), 20);
        assert_eq!(StudioFeature::ImageToImage.units(&words, Some(20)), 1);
    }
}
