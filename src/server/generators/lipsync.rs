//! Lipsync: a drawn figure that speaks a text. Its mouth takes the shape of each syllable's vowel, in the rhythm
//! that the audio generator would give the same text; there is no sound in it.

use std::f32::consts::PI;

use super::GenerationError;
use super::animation::{self, Reel};
use super::audio::{Spoken, Vowel, timetable};
use super::dice::Dice;
use super::image::palette_of;
use super::words::words;
use tiny_skia::{Color, FillRule, LineCap, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

/// Size of the picture, in pixels: a square.
pub const SIDE: u32 = 240;
/// Frames in a second: as many as it takes for lips to look like lips.
pub const FRAMES_PER_SECOND: u16 = 10;
/// The longest, in seconds: some two minutes, the longest prompt.
pub const MAX_SECONDS: u32 = 150;
/// How far the mouth goes towards its next shape in one frame.
const GLIDE: f32 = 0.62;
/// Seconds between two blinks.
const BLINK_SECONDS: f32 = 2.7;

/// Skins and hair, in pairs of colours that go together.
const FACES: [([u8; 3], [u8; 3]); 6] = [
    ([244, 208, 180], [92, 58, 34]),
    ([232, 184, 148], [44, 30, 24]),
    ([198, 142, 104], [28, 22, 20]),
    ([150, 98, 68], [22, 18, 18]),
    ([108, 70, 50], [14, 12, 14]),
    ([250, 218, 200], [196, 112, 52]),
];

/// Draws a figure that speaks `text` for `seconds`, 1 to [`MAX_SECONDS`], as an animated PNG that plays once.
///
/// # Errors
/// [`GenerationError::DurationOutOfRange`] for other durations.
pub fn speak(text: &str, seconds: u32, seed: u64) -> Result<Vec<u8>, GenerationError> {
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return Err(GenerationError::DurationOutOfRange { seconds, limit: MAX_SECONDS });
    }
    let frames = seconds * u32::from(FRAMES_PER_SECOND);
    let mouths = mouths(&timetable(text, seconds), frames);
    let mut dice = Dice::for_text(text, seed);
    let spoken: Vec<String> = words(text).collect();
    let (colours, _) = palette_of(&spoken, &mut dice);
    let figure = Figure::throw(&colours, &mut dice);
    let reel = Reel { width: SIDE, height: SIDE, frames, frames_per_second: FRAMES_PER_SECOND, has_pattern: false };
    let mut missing = None;
    let file = animation::write(reel, |number| {
        let mouth = mouths.get(number as usize).copied().unwrap_or_default();
        let drawn = figure.draw(mouth, number as f32 / f32::from(FRAMES_PER_SECOND));
        drawn.unwrap_or_else(|| {
            missing = Some("no pixels could be set aside");
            vec![0; (SIDE * SIDE * 3) as usize]
        })
    })?;
    match missing {
        None => Ok(file),
        Some(why) => Err(GenerationError::Encoding { format: "APNG", source: why.into() }),
    }
}

/// The shape of a mouth, in parts of the face.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mouth {
    /// Half of its width.
    width: f32,
    /// Half of its height; nothing where it is closed.
    open: f32,
    /// Whether this syllable is stressed: the head nods.
    nod: f32,
}

const CLOSED: Mouth = Mouth { width: 0.17, open: 0.0, nod: 0.0 };

const fn shape_of(vowel: Vowel) -> (f32, f32) {
    match vowel {
        Vowel::A => (0.17, 0.14),
        Vowel::E => (0.2, 0.075),
        Vowel::I => (0.21, 0.045),
        Vowel::O => (0.115, 0.125),
        Vowel::U => (0.085, 0.07),
    }
}

/// The mouth of every frame: towards the shape of what is spoken then, and closed between.
fn mouths(timetable: &[Spoken], frames: u32) -> Vec<Mouth> {
    let mut now = CLOSED;
    let mut coming = timetable.iter().peekable();
    let mut all = Vec::with_capacity(frames as usize);
    for number in 0..frames {
        let at = number as f32 / f32::from(FRAMES_PER_SECOND);
        while coming.next_if(|spoken| spoken.end <= at).is_some() {}
        let goal = match coming.peek() {
            Some(spoken) if spoken.start <= at => {
                let (width, open) = shape_of(spoken.vowel);
                // The lips part at once and close again before the next syllable.
                let part = (at - spoken.start) / (spoken.end - spoken.start).max(0.01);
                let shut = 1.0 - 0.65 * ((part - 0.6).max(0.0) / 0.4);
                Mouth { width, open: open * shut, nod: f32::from(u8::from(spoken.stressed)) }
            }
            Some(_) | None => CLOSED,
        };
        let towards = |from: f32, to: f32| from + (to - from) * GLIDE;
        now = Mouth {
            width: towards(now.width, goal.width),
            open: towards(now.open, goal.open),
            nod: towards(now.nod, goal.nod),
        };
        all.push(now);
    }
    all
}

