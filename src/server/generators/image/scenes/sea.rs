//! Sea: light on the water, waves towards the shore, and a boat.

use super::super::super::dice::Dice;
use super::super::canvas::{Brush, Canvas, SIZE};
use super::super::colour::smooth;
use super::super::figures;
use super::super::noise::Noise;
use super::super::palette::Palette;
use super::super::shapes::{ground, line};
use super::super::sky::{self, Sky};
use super::{Brief, Guest};

const WAVES: usize = 5;

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let horizon = dice.between(0.47, 0.55) * SIZE;
    let heights = if palette.is_night() { (0.14 * SIZE, 0.26 * SIZE) } else { (0.28 * SIZE, horizon - 18.0) };
    let sky = Sky::throw(horizon, heights, dice);
    sky.paint(canvas, palette, dice);
    coast(canvas, palette, horizon, dice);
    water(canvas, palette, &sky, dice);
    let boat_x = if sky.body.0 > SIZE / 2.0 { dice.between(0.16, 0.36) } else { dice.between(0.62, 0.82) };
    let boat_y = horizon + dice.between(34.0, 70.0);
    figures::boat(canvas, (boat_x * SIZE, boat_y), dice.between(80.0, 120.0), palette);
    for index in 0..WAVES {
        wave(canvas, palette, index as f32 / (WAVES - 1) as f32, dice);
    }
    if !palette.is_night() {
        sky::birds(canvas, palette.ink.mix(palette.sky[0], 0.3), dice);
    }
    if brief.shows(Guest::Balloon) {
        figures::balloon(canvas, (0.5 * SIZE, 0.2 * SIZE), 42.0, palette);
    }
    if brief.shows(Guest::Cat) {
        figures::cat(canvas, (dice.between(0.3, 0.7) * SIZE, 775.0), 130.0, palette.ink);
    }
}

/// A strip of land far away on one side.
fn coast(canvas: &mut Canvas, palette: &Palette, horizon: f32, dice: &mut Dice) {
    let noise = Noise::new(dice);
    let left = dice.chance(0.5);
    for part in [0.0, 0.5] {
        let crest = |x: f32| {
            let inland = if left { 1.0 - x / SIZE } else { x / SIZE };
            let rise = smooth(0.45 + 0.15 * part, 1.0, inland);
            horizon + 2.0 - rise * (95.0 - 70.0 * part) * (0.35 + noise.layered(x * 0.008, part * 9.0, 4))
        };
        let colour = palette.land(0.1 + 0.4 * part).mix(palette.sky[3], 0.25);
        canvas.fill(ground(crest), Brush::Flat(colour, 1.0));
    }
}

fn water(canvas: &mut Canvas, palette: &Palette, sky: &Sky, dice: &mut Dice) {
    let noise = Noise::new(dice);
    let (sun, horizon) = (sky.body.0, sky.horizon);
    let deep = palette.near.mix(palette.sky[0], 0.45);
    let shallow = palette.sky[3].mix(palette.sky[1], 0.45);
    canvas.shade_rows(horizon as u32, |x, y, _| {
        let depth = ((y - horizon) / (SIZE - horizon)).max(0.0);
        // Waves far away are seen from the side: short in height, long in width.
        let far = 1.0 / (depth + 0.06);
        let ripple = noise.layered((x - SIZE / 2.0) * 0.004 * far.min(7.0) + 300.0, far * 7.0, 3);
        let base = shallow.mix(deep, smooth(0.0, 0.75, depth + (ripple - 0.5) * 0.35));
        let reach = 26.0 + 190.0 * depth;
        let path = (-((x - sun) / reach).powi(2)).exp();
        let glitter = smooth(0.5, 0.62, ripple) * path + path * 0.22 * (1.0 - depth);
        base.mix(palette.light, glitter * 0.85)
    });
}

/// One wave with a lit crest and a line of foam.
fn wave(canvas: &mut Canvas, palette: &Palette, part: f32, dice: &mut Dice) {
    let noise = Noise::new(dice);
    let shift = dice.between(0.0, 600.0);
    let (base, length, rise) = (560.0 + 172.0 * part, 150.0 + 130.0 * part, 10.0 + 15.0 * part);
    let crest = |x: f32| {
        let turn = (x + shift) / length * std::f32::consts::TAU + 2.2 * noise.at(x * 0.006, 0.0);
        // A sharpened sine: wide troughs, narrow but still round crests.
        let swell = (0.5 + 0.5 * turn.cos()).powf(1.7);
        base - rise * 2.0 * swell * (0.5 + noise.at(x * 0.004, 4.0)) + 12.0 * noise.at(x * 0.01, 7.0)
    };
    let top = palette.sky[1].mix(palette.sky[2], 0.5 - 0.35 * part).mix(palette.near, 0.25 + 0.3 * part);
    let bottom = palette.near.mix(palette.sky[0], 0.3 - 0.2 * part);
    canvas.fill(ground(crest), Brush::down(base - 30.0, top, base + 95.0, bottom));
    let foam: Vec<(f32, f32)> =
        (-1..=(SIZE as i32 / 3 + 1)).map(|step| (step as f32 * 3.0, crest(step as f32 * 3.0) + 1.0)).collect();
    let white = palette.light.lighter(0.4);
    canvas.stroke(line(&foam), 1.2 + 1.5 * part, Brush::Flat(white, 0.5 + 0.25 * part));
    for lace in 1..4 {
        let drop = lace as f32 * (7.0 + 6.0 * part);
        for piece in foam.chunks(9) {
            if dice.chance(0.42) {
                let lower: Vec<(f32, f32)> = piece.iter().map(|(x, y)| (x + drop * 0.4, y + drop)).collect();
                canvas.stroke(line(&lower), 1.0 + part, Brush::Flat(white, 0.3 / lace as f32 + 0.05));
            }
        }
    }
}
