//! Garden: flowers in the grass, with a butterfly among them.

use std::f32::consts::{PI, TAU};

use super::super::super::dice::Dice;
use super::super::canvas::{Brush, Canvas, SIZE};
use super::super::colour::{Rgb, hex};
use super::super::figures;
use super::super::noise::Noise;
use super::super::palette::Palette;
use super::super::shapes::{Point, bow, circle, ground, petal};
use super::super::sky::{self, Sky};
use super::{Brief, Guest};

const ROWS: usize = 4;
const FLOWERS: usize = 190;
const LEAF: Rgb = hex(0x4E8A3E);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Daisy,
    Tulip,
    Poppy,
    Bell,
}

const KINDS: [Kind; 4] = [Kind::Daisy, Kind::Tulip, Kind::Poppy, Kind::Bell];

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let sky = Sky::throw(0.62 * SIZE, (0.14 * SIZE, 0.28 * SIZE), dice);
    sky.paint(canvas, palette, dice);
    let leaf = LEAF.mix(palette.near, if palette.is_night() { 0.75 } else { 0.3 });
    for index in 0..ROWS {
        meadow(canvas, palette, (leaf, index as f32 / (ROWS - 1) as f32), dice);
    }
    for index in 0..FLOWERS {
        // From the far ones to the near ones, so that none stands before a nearer one.
        flower(canvas, palette, (leaf, index as f32 / (FLOWERS - 1) as f32), dice);
    }
    grass(canvas, leaf.darker(0.3), dice);
    for _ in 0..3 {
        let place = (dice.between(0.12, 0.88) * SIZE, dice.between(0.24, 0.5) * SIZE);
        let colours = (dice.pick(&palette.accents), palette.ink);
        figures::butterfly(canvas, place, dice.between(16.0, 30.0), colours, dice);
    }
    figures::ladybird(canvas, (dice.between(0.1, 0.9) * SIZE, dice.between(0.84, 0.94) * SIZE), 9.0);
    if palette.is_night() {
        sky::fireflies(canvas, palette.light, dice);
    }
    if brief.shows(Guest::Cat) {
        figures::cat(canvas, (dice.between(0.35, 0.65) * SIZE, 775.0), 170.0, palette.ink);
    }
}

fn meadow(canvas: &mut Canvas, palette: &Palette, (leaf, part): (Rgb, f32), dice: &mut Dice) {
    let noise = Noise::new(dice);
    let crest = |x: f32| 455.0 + 175.0 * part - 70.0 * (1.0 - part) * noise.layered(x * 0.005, 1.0, 2);
    let colour = leaf.mix(palette.sky[3], 0.5 * (1.0 - part));
    canvas.fill(
        ground(crest),
        Brush::down(400.0 + 190.0 * part, colour.lighter(0.16), 560.0 + 230.0 * part, colour.darker(0.22)),
    );
}

fn flower(canvas: &mut Canvas, palette: &Palette, (leaf, part): (Rgb, f32), dice: &mut Dice) {
    let size = (4.0 + 40.0 * part * part * part) * dice.between(0.75, 1.25);
    let foot = (dice.unit() * SIZE, 470.0 + 300.0 * part + dice.between(0.0, 24.0));
    let head = (foot.0 + dice.between(-1.0, 1.0) * size, foot.1 - size * dice.between(2.4, 4.8));
    let green = leaf.mix(palette.sky[3], 0.3 * (1.0 - part)).darker(0.12);
    let bend = (foot.0, (foot.1 + head.1) / 2.0);
    canvas.stroke(bow(foot, bend, head), 1.2 + size * 0.09, Brush::Flat(green, 1.0));
    for side in [-0.9, -PI + 0.9] {
        let root = (foot.0, foot.1 - size * dice.between(0.5, 1.2));
        canvas.fill(petal(root, side, size * 1.3, size * 0.36), Brush::Flat(green.lighter(0.08), 1.0));
    }
    let colour = dice.pick(&palette.accents).lighter(0.25 * (1.0 - part));
    let colour = if palette.is_night() { colour.darker(0.12) } else { colour };
    match dice.pick(&KINDS) {
        Kind::Daisy => daisy(canvas, head, size, colour, dice),
        Kind::Tulip => tulip(canvas, head, size, colour),
        Kind::Poppy => poppy(canvas, head, size, (colour, palette.ink), dice),
        Kind::Bell => bells(canvas, (foot, head), size, colour),
    }
}

