//! Dunes: waves of sand with a lit and a shaded side.

use super::super::super::dice::Dice;
use super::super::canvas::{Canvas, SIDE, SIZE};
use super::super::colour::smooth;
use super::super::figures;
use super::super::noise::Noise;
use super::super::palette::Palette;
use super::super::sky::{self, Sky};
use super::{Brief, Guest};

const ROWS: usize = 5;
/// How far beyond the right edge a shadow may come from, in pixels.
const REACH: usize = 900;

/// One row of dunes.
struct Row {
    noise: Noise,
    base: f32,
    rise: f32,
    pace: f32,
    /// 0 on the horizon, 1 before our feet.
    part: f32,
}

impl Row {
    fn crest(&self, x: f32) -> f32 {
        let swell = self.noise.layered(x * self.pace, 1.5, 2);
        // Squaring sharpens the crests and flattens the valleys, as wind does.
        self.base - self.rise * swell * swell * 2.0
    }
}

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let horizon = 0.62 * SIZE;
    let mut sky = Sky::throw(horizon, (0.22 * SIZE, 0.4 * SIZE), dice);
    sky.radius *= 1.35;
    sky.paint(canvas, palette, dice);
    for index in 0..ROWS {
        let part = index as f32 / (ROWS - 1) as f32;
        let row = Row {
            noise: Noise::new(dice),
            base: horizon + 10.0 + part * 190.0,
            rise: 60.0 + 75.0 * part,
            pace: 0.0062 - 0.0030 * part,
            part,
        };
        sand(canvas, &row, palette);
    }
    if palette.is_night() {
        sky::falling_star(canvas, dice);
    } else if brief.shows(Guest::Birds) || dice.chance(0.5) {
        sky::birds(canvas, palette.near, dice);
    }
    if brief.shows(Guest::Balloon) || dice.chance(0.3) {
        let place = (dice.between(0.2, 0.8) * SIZE, dice.between(0.15, 0.25) * SIZE);
        figures::balloon(canvas, place, 38.0, palette);
    }
    if brief.shows(Guest::Cat) {
        figures::cat(canvas, (dice.between(0.3, 0.7) * SIZE, 735.0), 120.0, palette.ink);
    }
}

fn sand(canvas: &mut Canvas, row: &Row, palette: &Palette) {
    let warm = palette.sky[3].mix(palette.accents[1], 0.35);
    let lit = warm.mix(palette.far, 0.55 - 0.45 * row.part);
    let dark = palette.land(0.25 + 0.55 * row.part).mix(palette.sky[1], 0.2);
    let top = (row.base - 2.0 * row.rise).max(0.0);
    // Worked out once per column: every pixel below asks for the crest at two other places.
    let crests: Vec<f32> = (0..REACH + SIDE as usize).map(|x| row.crest(x as f32)).collect();
    let crest = |x: f32| crests[(x.max(0.0) as usize).min(crests.len() - 1)];
    canvas.shade_rows(top as u32, |x, y, under| {
        let below = y - crest(x);
        if below < -1.0 {
            return under;
        }
        // The shaded side lies slantwise below the crest: look back up along the slant.
        let source = x + below * (0.5 + 0.9 * row.part);
        let slope = crest(source + 5.0) - crest(source - 5.0);
        let light = smooth(-2.6, 2.6, slope) * (1.0 - smooth(60.0, 330.0, below) * 0.55);
        let furrow = (below * 0.42 + 26.0 * row.noise.at(x * 0.014, y * 0.010)).sin();
        let ripples = furrow * 0.035 * row.part * smooth(4.0, 60.0, below);
        let rim = smooth(5.0, 0.0, below) * 0.25 * light;
        let sand = dark.mix(lit, light + ripples * 2.0).lighter(rim);
        under.mix(sand, smooth(-0.9, 0.4, below))
    });
}
