//! Image-to-image: changes a picture as the words ask. It knows a list of changes, from a pencil sketch to a
//! mirror, and colours pictures in the palettes of the painter; it does not understand what a picture shows.

use super::GenerationError;
use super::dice::Dice;
use super::image::palette_of;
use super::picture::{self, MAX_PICTURE_PIXELS};
use super::words::{is_form_of, words};
use image::DynamicImage;
use image::imageops::FilterType;

/// The longest side of what comes out, in pixels; larger pictures are made smaller first.
pub const MAX_OUT_SIDE: u32 = 1_024;
/// How much of a palette's colour a picture takes on, 0 to 1.
const TONING: f32 = 0.62;

/// Something that can be done to a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Sketch,
    Blur,
    Sharpen,
    Mirror,
    UpsideDown,
    TurnRight,
    TurnLeft,
    Grey,
    Sepia,
    Negative,
    Poster,
    Painting,
    Mosaic,
    Lighter,
    Darker,
    Contrast,
    Frame,
}

/// Which words ask for what. The order of the words in the prompt is the order of the changes.
const ASKED: &[(&[&str], Change)] = &[
    (&["sketch", "pencil", "drawing", "drawn", "draw", "outline", "outlines", "engraving", "ink"], Change::Sketch),
    (&["blur", "blurry", "blurred", "soft", "softer", "dreamy", "haze", "hazy"], Change::Blur),
    (&["sharp", "sharper", "sharpen", "crisp", "crisper", "clear", "clearer"], Change::Sharpen),
    (&["mirror", "mirrored", "flip", "flipped"], Change::Mirror),
    (&["upside", "inverted", "headstand"], Change::UpsideDown),
    (&["rotate", "rotated", "turn", "turned", "clockwise", "sideways"], Change::TurnRight),
    (&["anticlockwise", "counterclockwise"], Change::TurnLeft),
    (&["grey", "gray", "greyscale", "grayscale", "monochrome", "noir", "colourless", "colorless"], Change::Grey),
    (&["sepia", "vintage", "old", "antique", "nostalgic", "retro"], Change::Sepia),
    (&["negative", "invert", "inverse", "xray"], Change::Negative),
    (&["poster", "posterize", "posterise", "comic", "cartoon", "pop", "flat"], Change::Poster),
    (&["painting", "painted", "paint", "oil", "watercolor", "watercolour", "impressionist"], Change::Painting),
    (&["pixel", "pixelate", "pixelated", "mosaic", "tile", "tiles", "retro-game", "blocks"], Change::Mosaic),
    (&["bright", "brighter", "light", "lighter", "lighten"], Change::Lighter),
    (&["dark", "darker", "darken", "dim", "gloomy"], Change::Darker),
    (&["contrast", "dramatic", "bold", "vivid", "stronger"], Change::Contrast),
    (&["frame", "framed", "border", "polaroid"], Change::Frame),
];

/// Changes a PNG or JPEG picture as `prompt` asks; the result is a PNG. Where the words name neither a change nor
/// a colour, the picture is toned in colours that are drawn from them.
///
/// # Errors
/// [`GenerationError::Picture`] where it cannot be read, or has more than [`MAX_PICTURE_PIXELS`].
pub fn change(bytes: &[u8], prompt: &str, seed: u64) -> Result<Vec<u8>, GenerationError> {
    let mut picture = picture::decode(bytes, MAX_PICTURE_PIXELS)?;
    if picture.width().max(picture.height()) > MAX_OUT_SIDE {
        picture = picture.resize(MAX_OUT_SIDE, MAX_OUT_SIDE, FilterType::Triangle);
    }
    let spoken: Vec<String> = words(prompt).collect();
    let changes = asked_in(&spoken);
    let (colours, named) = palette_of(&spoken, &mut Dice::for_text(prompt, seed));
    for change in &changes {
        picture = apply(picture, *change);
    }
    if named || changes.is_empty() {
        tone(&mut picture, &colours);
    }
    picture::to_png(&picture)
}

/// The changes that the words ask for, each once, in their order.
fn asked_in(spoken: &[String]) -> Vec<Change> {
    let mut changes = Vec::new();
    for word in spoken {
        let found = ASKED.iter().find(|(keywords, _)| keywords.iter().any(|keyword| is_form_of(word, keyword)));
        if let Some((_, change)) = found
            && !changes.contains(change)
        {
            changes.push(*change);
        }
    }
    changes
}

