//! Film: a painted scene in which something moves. The camera travels over the painting, water ripples, and what
//! belongs to the scene crosses it: birds, snow, falling leaves, lights. There is no story in it.

use std::f32::consts::TAU;

use super::super::GenerationError;
use super::super::animation::{self, Reel};
use super::super::dice::Dice;
use super::super::words::{is_form_of, words};
use super::canvas::{Canvas, SIDE, SIZE};
use super::colour::{Rgb, WHITE, hex, smooth};
use super::scenes::{self, Brief, Scene};

/// Size of a film, in pixels.
pub const WIDTH: u32 = 384;
pub const HEIGHT: u32 = 288;
/// Frames in a second.
pub const FRAMES_PER_SECOND: u16 = 8;
/// The longest film, in seconds.
pub const MAX_SECONDS: u32 = 20;
/// How much of the painting the camera sees, at its nearest and at its farthest.
const NEAREST: f32 = 0.66;
const FARTHEST: f32 = 0.92;

/// What crosses the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traffic {
    Birds,
    Snow,
    Rain,
    Leaves,
    Fireflies,
    Stars,
    Sand,
    Nothing,
}

const NAMED: &[(&[&str], Traffic)] = &[
    (&["snow", "snowy", "winter", "blizzard"], Traffic::Snow),
    (&["rain", "rainy", "storm", "thunderstorm"], Traffic::Rain),
    (&["leaf", "leaves", "autumn", "petal", "blossom"], Traffic::Leaves),
    (&["firefly", "fireflies", "lantern", "candle"], Traffic::Fireflies),
    (&["star", "starry", "galaxy"], Traffic::Stars),
    (&["bird", "gull", "swallow"], Traffic::Birds),
];

/// Films `prompt` for `seconds`, 1 to [`MAX_SECONDS`], as an animated PNG that plays once.
///
/// # Errors
/// [`GenerationError::DurationOutOfRange`] for other durations.
pub fn film(prompt: &str, seconds: u32, seed: u64) -> Result<Vec<u8>, GenerationError> {
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return Err(GenerationError::DurationOutOfRange { seconds, limit: MAX_SECONDS });
    }
    let spoken: Vec<String> = words(prompt).collect();
    let mut dice = Dice::for_text(prompt, seed);
    let brief = Brief::read(&spoken, &mut dice);
    let mut canvas = Canvas::new()?;
    scenes::compose(&mut canvas, &brief, &mut dice);
    let set = Set::build(canvas.rgb(), &brief, &spoken, &mut dice);
    let frames = seconds * u32::from(FRAMES_PER_SECOND);
    let reel = Reel { width: WIDTH, height: HEIGHT, frames, frames_per_second: FRAMES_PER_SECOND, has_pattern: true };
    animation::write(reel, |number| set.shoot(number, frames))
}

/// Everything that a frame is made from.
struct Set {
    painting: Vec<u8>,
    ripples: Ripples,
    traffic: Traffic,
    travellers: Vec<Traveller>,
    light: Rgb,
    ink: Rgb,
    /// From where to where the camera goes, -1 to 1 each.
    path: [(f32, f32); 2],
    approaches: bool,
}

/// How the painting itself moves.
#[derive(Clone, Copy)]
enum Ripples {
    /// Below that height, more the nearer: water.
    Water {
        from: f32,
    },
    /// Everywhere, slowly: ribbons and shapes.
    Sway,
    Still,
}

/// One of those that cross, with a pace and a moment of its own.
struct Traveller {
    x: f32,
    y: f32,
    pace: f32,
    phase: f32,
    size: f32,
}

impl Set {
    fn build(painting: Vec<u8>, brief: &Brief, spoken: &[String], dice: &mut Dice) -> Self {
        let named = spoken.iter().find_map(|word| {
            let entry = NAMED.iter().find(|(keywords, _)| keywords.iter().any(|keyword| is_form_of(word, keyword)));
            entry.map(|(_, traffic)| *traffic)
        });
        let (ripples, usual) = match brief.scene {
            Scene::Sea => (Ripples::Water { from: 0.56 }, Traffic::Birds),
            Scene::Mountains => (Ripples::Still, Traffic::Birds),
            Scene::Night | Scene::City => (Ripples::Still, Traffic::Stars),
            Scene::Forest => (Ripples::Still, Traffic::Fireflies),
            Scene::Garden => (Ripples::Still, Traffic::Leaves),
            Scene::Dunes => (Ripples::Still, Traffic::Sand),
            Scene::Geometric | Scene::Ribbons => (Ripples::Sway, Traffic::Nothing),
        };
        let traffic = named.unwrap_or(usual);
        let count = match traffic {
            Traffic::Birds => 7,
            Traffic::Snow | Traffic::Rain => 110,
            Traffic::Leaves | Traffic::Fireflies => 34,
            Traffic::Stars | Traffic::Sand => 60,
            Traffic::Nothing => 0,
        };
        let mut thrown = || Traveller {
            x: dice.unit(),
            y: dice.unit(),
            pace: dice.between(0.6, 1.4),
            phase: dice.unit(),
            size: dice.between(0.6, 1.3),
        };
        let travellers = (0..count).map(|_| thrown()).collect();
        let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
        Self {
            painting,
            ripples,
            traffic,
            travellers,
            light: brief.palette.light,
            ink: brief.palette.ink,
            path: [(-0.9 * side, dice.between(-0.4, 0.6)), (0.9 * side, dice.between(-0.2, 0.3))],
            approaches: dice.chance(0.6),
        }
    }

