//! Pictures that people send: what they are is read from their first bytes, and whether there is room for
//! them is decided before anything of them is unpacked.

use super::GenerationError;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// The largest file taken, in bytes: a photograph of a phone fits.
pub const MAX_PICTURE_BYTES: usize = 6 * 1024 * 1024;
/// The most pixels of a picture that is transformed: 16 megapixels, 128 MB in memory at the deepest.
pub const MAX_PICTURE_PIXELS: u64 = 16_000_000;
/// The most pixels of a picture that is enlarged: four times as many come out.
pub const MAX_UPSCALED_PIXELS: u64 = 4_000_000;
/// The longest side, in pixels.
const MAX_SIDE: u32 = 10_000;
/// What reading one picture may set aside, in bytes.
const MAX_READING_BYTES: u64 = 256 * 1024 * 1024;
/// How well a photograph is kept, 1 to 100.
const JPEG_QUALITY: u8 = 90;

/// Why a picture is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Neither PNG nor JPEG, or a broken one.
    #[error("this is no PNG or JPEG picture")]
    NotAPicture,
    /// More bytes than are taken.
    #[error("a picture has at most {MAX_PICTURE_BYTES} bytes")]
    TooManyBytes,
    /// More pixels than there is room for.
    #[error("a picture has at most {limit} pixels here")]
    TooManyPixels {
        /// How many there may be.
        limit: u64,
    },
}

/// What the first bytes of a picture tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measures {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whether it is a JPEG: a photograph, most likely.
    pub is_jpeg: bool,
}

/// Reads the measures of a picture, without unpacking it.
///
/// # Errors
/// [`PictureError`] where it is none, or has more than `max_pixels`.
pub fn measure(bytes: &[u8], max_pixels: u64) -> Result<Measures, PictureError> {
    if bytes.len() > MAX_PICTURE_BYTES {
        return Err(PictureError::TooManyBytes);
    }
    let reader = open(bytes)?;
    let is_jpeg = reader.format() == Some(ImageFormat::Jpeg);
    let (width, height) = reader.into_dimensions().map_err(|_| PictureError::NotAPicture)?;
    if width == 0 || height == 0 {
        return Err(PictureError::NotAPicture);
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > max_pixels {
        return Err(PictureError::TooManyPixels { limit: max_pixels });
    }
    Ok(Measures { width, height, is_jpeg })
}

fn open(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, PictureError> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| PictureError::NotAPicture)?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg) => Ok(reader),
        _ => Err(PictureError::NotAPicture),
    }
}

/// Unpacks a picture, the right way up, with eight bits for each of red, green, blue and opacity.
///
/// # Errors
/// As [`measure`]; [`GenerationError::Picture`] too where it breaks off.
pub fn decode(bytes: &[u8], max_pixels: u64) -> Result<DynamicImage, GenerationError> {
    measure(bytes, max_pixels)?;
    let broken = |_| GenerationError::Picture(PictureError::NotAPicture);
    let mut reader = open(bytes)?;
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_READING_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(DynamicImage::ImageRgba8(picture.into_rgba8()))
}

/// The picture as a PNG file; opaque ones without opacity.
///
/// # Errors
/// [`GenerationError::Encoding`] where it cannot be written.
pub fn to_png(picture: &DynamicImage) -> Result<Vec<u8>, GenerationError> {
    let is_opaque = picture.as_bytes().chunks_exact(4).all(|pixel| pixel[3] == u8::MAX);
    let (colour, bytes) = match is_opaque {
        true => (png::ColorType::Rgb, picture.to_rgb8().into_raw()),
        false => (png::ColorType::Rgba, picture.to_rgba8().into_raw()),
    };
    let mut file = Vec::new();
    let written = (|| {
        let mut encoder = png::Encoder::new(&mut file, picture.width(), picture.height());
        encoder.set_color(colour);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_deflate_compression(png::DeflateCompression::Level(2));
        encoder.set_filter(png::Filter::Adaptive);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bytes)?;
        writer.finish()
    })();
    written
        .map_err(|cause: png::EncodingError| GenerationError::Encoding { format: "PNG", source: Box::new(cause) })?;
    Ok(file)
}

