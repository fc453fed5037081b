//! Forest: rows of pines that come out of the mist.

use std::f32::consts::PI;

use super::super::super::dice::Dice;
use super::super::canvas::{Brush, Canvas, SIZE};
use super::super::figures;
use super::super::noise::Noise;
use super::super::shapes::{ground, petal};
use super::super::sky::{self, Sky};
use super::{Brief, Guest};

const ROWS: usize = 6;

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let sky = Sky::throw(0.8 * SIZE, (0.2 * SIZE, 0.34 * SIZE), dice);
    sky.paint(canvas, palette, dice);
    if brief.shows(Guest::Birds) || !palette.is_night() {
        sky::birds(canvas, palette.near, dice);
    }
    for index in 0..ROWS {
        let part = index as f32 / (ROWS - 1) as f32;
        row(canvas, brief, part, dice);
        if index < ROWS - 1 {
            mist(canvas, brief, part, dice);
        }
    }
    if palette.is_night() || dice.chance(0.4) {
        sky::fireflies(canvas, palette.light.mix(palette.accents[0], 0.4), dice);
    }
    undergrowth(canvas, brief, dice);
    if brief.shows(Guest::Cabin) {
        figures::cabin(canvas, (0.46 * SIZE, 712.0), 82.0, palette.near.darker(0.4));
    }
    if brief.shows(Guest::Cat) || !brief.shows(Guest::Cabin) && dice.chance(0.25) {
        let x = dice.between(0.38, 0.6) * SIZE;
        figures::cat(canvas, (x, 738.0), 96.0, palette.near.darker(0.5));
    }
}

fn row(canvas: &mut Canvas, brief: &Brief, part: f32, dice: &mut Dice) {
    let palette = &brief.palette;
    let noise = Noise::new(dice);
    let floor = |x: f32| 430.0 + part * 290.0 - 70.0 * (1.0 - 0.6 * part) * (noise.layered(x * 0.004, 0.0, 3) - 0.3);
    let colour = palette.land(0.05 + 0.95 * part);
    let brush =
        Brush::down(330.0 + part * 60.0, colour, 560.0 + part * 330.0, colour.mix(palette.sky[3], 0.55 - 0.5 * part));
    canvas.fill(ground(floor), brush);
    let count = (70.0 - 40.0 * part) as usize;
    for _ in 0..count {
        let x = dice.between(-0.03, 1.03) * SIZE;
        let edge = ((x / SIZE - 0.5).abs() * 2.0).min(1.0);
        // The nearest rows stand at the sides, as a gate to the ones behind.
        if part > 0.55 && edge < 0.62 * part {
            continue;
        }
        let height = (58.0 + 280.0 * part * part) * dice.between(0.6, 1.15) * (0.8 + 0.35 * edge);
        figures::pine(canvas, (x, floor(x) + 8.0), height, brush);
    }
}

/// Grass and mushrooms before our feet.
fn undergrowth(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    for _ in 0..150 {
        let foot = (dice.unit() * SIZE, dice.between(0.95, 1.02) * SIZE);
        let lean = dice.between(-0.5, 0.5) - PI / 2.0;
        let blade = petal(foot, lean, dice.between(14.0, 46.0), 3.4);
        let shade = dice.between(0.1, 0.45);
        canvas.fill(blade, Brush::Flat(palette.near.darker(shade), 0.95));
    }
    let group = dice.between(0.2, 0.75) * SIZE;
    for index in 0..3 + dice.below(3) {
        let foot = (group + index as f32 * 21.0, dice.between(0.955, 0.985) * SIZE);
        figures::mushroom(canvas, foot, dice.between(15.0, 30.0), palette);
    }
}

/// A veil of mist over all that stands behind.
fn mist(canvas: &mut Canvas, brief: &Brief, part: f32, dice: &mut Dice) {
    let noise = Noise::new(dice);
    let veil = brief.palette.sky[3].mix(brief.palette.light, 0.2);
    let level = 440.0 + part * 250.0;
    let density = if brief.palette.is_night() { 0.16 } else { 0.34 };
    canvas.shade(|x, y, under| {
        let away = (y - level) / 75.0;
        if away.abs() > 2.0 {
            return under;
        }
        let drift = noise.layered(x * 0.004, y * 0.012, 3);
        under.mix(veil, (-away * away).exp() * drift * density * (1.3 - part))
    });
}
