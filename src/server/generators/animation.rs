//! Animation: writes moving pictures down as an APNG, a PNG that browsers play. One palette for all frames, and
//! of each frame only the part that has changed, keep it small.

use super::GenerationError;

/// Colours in the palette.
const COLOURS: usize = 255;
/// Colours are told apart by five bits of each part.
const BUCKETS: usize = 1 << 15;
/// Strength of the pattern that hides the steps between colours, in steps of 255.
const PATTERN_STEPS: i32 = 6;
/// How thoroughly frames are packed, 0 to 9.
const PACKING: u8 = 4;

/// How an animation is shown.
#[derive(Clone, Copy, Debug)]
pub struct Reel {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How many frames there are, at least one.
    pub frames: u32,
    /// How many are shown in a second.
    pub frames_per_second: u16,
    /// Whether slow runs of colour are broken up by a pattern; flat drawings need none.
    pub has_pattern: bool,
}

/// Writes a reel that plays once. `draw` gives each frame as red, green and blue of all pixels.
///
/// # Errors
/// [`GenerationError::Encoding`] where it cannot be written.
pub fn write(reel: Reel, mut draw: impl FnMut(u32) -> Vec<u8>) -> Result<Vec<u8>, GenerationError> {
    let mut palette = Palette::of(&[draw(0), draw(reel.frames / 2), draw(reel.frames.saturating_sub(1))]);
    let mut file = Vec::new();
    encode(reel, &mut palette, &mut draw, &mut file)
        .map_err(|cause| GenerationError::Encoding { format: "APNG", source: Box::new(cause) })?;
    Ok(file)
}

fn encode(
    reel: Reel,
    palette: &mut Palette,
    draw: &mut impl FnMut(u32) -> Vec<u8>,
    file: &mut Vec<u8>,
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(file, reel.width, reel.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.bytes());
    encoder.set_deflate_compression(png::DeflateCompression::Level(PACKING));
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_animated(reel.frames, 1)?;
    encoder.set_frame_delay(1, reel.frames_per_second)?;
    let mut writer = encoder.write_header()?;
    let mut shown: Vec<u8> = Vec::new();
    for number in 0..reel.frames {
        let frame = palette.indices(&draw(number), reel);
        match (number, changed_part(&shown, &frame, reel.width)) {
            (0, _) => writer.write_image_data(&frame)?,
            (_, part) => {
                let part = part.unwrap_or(Part { left: 0, top: 0, width: 1, height: 1 });
                writer.set_frame_dimension(part.width, part.height)?;
                writer.set_frame_position(part.left, part.top)?;
                writer.write_image_data(&part.cut_from(&frame, reel.width))?;
            }
        }
        shown = frame;
    }
    writer.finish()
}

/// A rectangle of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Part {
    fn cut_from(self, frame: &[u8], width: u32) -> Vec<u8> {
        let rows = frame.chunks_exact(width as usize).skip(self.top as usize).take(self.height as usize);
        rows.flat_map(|row| &row[self.left as usize..(self.left + self.width) as usize]).copied().collect()
    }
}

/// The smallest rectangle that holds every change; none where nothing has changed.
fn changed_part(before: &[u8], after: &[u8], width: u32) -> Option<Part> {
    let (mut left, mut right, mut top, mut bottom) = (width, 0, None, 0);
    let rows = before.chunks_exact(width as usize).zip(after.chunks_exact(width as usize));
    for (row, (old, new)) in (0_u32..).zip(rows) {
        if old == new {
            continue;
        }
        let first = old.iter().zip(new).position(|(old, new)| old != new).unwrap_or_default();
        let last = old.iter().zip(new).rposition(|(old, new)| old != new).unwrap_or_default();
        // Positions in a row are below its width, which is a u32.
        left = left.min(u32::try_from(first).unwrap_or_default());
        right = right.max(u32::try_from(last).unwrap_or_default());
        top = top.or(Some(row));
        bottom = row;
    }
    top.map(|top| Part { left, top, width: right + 1 - left, height: bottom + 1 - top })
}

/// The colours of a reel, and the way to them.
struct Palette {
    colours: Vec<[u8; 3]>,
    nearest: Vec<Option<u8>>,
}