fn apply(picture: DynamicImage, change: Change) -> DynamicImage {
    match change {
        Change::Sketch => sketch(&picture),
        Change::Blur => picture.fast_blur(picture.width().max(picture.height()) as f32 / 160.0 + 1.0),
        Change::Sharpen => picture.unsharpen(2.0, 3),
        Change::Mirror => picture.fliph(),
        Change::UpsideDown => picture.rotate180(),
        Change::TurnRight => picture.rotate90(),
        Change::TurnLeft => picture.rotate270(),
        Change::Grey => each_pixel(picture, |[red, green, blue]| [grey_of(red, green, blue); 3]),
        Change::Sepia => each_pixel(picture, |[red, green, blue]| {
            let grey = f32::from(grey_of(red, green, blue));
            [byte(grey * 1.07 + 12.0), byte(grey * 0.92 + 8.0), byte(grey * 0.72 + 4.0)]
        }),
        Change::Negative => each_pixel(picture, |pixel| pixel.map(|part| 255 - part)),
        Change::Poster => each_pixel(picture.unsharpen(1.5, 2), |pixel| pixel.map(|part| stepped(part, 4))),
        Change::Painting => {
            let soft = picture.fast_blur(picture.width().max(picture.height()) as f32 / 220.0 + 0.6);
            each_pixel(soft, |pixel| pixel.map(|part| stepped(part, 9))).unsharpen(3.0, 1)
        }
        Change::Mosaic => mosaic(&picture),
        Change::Lighter => each_pixel(picture, |pixel| pixel.map(|part| byte(255.0 * unit(part).powf(0.7)))),
        Change::Darker => each_pixel(picture, |pixel| pixel.map(|part| byte(255.0 * unit(part).powf(1.5)))),
        Change::Contrast => {
            each_pixel(picture, |pixel| pixel.map(|part| byte((f32::from(part) - 128.0) * 1.45 + 128.0)))
        }
        Change::Frame => frame(&picture),
    }
}

fn byte(value: f32) -> u8 {
    // Clamped, so nothing is cut off.
    value.clamp(0.0, 255.0) as u8
}

fn unit(part: u8) -> f32 {
    f32::from(part) / 255.0
}

/// By how bright the eye finds each colour (Rec. 601).
fn grey_of(red: u8, green: u8, blue: u8) -> u8 {
    byte(0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue))
}

/// The nearest of so many even steps.
fn stepped(part: u8, steps: u8) -> u8 {
    let last = f32::from(steps - 1);
    byte((unit(part) * last).round() / last * 255.0)
}

/// Changes the colour of every pixel, and leaves its opacity.
fn each_pixel(picture: DynamicImage, colour: impl Fn([u8; 3]) -> [u8; 3]) -> DynamicImage {
    let mut pixels = picture.into_rgba8();
    for pixel in pixels.as_mut().chunks_exact_mut(4) {
        let changed = colour([pixel[0], pixel[1], pixel[2]]);
        pixel[..3].copy_from_slice(&changed);
    }
    DynamicImage::ImageRgba8(pixels)
}

/// Pencil on paper: what is as bright as its surroundings becomes paper, edges become lines (colour dodge).
fn sketch(picture: &DynamicImage) -> DynamicImage {
    let reach = picture.width().max(picture.height()) as f32 / 130.0 + 1.5;
    let around = picture.fast_blur(reach).into_rgba8();
    let mut pixels = picture.to_rgba8();
    for (pixel, near) in pixels.as_mut().chunks_exact_mut(4).zip(around.as_raw().chunks_exact(4)) {
        let own = f32::from(grey_of(pixel[0], pixel[1], pixel[2]));
        let other = f32::from(grey_of(near[0], near[1], near[2]));
        let line = (own * 255.0 / other.max(1.0)).min(255.0) / 255.0;
        let dark = line.powf(2.2);
        let paper = [250.0, 246.0, 236.0];
        for (part, paper) in pixel.iter_mut().zip(paper) {
            *part = byte(paper * dark + 30.0 * (1.0 - dark));
        }
    }
    DynamicImage::ImageRgba8(pixels)
}

fn mosaic(picture: &DynamicImage) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let tile = (width.max(height) / 48).max(4);
    let small = picture.resize_exact((width / tile).max(1), (height / tile).max(1), FilterType::Triangle);
    small.resize_exact(width, height, FilterType::Nearest)
}