/// Who speaks.
struct Figure {
    skin: [u8; 3],
    hair: [u8; 3],
    coat: [u8; 3],
    backdrop: [[u8; 3]; 2],
    has_long_hair: bool,
    has_glasses: bool,
    first_blink: f32,
}

impl Figure {
    fn throw(colours: &[[u8; 3]], dice: &mut Dice) -> Self {
        let (skin, hair) = dice.pick(&FACES);
        let colour = |index: usize| colours.get(index).copied().unwrap_or([120, 130, 150]);
        Self {
            skin,
            hair,
            coat: colour(1),
            backdrop: [colour(2), colour(3)],
            has_long_hair: dice.chance(0.5),
            has_glasses: dice.chance(0.3),
            first_blink: dice.between(0.6, BLINK_SECONDS),
        }
    }

    /// One frame, as red, green and blue; none where the machine has no room.
    fn draw(&self, mouth: Mouth, seconds: f32) -> Option<Vec<u8>> {
        let mut sheet = Sheet { pixels: Pixmap::new(SIDE, SIDE)? };
        sheet.fill_all(self.backdrop[0]);
        sheet.fill(oval((120.0, 112.0), 104.0, 104.0), self.backdrop[1]);
        sheet.fill(oval((120.0, 262.0), 96.0, 76.0), self.coat);
        let down = mouth.nod * 3.0;
        let aside = (seconds * 1.1).sin() * 1.5;
        self.head(&mut sheet, (120.0 + aside, 112.0 + down), mouth, seconds);
        let pixels = sheet.pixels.pixels().iter();
        Some(pixels.flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect())
    }

    fn head(&self, sheet: &mut Sheet, (x, y): (f32, f32), mouth: Mouth, seconds: f32) {
        let shade = darker(self.skin, 0.86);
        if self.has_long_hair {
            sheet.fill(oval((x, y + 14.0), 66.0, 84.0), self.hair);
        }
        sheet.fill(oval((120.0, y + 72.0), 20.0, 30.0), shade);
        sheet.fill(oval((x - 54.0, y + 4.0), 9.0, 14.0), shade);
        sheet.fill(oval((x + 54.0, y + 4.0), 9.0, 14.0), shade);
        sheet.fill(oval((x, y), 54.0, 66.0), self.skin);
        sheet.fill(cap((x, y - 6.0), 57.0, 63.0), self.hair);
        self.eyes(sheet, (x, y - 4.0), seconds, mouth.nod);
        sheet.stroke(curve((x - 4.0, y + 6.0), (x - 9.0, y + 20.0), (x + 2.0, y + 20.0)), 2.5, shade);
        draw_mouth(sheet, (x, y + 38.0), mouth, self.skin);
    }

    fn eyes(&self, sheet: &mut Sheet, (x, y): (f32, f32), seconds: f32, nod: f32) {
        let blinks = (seconds + self.first_blink) % BLINK_SECONDS < 0.16;
        for side in [-1.0, 1.0] {
            let middle = (x + side * 21.0, y);
            if blinks {
                let (from, to) = ((middle.0 - 8.0, y), (middle.0 + 8.0, y));
                sheet.stroke(curve(from, (middle.0, y + 4.0), to), 2.5, darker(self.skin, 0.6));
            } else {
                sheet.fill(oval(middle, 9.0, 7.5), [252, 252, 250]);
                sheet.fill(oval((middle.0 + (seconds * 0.9).sin() * 1.5, y + 0.5), 4.5, 4.8), [40, 46, 60]);
                sheet.fill(oval((middle.0 + 1.5, y - 1.5), 1.4, 1.4), [255, 255, 255]);
            }
            let brow = y - 14.0 - 3.0 * nod;
            let (from, to) = ((middle.0 - 10.0, brow + 2.0), (middle.0 + 10.0, brow + 2.0));
            sheet.stroke(curve(from, (middle.0, brow - 4.0), to), 3.0, self.hair);
            if self.has_glasses {
                sheet.stroke(oval(middle, 14.0, 12.0), 2.0, [50, 54, 66]);
            }
        }
        if self.has_glasses {
            sheet.stroke(curve((x - 7.0, y - 1.0), (x, y - 4.0), (x + 7.0, y - 1.0)), 2.0, [50, 54, 66]);
        }
    }
}