impl Palette {
    /// Chooses colours by median cut (Heckbert 1982): boxes of colours are halved where most pixels lie.
    fn of(frames: &[Vec<u8>]) -> Self {
        let mut counts = vec![0_u32; BUCKETS];
        for pixel in frames.iter().flat_map(|frame| frame.chunks_exact(3)) {
            counts[bucket([pixel[0], pixel[1], pixel[2]])] += 1;
        }
        let used = (0..BUCKETS).filter(|index| counts[*index] > 0);
        let all: Vec<Counted> = used.map(|index| Counted { colour: middle_of(index), count: counts[index] }).collect();
        let mut boxes = vec![all];
        while boxes.len() < COLOURS {
            let widest =
                (0..boxes.len()).filter(|index| boxes[*index].len() > 1).max_by_key(|index| weight(&boxes[*index]));
            let Some(widest) = widest else { break };
            let (low, high) = halve(boxes.swap_remove(widest));
            boxes.extend([low, high]);
        }
        let colours = boxes.iter().filter(|part| !part.is_empty()).map(|part| mean(part)).collect();
        Self { colours, nearest: vec![None; BUCKETS] }
    }

    fn bytes(&self) -> Vec<u8> {
        self.colours.iter().flatten().copied().collect()
    }

    fn indices(&mut self, frame: &[u8], reel: Reel) -> Vec<u8> {
        let width = reel.width as usize;
        let pixels = frame.chunks_exact(3).enumerate();
        pixels
            .map(|(place, pixel)| {
                let colour = [pixel[0], pixel[1], pixel[2]];
                let shift = if reel.has_pattern { pattern(place % width, place / width) } else { 0 };
                self.index_of(if shift == 0 { colour } else { shifted(colour, shift) })
            })
            .collect()
    }

    fn index_of(&mut self, colour: [u8; 3]) -> u8 {
        let bucket = bucket(colour);
        if let Some(index) = self.nearest[bucket] {
            return index;
        }
        let wanted = middle_of(bucket);
        let nearest = (0_u8..=u8::MAX).zip(&self.colours).min_by_key(|(_, own)| distance(**own, wanted));
        let index = nearest.map_or(0, |(index, _)| index);
        self.nearest[bucket] = Some(index);
        index
    }
}

#[derive(Clone, Copy)]
struct Counted {
    colour: [u8; 3],
    count: u32,
}

fn bucket([red, green, blue]: [u8; 3]) -> usize {
    (usize::from(red >> 3) << 10) | (usize::from(green >> 3) << 5) | usize::from(blue >> 3)
}

fn middle_of(bucket: usize) -> [u8; 3] {
    // Five bits each: below 32.
    let part = |shift: usize| (((bucket >> shift) & 31) as u8) << 3 | 4;
    [part(10), part(5), part(0)]
}

/// How much a box is worth halving: wide ones with many pixels come first.
fn weight(part: &[Counted]) -> u64 {
    let pixels: u64 = part.iter().map(|counted| u64::from(counted.count)).sum();
    let (_, width) = widest_side(part);
    pixels.isqrt() * u64::from(width) * u64::from(width)
}

fn widest_side(part: &[Counted]) -> (usize, u8) {
    let width = |side: usize| {
        let values = || part.iter().map(|counted| counted.colour[side]);
        values().max().unwrap_or_default() - values().min().unwrap_or_default()
    };
    (0..3).map(|side| (side, width(side))).max_by_key(|(_, width)| *width).unwrap_or_default()
}

fn halve(mut part: Vec<Counted>) -> (Vec<Counted>, Vec<Counted>) {
    let (side, _) = widest_side(&part);
    part.sort_by_key(|counted| counted.colour[side]);
    let half: u64 = part.iter().map(|counted| u64::from(counted.count)).sum::<u64>() / 2;
    let mut sum = 0;
    let middle = part.iter().position(|counted| {
        sum += u64::from(counted.count);
        sum > half
    });
    let at = middle.unwrap_or_default().clamp(1, part.len().saturating_sub(1).max(1));
    let high = part.split_off(at.min(part.len()));
    (part, high)
}