/// The picture as a JPEG file.
///
/// # Errors
/// [`GenerationError::Encoding`] where it cannot be written.
pub fn to_jpeg(picture: &DynamicImage) -> Result<Vec<u8>, GenerationError> {
    let mut file = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
    let opaque = DynamicImage::ImageRgb8(picture.to_rgb8());
    let written = opaque.write_with_encoder(encoder);
    written.map_err(|cause| GenerationError::Encoding { format: "JPEG", source: Box::new(cause) })?;
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    /// A picture with a shape in it: dark on the left, bright on the right, a red corner.
    pub fn sample(width: u32, height: u32) -> DynamicImage {
        let colour = |x: u32, y: u32| match (x < width / 4 && y < height / 4, x < width / 2) {
            (true, _) => image::Rgba([220, 30, 30, 255]),
            (false, true) => image::Rgba([40, 50, 70, 255]),
            (false, false) => image::Rgba([230, 225, 210, 255]),
        };
        DynamicImage::ImageRgba8(image::RgbaImage::from_fn(width, height, colour))
    }

    /// A PNG that says it is `width` by `height`, and holds nothing of it.
    pub fn hollow(width: u32, height: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let encoder = png::Encoder::new(&mut file, width, height);
        // The beginning of its pixels, and no more: what a header promises is believed up to here.
        encoder.write_header().unwrap().write_chunk(png::chunk::IDAT, b"\x78\x9c").unwrap();
        file
    }

    #[test]
    fn what_is_written_is_read_again() {
        let picture = sample(40, 30);
        let png = to_png(&picture).unwrap();
        assert_eq!(decode(&png, MAX_PICTURE_PIXELS).unwrap(), picture);
        let jpeg = to_jpeg(&picture).unwrap();
        let measures = measure(&jpeg, MAX_PICTURE_PIXELS).unwrap();
        assert_eq!(measures, Measures { width: 40, height: 30, is_jpeg: true });
        assert_eq!(decode(&jpeg, MAX_PICTURE_PIXELS).unwrap().width(), 40);
    }

    #[test]
    fn opacity_is_kept() {
        let clear = DynamicImage::ImageRgba8(image::RgbaImage::from_pixel(3, 3, image::Rgba([9, 8, 7, 60])));
        assert_eq!(decode(&to_png(&clear).unwrap(), 9).unwrap(), clear);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bytes in [&b""[..], b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n"] {
            assert_eq!(measure(bytes, 100), Err(PictureError::NotAPicture));
        }
        let png = to_png(&sample(64, 64)).unwrap();
        let broken = decode(&png[..png.len() / 2], MAX_PICTURE_PIXELS);
        assert!(matches!(broken, Err(GenerationError::Picture(PictureError::NotAPicture))), "{broken:?}");
    }

    #[test]
    fn a_small_file_that_would_unpack_to_a_huge_picture_is_refused_unopened() {
        let bomb = hollow(60_000, 60_000);
        assert!(bomb.len() < 200);
        let too_many = PictureError::TooManyPixels { limit: MAX_PICTURE_PIXELS };
        assert_eq!(measure(&bomb, MAX_PICTURE_PIXELS), Err(too_many));
        assert!(matches!(decode(&bomb, MAX_PICTURE_PIXELS), Err(GenerationError::Picture(error)) if error == too_many));
    }

    #[test]
    fn the_limits_are_exact() {
        assert!(measure(&hollow(10, 10), 100).is_ok());
        assert_eq!(measure(&hollow(11, 10), 100), Err(PictureError::TooManyPixels { limit: 100 }));
        assert_eq!(measure(&vec![0; MAX_PICTURE_BYTES + 1], 100), Err(PictureError::TooManyBytes));
    }
}