/// A white border, wider below, as around an instant photograph.
fn frame(picture: &DynamicImage) -> DynamicImage {
    let edge = picture.width().max(picture.height()) / 16 + 2;
    let size = (picture.width() + 2 * edge, picture.height() + 4 * edge);
    let mut sheet = image::RgbaImage::from_pixel(size.0, size.1, image::Rgba([250, 247, 240, 255]));
    image::imageops::overlay(&mut sheet, &picture.to_rgba8(), i64::from(edge), i64::from(edge));
    DynamicImage::ImageRgba8(sheet)
}

/// Draws a picture towards a run of colours, dark to bright, by how bright each pixel is.
fn tone(picture: &mut DynamicImage, colours: &[[u8; 3]]) {
    let last = colours.len().saturating_sub(1).max(1) as f32;
    let shades: Vec<[f32; 3]> = (0..=255_u8)
        .map(|grey| {
            let place = unit(grey) * last;
            let (low, part) = (place.floor() as usize, place.fract());
            let (from, to) = (colours[low.min(colours.len() - 1)], colours[(low + 1).min(colours.len() - 1)]);
            std::array::from_fn(|index| f32::from(from[index]) * (1.0 - part) + f32::from(to[index]) * part)
        })
        .collect();
    let plain = std::mem::take(picture);
    *picture = each_pixel(plain, |pixel| {
        let shade = shades[usize::from(grey_of(pixel[0], pixel[1], pixel[2]))];
        std::array::from_fn(|index| byte(f32::from(pixel[index]) * (1.0 - TONING) + shade[index] * TONING))
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::picture::tests::sample;
    use super::super::picture::{decode, to_png};
    use super::*;

    fn changed(prompt: &str) -> image::RgbaImage {
        let file = change(&to_png(&sample(80, 60)).unwrap(), prompt, 1).unwrap();
        decode(&file, MAX_PICTURE_PIXELS).unwrap().into_rgba8()
    }

    fn plain() -> image::RgbaImage {
        sample(80, 60).into_rgba8()
    }

    #[test]
    fn every_word_of_the_list_changes_the_picture_and_repeats() {
        let mut seen = vec![plain()];
        for (keywords, change) in ASKED {
            let picture = changed(keywords[0]);
            assert!(!seen.contains(&picture), "{change:?} is like another");
            assert_eq!(picture, changed(keywords[0]));
            seen.push(picture);
        }
    }

    #[test]
    fn a_mirror_swaps_the_sides_and_a_turn_the_measures() {
        let (before, after) = (plain(), changed("mirrored, please"));
        assert_eq!(before.get_pixel(0, 0), after.get_pixel(79, 0));
        assert_eq!(changed("turned").dimensions(), (60, 80));
    }

    #[test]
    fn several_changes_follow_each_other() {
        let picture = changed("a mirrored negative");
        assert_eq!(picture.get_pixel(79, 0).0, [255 - 220, 255 - 30, 255 - 30, 255]);
    }

    #[test]
    fn grey_has_no_colour_and_a_sketch_is_mostly_paper() {
        assert!(changed("monochrome").pixels().all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2]));
        let sketch = changed("a pencil sketch");
        let paper = sketch.pixels().filter(|pixel| pixel.0[0] > 235).count();
        assert!(paper > sketch.pixels().count() * 7 / 10, "{paper}");
        assert!(sketch.pixels().any(|pixel| pixel.0[0] < 150), "no line anywhere");
    }

    #[test]
    fn a_colour_word_tones_the_picture_and_other_words_draw_their_own_colours() {
        let sum = |picture: &image::RgbaImage, part: usize| -> u64 {
            picture.pixels().map(|pixel| u64::from(pixel.0[part])).sum()
        };
        let (red, blue) = (changed("make it red"), changed("make it blue"));
        assert!(sum(&red, 0) > sum(&blue, 0) && sum(&red, 2) < sum(&blue, 2));
        assert_ne!(changed("hello"), plain());
        let words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
        assert!(words.iter().any(|word| changed(word) != changed("hello")));
    }

    #[test]
    fn a_large_picture_comes_out_at_the_largest_size() {
        let file = change(&to_png(&sample(2_000, 500)).unwrap(), "mirror", 1).unwrap();
        let picture = decode(&file, MAX_PICTURE_PIXELS).unwrap();
        assert_eq!((picture.width(), picture.height()), (1_024, 256));
    }

    #[test]
    fn the_smallest_picture_survives_every_change() {
        let dot = to_png(&sample(1, 1)).unwrap();
        for (keywords, _) in ASKED {
            assert!(change(&dot, keywords[0], 0).is_ok(), "{}", keywords[0]);
        }
    }
}