    /// One frame, as red, green and blue.
    fn shoot(&self, number: u32, frames: u32) -> Vec<u8> {
        let part = number as f32 / frames.saturating_sub(1).max(1) as f32;
        let seconds = number as f32 / f32::from(FRAMES_PER_SECOND);
        let mut frame = self.photograph(part, seconds);
        for traveller in &self.travellers {
            self.draw(&mut frame, traveller, seconds);
        }
        frame.pixels
    }

    /// The painting through the camera, at a part of its way.
    fn photograph(&self, part: f32, seconds: f32) -> Frame {
        let eased = smooth(0.0, 1.0, part);
        let near = if self.approaches { 1.0 - eased } else { eased };
        let seen = NEAREST + (FARTHEST - NEAREST) * near;
        let (from, to) = (self.path[0], self.path[1]);
        let spare = (1.0 - seen) / 2.0;
        let left = (spare + spare * (from.0 + (to.0 - from.0) * eased)) * SIZE;
        // The picture is wider than high: more of the painting is left to move up and down in.
        let tall = seen * HEIGHT as f32 / WIDTH as f32;
        let free = (1.0 - tall) / 2.0;
        let top = (free + free * 0.6 * (from.1 + (to.1 - from.1) * eased)) * SIZE;
        let scale = seen * SIZE / WIDTH as f32;
        let mut pixels = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
        for row in 0..HEIGHT {
            let y = top + row as f32 * scale;
            let (aside, amount) = self.row_shift(y, seconds);
            for column in 0..WIDTH {
                let x = left + column as f32 * scale;
                let down = if amount > 0.0 { (x * 0.021 + seconds * 2.1).sin() * amount } else { 0.0 };
                pixels.extend(self.sample(x + aside, y + down));
            }
        }
        Frame { pixels }
    }

    /// How far a row of the painting swings aside, and how far its pixels go up and down, in pixels.
    fn row_shift(&self, y: f32, seconds: f32) -> (f32, f32) {
        match self.ripples {
            Ripples::Still => (0.0, 0.0),
            Ripples::Water { from } => {
                let depth = smooth(from, 1.0, y / SIZE);
                let wave = (y * 0.11 - seconds * 3.2).sin() + 0.5 * (y * 0.047 + seconds * 1.7).sin();
                (wave * (1.0 + 6.0 * depth) * smooth(from, from + 0.03, y / SIZE), 4.0 * depth)
            }
            Ripples::Sway => ((y * 0.012 + seconds * 1.3).sin() * 13.0, 9.0),
        }
    }

    /// The colour of the painting between its pixels.
    fn sample(&self, x: f32, y: f32) -> [u8; 3] {
        let last = (SIDE - 1) as f32;
        let (x, y) = (x.clamp(0.0, last), y.clamp(0.0, last));
        let (column, row) = (x as usize, y as usize);
        let (along, down) = ((x.fract() * 256.0) as u32, (y.fract() * 256.0) as u32);
        let side = SIDE as usize;
        let start = (row * side + column) * 3;
        let right = if column + 1 < side { 3 } else { 0 };
        let below = if row + 1 < side { side * 3 } else { 0 };
        std::array::from_fn(|index| {
            let at = |offset: usize| u32::from(self.painting[start + offset + index]);
            let upper = at(0) * (256 - along) + at(right) * along;
            let lower = at(below) * (256 - along) + at(below + right) * along;
            // A weighted mean of bytes is a byte.
            ((upper * (256 - down) + lower * down) >> 16) as u8
        })
    }

