//! Night: a wide sky over dark hills, and one lit window.

use super::super::super::dice::Dice;
use super::super::canvas::{Brush, Canvas, SIZE};
use super::super::figures;
use super::super::noise::Noise;
use super::super::palette::Palette;
use super::super::shapes::ground;
use super::super::sky::{self, Sky};
use super::{Brief, Guest};

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let sky = Sky::throw(0.86 * SIZE, (0.16 * SIZE, 0.34 * SIZE), dice);
    sky.paint(canvas, palette, dice);
    sky::falling_star(canvas, dice);
    let lake = brief.shows(Guest::Lake) || dice.chance(0.35);
    hills(canvas, palette, dice);
    if lake {
        canvas.reflect((0.8 * SIZE) as u32, palette.near);
    }
    foreground(canvas, brief, dice);
    if !lake {
        sky::fireflies(canvas, palette.accents[0], dice);
    }
}

fn hills(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    for index in 0..3 {
        let part = index as f32 / 3.0;
        let noise = Noise::new(dice);
        let crest = |x: f32| 590.0 + part * 75.0 - 110.0 * (noise.layered(x * 0.0046, 2.0, 4) - 0.35);
        let colour = palette.land(0.25 + 0.6 * part);
        let mist = colour.mix(palette.sky[3], 0.35 - 0.25 * part);
        canvas.fill(ground(crest), Brush::down(500.0, colour, 690.0, mist));
        for _ in 0..(10 + index * 22) {
            let x = dice.unit() * SIZE;
            let height = dice.between(10.0, 22.0) * (1.0 + part * 1.6);
            figures::pine(canvas, (x, crest(x) + 3.0), height, Brush::Flat(colour, 1.0));
        }
    }
}

fn foreground(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let ink = brief.palette.near.darker(0.35);
    let noise = Noise::new(dice);
    let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
    let hill = |x: f32| {
        let lean = (x / SIZE - 0.5) * side;
        705.0 - 120.0 * lean - 34.0 * noise.layered(x * 0.006, 5.0, 3)
    };
    let high = if side > 0.0 { 0.72 } else { 0.2 };
    for offset in [-0.19, -0.15, -0.1, 0.13, 0.17, 0.22] {
        let x = (high + offset + dice.between(-0.015, 0.015)) * SIZE;
        let height = dice.between(90.0, 190.0);
        figures::pine(canvas, (x, hill(x) + 8.0), height, Brush::Flat(ink, 1.0));
    }
    canvas.fill(ground(hill), Brush::Flat(ink, 1.0));
    if brief.shows(Guest::Cat) {
        let x = (high - 0.28 * side) * SIZE;
        figures::cat(canvas, (x, hill(x) + 8.0), 118.0, ink);
    }
    let door = high * SIZE - 35.0;
    figures::cabin(canvas, (door, hill(door + 35.0) + 3.0), 70.0, ink);
    if brief.shows(Guest::Balloon) {
        let place = ((1.0 - high) * SIZE, 0.34 * SIZE);
        figures::balloon(canvas, place, 40.0, &brief.palette);
    }
}
