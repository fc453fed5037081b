//! Image: paints a picture from words. The words choose the scene, its colours and its small guests;
//! dice thrown from the words choose the rest. It paints what it knows, not whatever is described.

mod canvas;
mod colour;
mod figures;
mod film;
mod noise;
mod palette;
mod scenes;
mod shapes;
mod sky;

use super::GenerationError;
use super::dice::Dice;
use super::words::words;
use canvas::Canvas;
use colour::Rgb;
use scenes::Brief;

pub use film::{MAX_SECONDS as MAX_VIDEO_SECONDS, film};

/// Paints `prompt` as a PNG, a square of 768 pixels. The same prompt and seed paint the same
/// picture.
///
/// # Errors
/// [`GenerationError::Encoding`] where there is no room for the picture.
pub fn paint(prompt: &str, seed: u64) -> Result<Vec<u8>, GenerationError> {
    let spoken: Vec<String> = words(prompt).collect();
    let mut dice = Dice::for_text(prompt, seed);
    let brief = Brief::read(&spoken, &mut dice);
    let mut canvas = Canvas::new()?;
    scenes::compose(&mut canvas, &brief, &mut dice);
    canvas.finish(0.22);
    canvas.into_png()
}

/// The colours that words call for, dark to bright, and whether a word named them rather than the dice.
pub fn palette_of(spoken: &[String], dice: &mut Dice) -> (Vec<[u8; 3]>, bool) {
    let chosen = palette::choose(spoken, dice);
    let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0) as u8;
    let bytes = |colour: Rgb| [byte(colour.red), byte(colour.green), byte(colour.blue)];
    let run = [chosen.ink, chosen.sky[0], chosen.sky[1], chosen.sky[2], chosen.sky[3], chosen.light];
    (run.into_iter().map(bytes).collect(), palette::is_named(spoken))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::canvas::{SIDE, tests::decoded};
    use super::*;

    /// Largest picture, in bytes: what a phone loads without waiting.
    const MAX_BYTES: usize = 1_500_000;

    fn picture(prompt: &str, seed: u64) -> Vec<u8> {
        paint(prompt, seed).expect("a picture")
    }

    #[test]
    fn the_same_prompt_paints_the_same_picture() {
        assert_eq!(picture("a sunset over the sea", 4), picture("a sunset over the sea", 4));
    }

    #[test]
    fn another_prompt_or_seed_paints_another_picture() {
        let sea = picture("a sunset over the sea", 4);
        assert_ne!(sea, picture("a sunset over the ocean", 4));
        assert_ne!(sea, picture("a sunset over the sea", 5));
    }

    #[test]
    fn every_scene_is_a_png_of_the_right_size_with_many_colours() {
        for prompt in ["mountain", "desert", "night", "sea", "city", "forest", "garden", "bauhaus", "ribbons"] {
            let file = picture(prompt, 1);
            assert!(file.len() < MAX_BYTES, "{prompt}: {} bytes", file.len());
            let (width, height, pixels) = decoded(&file);
            assert_eq!((width, height), (SIDE, SIDE));
            let colours: std::collections::HashSet<[u8; 3]> = pixels.into_iter().collect();
            assert!(colours.len() > 500, "{prompt}: {} colours", colours.len());
        }
    }

    #[test]
    fn a_colour_word_tints_the_picture() {
        let sum = |prompt: &str| {
            let (_, _, pixels) = decoded(&picture(prompt, 2));
            let part = |index: usize| pixels.iter().map(|pixel| u64::from(pixel[index])).sum();
            let (red, blue): (u64, u64) = (part(0), part(2));
            (red, blue)
        };
        let (red, blue) = sum("a red desert");
        assert!(red > blue);
        let (red, blue) = sum("a blue desert");
        assert!(blue > red);
    }

    #[test]
    fn nasty_prompts_are_painted_like_any_other() {
        let nasty = ["".to_owned(), "🙂🎨".to_owned(), "\0\u{202E}".to_owned(), "sea ".repeat(2_500)];
        for prompt in nasty {
            assert!(picture(&prompt, u64::MAX).starts_with(b"\x89PNG"));
        }
    }
}