    fn draw(&self, frame: &mut Frame, one: &Traveller, seconds: f32) {
        let (width, height) = (WIDTH as f32, HEIGHT as f32);
        let turn = (seconds * one.pace + one.phase * 9.0) * TAU;
        let around = |start: f32, way: f32| (start + way).rem_euclid(1.16) - 0.08;
        match self.traffic {
            Traffic::Birds => {
                let x = around(one.x, seconds * 0.07 * one.pace) * width;
                let y = (0.08 + 0.3 * one.y) * height + (turn * 0.15).sin() * 5.0;
                frame.bird((x, y), 5.0 + 4.0 * one.size, (turn * 0.8).sin(), self.ink);
            }
            Traffic::Snow => {
                let x = around(one.x, (turn * 0.08).sin() * 0.03 + seconds * 0.02) * width;
                let y = around(one.y, seconds * 0.16 * one.pace) * height;
                frame.dot((x, y), 1.0 + one.size, WHITE, 0.9);
            }
            Traffic::Rain => {
                let x = around(one.x, seconds * 0.1) * width;
                let y = around(one.y, seconds * 1.3 * one.pace) * height;
                frame.line((x, y), (x + 1.5, y + 11.0), self.light.mix(WHITE, 0.5), 0.45);
            }
            Traffic::Leaves => {
                let x = around(one.x, seconds * 0.05 * one.pace + (turn * 0.12).sin() * 0.04) * width;
                let y = around(one.y, seconds * 0.11 * one.pace) * height;
                let colour = if one.phase < 0.5 { hex(0xF2B5A7) } else { hex(0xF6D6A0) };
                frame.line((x, y), (x + (turn * 0.3).cos() * 5.0, y + (turn * 0.3).sin() * 3.0), colour, 0.95);
            }
            Traffic::Fireflies => {
                let x = (one.x + (turn * 0.05).sin() * 0.04) * width;
                let y = (0.4 + 0.6 * one.y + (turn * 0.07).cos() * 0.04) * height;
                let glow = 0.5 + 0.5 * (turn * 0.4).sin();
                frame.dot((x, y), 5.0, hex(0xFFE08A), 0.35 * glow);
                frame.dot((x, y), 1.7, hex(0xFFF6CF), glow);
            }
            Traffic::Stars => {
                let glow = (0.5 + 0.5 * (turn * 0.35).sin()).powi(2);
                frame.dot((one.x * width, one.y * one.y * 0.5 * height), 1.6 * one.size, WHITE, glow);
            }
            Traffic::Sand => {
                let x = around(one.x, seconds * 0.35 * one.pace) * width;
                let y = (0.55 + 0.45 * one.y) * height + (turn * 0.2).sin() * 2.0;
                frame.line((x, y), (x + 9.0, y - 1.0), self.light, 0.4);
            }
            Traffic::Nothing => {}
        }
    }
}

struct Frame {
    pixels: Vec<u8>,
}

impl Frame {
    /// Mixes a colour into a pixel; outside of the frame nothing happens.
    fn blend(&mut self, x: i32, y: i32, colour: Rgb, opacity: f32) {
        let (Ok(column), Ok(row)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if column >= WIDTH || row >= HEIGHT {
            return;
        }
        let start = ((row * WIDTH + column) * 3) as usize;
        for (part, own) in self.pixels[start..start + 3].iter_mut().zip([colour.red, colour.green, colour.blue]) {
            let before = f32::from(*part);
            *part = (before + (own * 255.0 - before) * opacity.clamp(0.0, 1.0)) as u8;
        }
    }

    /// A soft disc.
    fn dot(&mut self, (x, y): (f32, f32), radius: f32, colour: Rgb, opacity: f32) {
        let reach = radius.ceil() as i32;
        for row in -reach..=reach {
            for column in -reach..=reach {
                let away = (column as f32).hypot(row as f32) / (radius + 0.5);
                if away < 1.0 {
                    self.blend(x as i32 + column, y as i32 + row, colour, opacity * (1.0 - away * away));
                }
            }
        }
    }

    fn line(&mut self, from: (f32, f32), to: (f32, f32), colour: Rgb, opacity: f32) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0);
        for step in 0..=steps as i32 {
            let part = step as f32 / steps;
            let (x, y) = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
            self.blend(x as i32, y as i32, colour, opacity);
            self.blend(x as i32 + 1, y as i32, colour, opacity * 0.4);
        }
    }

    /// Two wings that beat.
    fn bird(&mut self, (x, y): (f32, f32), span: f32, beat: f32, ink: Rgb) {
        for side in [-1.0, 1.0] {
            let elbow = (x + side * span * 0.45, y - span * 0.3 * beat - span * 0.1);
            self.line((x, y), elbow, ink, 0.9);
            self.line(elbow, (x + side * span, elbow.1 + span * 0.25 * (1.0 - beat * 0.6)), ink, 0.85);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::animation::tests::frames_of;
    use super::*;

    #[test]
    fn a_film_lasts_as_long_as_asked_and_every_frame_differs_from_the_one_before() {
        let file = film("a quiet sea", 1, 3).unwrap();
        let (_, frames) = frames_of(&file);
        assert_eq!(frames.len(), usize::from(FRAMES_PER_SECOND));
        assert!(frames.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(file.len() < 900_000, "{} bytes", file.len());
    }

    #[test]
    fn the_same_words_make_the_same_film_and_others_another() {
        let file = film("stars over a city", 1, 3).unwrap();
        assert_eq!(film("stars over a city", 1, 3).unwrap(), file);
        assert_ne!(film("rain over a city", 1, 3).unwrap(), file);
    }

    #[test]
    fn other_durations_are_refused() {
        for seconds in [0, MAX_SECONDS + 1, u32::MAX] {
            assert!(matches!(film("sea", seconds, 0), Err(GenerationError::DurationOutOfRange { .. })));
        }
    }
}
