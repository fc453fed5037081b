//! Upscale: twice as wide and twice as high, resampled with care and sharpened a little. It invents no detail
//! that was not there.

use super::GenerationError;
use super::picture::{self, MAX_UPSCALED_PIXELS};
use image::imageops::FilterType;

/// How far the sharpening reaches, in pixels, and which differences it leaves alone: those of noise.
const SHARPEN_REACH: f32 = 0.9;
const SHARPEN_THRESHOLD: i32 = 2;

/// A picture of twice the size, in the format that it came in, with its file ending.
pub struct Enlarged {
    /// The file.
    pub bytes: Vec<u8>,
    /// Whether it is a JPEG; a PNG otherwise.
    pub is_jpeg: bool,
}

/// Enlarges a PNG or JPEG picture twofold.
///
/// # Errors
/// [`GenerationError::Picture`] where it cannot be read, or has more than [`MAX_UPSCALED_PIXELS`].
pub fn enlarge(bytes: &[u8]) -> Result<Enlarged, GenerationError> {
    let is_jpeg = picture::measure(bytes, MAX_UPSCALED_PIXELS)?.is_jpeg;
    let small = picture::decode(bytes, MAX_UPSCALED_PIXELS)?;
    let large = small.resize_exact(small.width() * 2, small.height() * 2, FilterType::Lanczos3);
    let sharp = large.unsharpen(SHARPEN_REACH, SHARPEN_THRESHOLD);
    let bytes = if is_jpeg { picture::to_jpeg(&sharp)? } else { picture::to_png(&sharp)? };
    Ok(Enlarged { bytes, is_jpeg })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::picture::tests::{hollow, sample};
    use super::super::picture::{MAX_PICTURE_PIXELS, PictureError, decode, to_jpeg, to_png};
    use super::*;

    #[test]
    fn a_picture_comes_back_twice_as_wide_and_high_in_its_own_format() {
        let small = sample(50, 31);
        let png = enlarge(&to_png(&small).unwrap()).unwrap();
        let jpeg = enlarge(&to_jpeg(&small).unwrap()).unwrap();
        assert!(png.bytes.starts_with(b"\x89PNG") && !png.is_jpeg);
        assert!(jpeg.bytes.starts_with(b"\xFF\xD8\xFF") && jpeg.is_jpeg);
        for file in [png.bytes, jpeg.bytes] {
            let large = decode(&file, MAX_PICTURE_PIXELS).unwrap();
            assert_eq!((large.width(), large.height()), (100, 62));
        }
    }

    #[test]
    fn it_is_the_same_picture_and_its_edges_are_sharper_than_plain_resampling() {
        let small = sample(60, 60);
        let large = decode(&enlarge(&to_png(&small).unwrap()).unwrap().bytes, MAX_PICTURE_PIXELS).unwrap();
        let back = large.resize_exact(60, 60, FilterType::Triangle).to_rgba8();
        let away = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        let difference = away(back.as_raw(), small.as_bytes()) / back.len() as u64;
        assert!(difference < 4, "{difference} per value");

        // The steepest step across the edge in the middle.
        let steepest = |picture: &image::DynamicImage| {
            let grey = picture.to_luma8();
            (50..70).map(|x| grey.get_pixel(x + 1, 100).0[0].abs_diff(grey.get_pixel(x, 100).0[0])).max()
        };
        let plain = small.resize_exact(120, 120, FilterType::Triangle);
        assert!(steepest(&large) > steepest(&plain), "{:?} {:?}", steepest(&large), steepest(&plain));
    }

    #[test]
    fn a_picture_that_would_become_too_large_is_refused() {
        let refused = enlarge(&hollow(2_001, 2_000));
        assert!(matches!(refused, Err(GenerationError::Picture(PictureError::TooManyPixels { .. }))));
    }
}