fn draw_mouth(sheet: &mut Sheet, (x, y): (f32, f32), mouth: Mouth, skin: [u8; 3]) {
    let (width, open) = (mouth.width * 108.0, mouth.open * 108.0);
    let lips = [skin[0].saturating_sub(38), skin[1] / 2, skin[2] / 2];
    if open < 1.0 {
        sheet.stroke(curve((x - width, y), (x, y + 5.0), (x + width, y)), 3.5, lips);
        return;
    }
    sheet.fill(oval((x, y), width + 3.0, open + 3.5), lips);
    sheet.fill(oval((x, y), width, open), [74, 18, 28]);
    if open > 4.0 {
        sheet.fill(oval((x, y - open * 0.72), width * 0.72, open * 0.26), [250, 248, 242]);
    }
    if open > 7.0 {
        sheet.fill(oval((x, y + open * 0.62), width * 0.6, open * 0.34), [206, 92, 96]);
    }
}

struct Sheet {
    pixels: Pixmap,
}

impl Sheet {
    fn fill_all(&mut self, colour: [u8; 3]) {
        self.pixels.fill(Color::from_rgba8(colour[0], colour[1], colour[2], 255));
    }

    fn fill(&mut self, path: Option<Path>, colour: [u8; 3]) {
        if let Some(path) = path {
            self.pixels.fill_path(&path, &paint(colour), FillRule::Winding, Transform::identity(), None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, colour: [u8; 3]) {
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        if let Some(path) = path {
            self.pixels.stroke_path(&path, &paint(colour), &stroke, Transform::identity(), None);
        }
    }
}

fn paint(colour: [u8; 3]) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(colour[0], colour[1], colour[2], 255);
    paint
}

fn darker(colour: [u8; 3], part: f32) -> [u8; 3] {
    // Below what was a byte.
    colour.map(|value| (f32::from(value) * part) as u8)
}

fn oval((x, y): (f32, f32), half_width: f32, half_height: f32) -> Option<Path> {
    let outline = Rect::from_xywh(x - half_width, y - half_height, half_width * 2.0, half_height * 2.0)?;
    PathBuilder::from_oval(outline)
}

/// The hair: the upper part of an oval, with a parting.
fn cap((x, y): (f32, f32), half_width: f32, half_height: f32) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let steps = 24_u8;
    for step in 0..=steps {
        let angle = PI * (1.02 + 0.96 * f32::from(step) / f32::from(steps));
        let (px, py) = (x + angle.cos() * half_width, y + angle.sin() * half_height);
        if step == 0 { builder.move_to(px, py) } else { builder.line_to(px, py) }
    }
    builder.quad_to(x + half_width * 0.3, y - half_height * 0.75, x - half_width * 0.2, y - half_height * 0.5);
    builder.quad_to(x - half_width * 0.8, y - half_height * 0.4, x - half_width, y);
    builder.close();
    builder.finish()
}

fn curve(from: (f32, f32), bend: (f32, f32), to: (f32, f32)) -> Option<Path> {
    let mut builder = PathBuilder::new();
    builder.move_to(from.0, from.1);
    builder.quad_to(bend.0, bend.1, to.0, to.1);
    builder.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::animation::tests::frames_of;
    use super::*;

    #[test]
    fn it_lasts_as_long_as_asked_and_the_figure_moves() {
        let file = speak("good evening, my friends", 2, 1).unwrap();
        let (plays, frames) = frames_of(&file);
        assert_eq!((plays, frames.len()), (1, 20));
        let moved = frames.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(moved > 12, "{moved}");
        assert!(file.len() < 200_000, "{} bytes", file.len());
    }

    #[test]
    fn the_mouth_opens_with_the_syllables_and_closes_in_the_pauses() {
        let table = timetable("banana. banana.", 6);
        let mouths = mouths(&table, 60);
        let at = |seconds: f32| mouths[(seconds * f32::from(FRAMES_PER_SECOND)) as usize];
        let first = table[0];
        assert!(at(first.start + 0.1).open > 0.05);
        let gap = table
            .windows(2)
            .map(|pair| (pair[0].end, pair[1].start))
            .max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
        let (from, to) = gap.unwrap();
        assert!(to - from > 0.3, "{from} {to}");
        assert!(at(to - 0.06).open < 0.03, "{:?}", at(to - 0.06));
    }

    #[test]
    fn an_o_is_round_and_an_e_is_wide() {
        let widest = |text: &str| mouths(&timetable(text, 2), 20).iter().map(|mouth| mouth.width).fold(0.0, f32::max);
        let narrowest =
            |text: &str| mouths(&timetable(text, 2), 20).iter().map(|mouth| mouth.width).fold(1.0, f32::min);
        assert!(narrowest("oh oh oh") < 0.13 && widest("eh eh eh") > 0.19);
    }

    #[test]
    fn nasty_texts_are_spoken_like_any_other_and_wrong_durations_refused() {
        for text in ["", "🙂", "\0\u{202E}", &"la ".repeat(600)] {
            assert!(speak(text, 1, 7).is_ok());
        }
        for seconds in [0, MAX_SECONDS + 1] {
            assert!(matches!(speak("a", seconds, 0), Err(GenerationError::DurationOutOfRange { .. })));
        }
    }
}