fn daisy(canvas: &mut Canvas, head: Point, size: f32, colour: Rgb, dice: &mut Dice) {
    let petals = 9 + dice.below(6);
    let turn = dice.unit() * TAU;
    for (reach, shade) in [(1.0, 0.12), (0.86, 0.0)] {
        for index in 0..petals {
            let angle = turn + index as f32 / petals as f32 * TAU + shade * 2.0;
            let outline = petal(head, angle, size * reach, size * 0.24);
            canvas.fill(outline, Brush::Flat(colour.lighter(0.3).darker(shade), 1.0));
        }
    }
    canvas.fill(circle(head, size * 0.27), Brush::Flat(hex(0xE9A820), 1.0));
    canvas.fill(circle((head.0 - size * 0.06, head.1 - size * 0.07), size * 0.16), Brush::Flat(hex(0xFFD35C), 1.0));
}

fn tulip(canvas: &mut Canvas, head: Point, size: f32, colour: Rgb) {
    let root = (head.0, head.1 + size * 0.5);
    for (angle, shade) in [(-PI / 2.0 - 0.38, 0.2), (-PI / 2.0 + 0.38, 0.12), (-PI / 2.0, 0.0)] {
        let outline = petal(root, angle, size * 1.5, size * 0.52);
        let top = root.1 - size * 1.5;
        canvas.fill(outline, Brush::down(top, colour.lighter(0.25).darker(shade), root.1, colour.darker(0.18 + shade)));
    }
}

fn poppy(canvas: &mut Canvas, head: Point, size: f32, (colour, ink): (Rgb, Rgb), dice: &mut Dice) {
    let turn = dice.unit() * TAU;
    for index in 0..5 {
        let angle = turn + index as f32 / 5.0 * TAU;
        let place = (head.0 + angle.cos() * size * 0.44, head.1 + angle.sin() * size * 0.36);
        let shade = 0.05 * index as f32;
        let brush = Brush::down(
            place.1 - size * 0.6,
            colour.lighter(0.2).darker(shade),
            place.1 + size * 0.6,
            colour.darker(0.15 + shade),
        );
        canvas.fill(circle(place, size * 0.56), brush);
    }
    canvas.fill(circle(head, size * 0.24), Brush::Flat(ink, 0.9));
    for index in 0..10 {
        let angle = index as f32 / 10.0 * TAU;
        let seed = (head.0 + angle.cos() * size * 0.34, head.1 + angle.sin() * size * 0.3);
        canvas.fill(circle(seed, size * 0.045), Brush::Flat(ink, 0.8));
    }
}

/// Small blossoms up the stem, as of lavender.
fn bells(canvas: &mut Canvas, (foot, head): (Point, Point), size: f32, colour: Rgb) {
    for index in 0..11 {
        let up = index as f32 / 10.0;
        let place = (foot.0 + (head.0 - foot.0) * (0.45 + 0.55 * up), foot.1 + (head.1 - foot.1) * (0.45 + 0.6 * up));
        let width = size * 0.42 * (1.05 - up * 0.7);
        for angle in [-0.7, -PI + 0.7, -PI / 2.0] {
            let shade = if angle == -PI / 2.0 { 0.0 } else { 0.14 };
            canvas.fill(
                petal(place, angle, width * 1.2, width * 0.62),
                Brush::Flat(colour.lighter(0.15 * up).darker(shade), 1.0),
            );
        }
    }
}

/// Blades before everything else, out of focus in the dark of the lower edge.
fn grass(canvas: &mut Canvas, colour: Rgb, dice: &mut Dice) {
    for _ in 0..150 {
        let foot = (dice.between(-0.02, 1.02) * SIZE, SIZE + 6.0);
        let height = dice.between(30.0, 105.0);
        let lean = dice.between(-0.45, 0.45);
        let shade = dice.between(0.0, 0.35);
        canvas.fill(petal(foot, -PI / 2.0 + lean, height, 4.5), Brush::Flat(colour.darker(shade), 0.92));
    }
}
