//! Mountains: ridge behind ridge before a low sun, at times above a lake.

use super::super::super::dice::Dice;
use super::super::canvas::{Brush, Canvas, SIDE, SIZE};
use super::super::figures;
use super::super::noise::Noise;
use super::super::palette::Palette;
use super::super::shapes::{Point, ground, polygon};
use super::super::sky::{self, Sky};
use super::{Brief, Guest};

const RIDGES: usize = 5;
/// Width over which a crest must be the highest to count as a peak, in pixels.
const PEAK_REACH: usize = 36;

/// The outline of one row of mountains.
struct Ridge {
    noise: Noise,
    /// Height of its valleys, in pixels from the top.
    base: f32,
    /// How far its peaks stand above them.
    rise: f32,
    /// Peaks per pixel, roughly.
    pace: f32,
    part: f32,
}

impl Ridge {
    fn crest(&self, x: f32) -> f32 {
        let coarse = self.noise.layered(x * self.pace, 3.7, 5);
        // Folding the noise at its middle turns rounded hills into pointed peaks.
        let folded = 1.0 - (2.0 * coarse - 1.0).abs();
        self.base - self.rise * (folded * 1.5 - 0.35)
    }
}

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let lake = brief.shows(Guest::Lake) || dice.chance(0.3);
    let horizon = 0.68 * SIZE;
    let sky = Sky::throw(horizon, (0.2 * SIZE, 0.42 * SIZE), dice);
    sky.paint(canvas, palette, dice);
    if palette.is_night() {
        sky::falling_star(canvas, dice);
    }
    let count = if lake { RIDGES - 2 } else { RIDGES };
    for index in 0..count {
        let part = index as f32 / (RIDGES - 1) as f32;
        let ridge = Ridge {
            noise: Noise::new(dice),
            base: horizon - 40.0 + part * 235.0,
            rise: 215.0 - part * 130.0,
            pace: 0.0042 + part * 0.0016,
            part,
        };
        row(canvas, &ridge, palette, dice);
    }
    if lake {
        let shore = (0.73 * SIZE) as u32;
        canvas.reflect(shore.min(SIDE), palette.near);
        shoreline(canvas, palette, dice);
    }
    foreground(canvas, brief, lake, dice);
}

fn row(canvas: &mut Canvas, ridge: &Ridge, palette: &Palette, dice: &mut Dice) {
    let colour = palette.land(0.12 + 0.8 * ridge.part);
    let mist = colour.mix(palette.sky[3], 0.5 - 0.35 * ridge.part);
    let (top, bottom) = (ridge.base - ridge.rise, ridge.base + 90.0);
    let body = ground(|x| ridge.crest(x));
    canvas.fill(body, Brush::down(top, colour, bottom, mist));
    if ridge.part < 0.6 {
        slopes(canvas, ridge, palette, dice);
    }
}

/// Lights the side of each peak that faces the sun, along a jagged edge from its summit.
fn slopes(canvas: &mut Canvas, ridge: &Ridge, palette: &Palette, dice: &mut Dice) {
    let crest: Vec<f32> = (0..SIDE).map(|x| ridge.crest(x as f32)).collect();
    let light = palette.light.mix(palette.sky[2], 0.45);
    for summit in peaks(&crest) {
        let fall = (ridge.base - crest[summit] + 30.0).max(10.0);
        let mut points: Vec<Point> = (summit..crest.len())
            .take_while(|x| crest[*x] < crest[summit] + fall * 0.8 && x - summit < 90)
            .map(|x| (x as f32, crest[x]))
            .collect();
        let mut jag = summit as f32 + fall * 0.12;
        let teeth = 7;
        for tooth in (1..=teeth).rev() {
            let down = tooth as f32 / teeth as f32;
            let side = if tooth % 2 == 0 { 1.0 } else { -1.0 };
            jag = summit as f32 + down * fall * 0.2 + side * dice.between(2.0, 11.0) * down;
            points.push((jag, crest[summit] + down * fall * 0.8));
        }
        points.push((summit as f32 * 0.98 + jag * 0.02, crest[summit]));
        canvas.fill(polygon(&points), Brush::Flat(light, 0.2 - 0.12 * ridge.part));
    }
}

/// The places where `crest` is highest within [`PEAK_REACH`] to both sides.
fn peaks(crest: &[f32]) -> Vec<usize> {
    (0..crest.len())
        .filter(|place| {
            let from = place.saturating_sub(PEAK_REACH);
            let to = (place + PEAK_REACH + 1).min(crest.len());
            // Heights are counted from the top, so the highest is the least.
            crest[from..to].iter().all(|other| *other >= crest[*place])
        })
        .collect()
}

fn shoreline(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    let noise = Noise::new(dice);
    let shore = 0.73 * SIZE;
    let ink = palette.land(0.75);
    for step in 0..150 {
        let x = step as f32 * SIZE / 149.0 + dice.between(-3.0, 3.0);
        let dense = noise.at(x * 0.012, 0.0);
        if dense > 0.42 {
            let height = 12.0 + 34.0 * dense * dice.between(0.4, 1.0);
            figures::pine(canvas, (x, shore + 2.0), height, Brush::Flat(ink, 1.0));
        }
    }
}

/// The hill before our feet, with its trees and guests.
fn foreground(canvas: &mut Canvas, brief: &Brief, lake: bool, dice: &mut Dice) {
    let palette = &brief.palette;
    let noise = Noise::new(dice);
    let low = if lake { 60.0 } else { 0.0 };
    let lean = dice.between(-60.0, 60.0);
    let hill = |x: f32| 670.0 + low + lean * (x / SIZE - 0.5) - 70.0 * (noise.layered(x * 0.004, 9.0, 3) - 0.4);
    let ink = palette.near.darker(0.15);
    for _ in 0..26 {
        let x = dice.unit() * SIZE;
        // Trees crowd towards the edges and leave the view open.
        let edge = (x / SIZE - 0.5).abs() * 2.0;
        if dice.chance(edge * edge) {
            let height = dice.between(40.0, 90.0) + 70.0 * edge;
            figures::pine(canvas, (x, hill(x) + 6.0), height, Brush::Flat(ink, 1.0));
        }
    }
    canvas.fill(ground(hill), Brush::down(600.0, palette.near, SIZE, ink.darker(0.3)));
    guests(canvas, brief, &hill, dice);
}

fn guests(canvas: &mut Canvas, brief: &Brief, hill: &dyn Fn(f32) -> f32, dice: &mut Dice) {
    let palette = &brief.palette;
    let any = dice.below(3);
    if brief.shows(Guest::Balloon) || (any == 0 && !palette.is_night()) {
        let place = (dice.between(0.2, 0.8) * SIZE, dice.between(0.16, 0.3) * SIZE);
        figures::balloon(canvas, place, dice.between(34.0, 48.0), palette);
        if brief.shows(Guest::Balloon) {
            let second = (SIZE - place.0, place.1 + 90.0);
            figures::balloon(canvas, second, 20.0, palette);
        }
    }
    if brief.shows(Guest::Birds) || (any == 1 && !palette.is_night()) {
        sky::birds(canvas, palette.near, dice);
    }
    if brief.shows(Guest::Cabin) || palette.is_night() {
        let x = dice.between(0.25, 0.6) * SIZE;
        figures::cabin(canvas, (x, hill(x + 30.0) + 2.0), 62.0, palette.near.darker(0.35));
    }
    if brief.shows(Guest::Cat) {
        let x = dice.between(0.35, 0.65) * SIZE;
        figures::cat(canvas, (x, hill(x) + 8.0), 112.0, palette.near.darker(0.45));
    }
}