fn mean(part: &[Counted]) -> [u8; 3] {
    let pixels: u64 = part.iter().map(|counted| u64::from(counted.count)).sum::<u64>().max(1);
    std::array::from_fn(|side| {
        let sum: u64 = part.iter().map(|counted| u64::from(counted.colour[side]) * u64::from(counted.count)).sum();
        // A mean of bytes is a byte.
        (sum / pixels) as u8
    })
}

fn distance(left: [u8; 3], right: [u8; 3]) -> u32 {
    // Green counts most for the eye, blue least.
    let weights = [3, 4, 2];
    (0..3).map(|side| weights[side] * u32::from(left[side].abs_diff(right[side])).pow(2)).sum()
}

/// Ordered dithering (Bayer): the same on every frame, so that what stands still stays the same.
fn pattern(x: usize, y: usize) -> i32 {
    const BAYER: [[i32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];
    (BAYER[y % 4][x % 4] * 2 - 15) * PATTERN_STEPS / 15
}

fn shifted(colour: [u8; 3], by: i32) -> [u8; 3] {
    // Clamped to a byte.
    colour.map(|part| (i32::from(part) + by).clamp(0, 255) as u8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    /// Frames of an APNG, each whole, as red, green and blue, with how many times it plays.
    pub fn frames_of(file: &[u8]) -> (u32, Vec<Vec<u8>>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let control = *reader.info().animation_control().unwrap();
        let (width, height) = (reader.info().width as usize, reader.info().height as usize);
        let mut canvas = vec![0; width * height * 3];
        let mut frames = Vec::new();
        for _ in 0..control.num_frames {
            let mut part = vec![0; width * height * 3];
            reader.next_frame(&mut part).unwrap();
            let place = *reader.info().frame_control().unwrap();
            let row = place.width as usize * 3;
            for line in 0..place.height as usize {
                let at = ((place.y_offset as usize + line) * width + place.x_offset as usize) * 3;
                canvas[at..at + row].copy_from_slice(&part[line * row..(line + 1) * row]);
            }
            frames.push(canvas.clone());
        }
        (control.num_plays, frames)
    }

    fn reel(frames: u32) -> Reel {
        Reel { width: 16, height: 8, frames, frames_per_second: 8, has_pattern: false }
    }

    /// A white dot that walks over a dark ground.
    fn walking(number: u32) -> Vec<u8> {
        let mut frame = [20, 30, 60].repeat(16 * 8);
        let at = (3 * 16 + number as usize) * 3;
        frame[at..at + 3].copy_from_slice(&[252, 252, 252]);
        frame
    }

    #[test]
    fn what_moves_is_seen_moving_and_it_plays_once() {
        let (plays, frames) = frames_of(&write(reel(5), walking).unwrap());
        assert_eq!((plays, frames.len()), (1, 5));
        for (number, frame) in frames.iter().enumerate() {
            let bright: Vec<usize> = (0..128).filter(|place| frame[place * 3] > 200).collect();
            assert_eq!(bright, [3 * 16 + number]);
        }
    }

    #[test]
    fn frames_in_which_nothing_moves_cost_next_to_nothing() {
        let still = |_| walking(3);
        let (short, long) = (write(reel(2), still).unwrap(), write(reel(12), still).unwrap());
        assert!(long.len() - short.len() < 10 * 80, "{} {}", short.len(), long.len());
        assert_eq!(frames_of(&long).1[11], frames_of(&short).1[0]);
    }

    #[test]
    fn a_frame_of_one_colour_and_a_single_frame_are_written_too() {
        let (_, frames) = frames_of(&write(reel(1), |_| vec![7; 16 * 8 * 3]).unwrap());
        assert_eq!(frames.len(), 1);
    }

    #[test]
    fn the_palette_stays_near_to_many_colours() {
        let run =
            |_| (0..16 * 8_u32).flat_map(|place| [(place * 2) as u8, (255 - place) as u8, (place / 2) as u8]).collect();
        let drawn: Vec<u8> = run(0);
        let (_, frames) = frames_of(&write(reel(1), run).unwrap());
        let furthest = drawn.iter().zip(&frames[0]).map(|(left, right)| left.abs_diff(*right)).max();
        assert!(furthest <= Some(10), "{furthest:?}");
    }
}
