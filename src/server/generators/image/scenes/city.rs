//! City: rows of towers with lit windows above still water.

use super::super::super::dice::Dice;
use super::super::canvas::{Brush, Canvas, SIZE};
use super::super::colour::{Rgb, hex};
use super::super::figures;
use super::super::palette::Palette;
use super::super::shapes::{Point, circle, line, polygon};
use super::super::sky::{self, Sky};
use super::{Brief, Guest};

const ROWS: usize = 4;
const QUAY: f32 = 0.79 * SIZE;

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let mut sky = Sky::throw(QUAY, (0.18 * SIZE, 0.34 * SIZE), dice);
    sky.radius *= 1.2;
    sky.paint(canvas, palette, dice);
    if brief.shows(Guest::Birds) || !palette.is_night() {
        sky::birds(canvas, palette.near, dice);
    }
    let lamps = palette.accents[0].mix(hex(0xFFC98A), 0.5);
    canvas.glow((SIZE / 2.0, QUAY), 520.0, lamps, 0.5);
    for index in 0..ROWS {
        row(canvas, palette, index as f32 / (ROWS - 1) as f32, dice);
    }
    if brief.shows(Guest::Balloon) || dice.chance(0.3) {
        let place = (dice.between(0.2, 0.8) * SIZE, dice.between(0.12, 0.2) * SIZE);
        figures::balloon(canvas, place, 34.0, palette);
    }
    canvas.reflect(QUAY as u32, palette.near.mix(palette.sky[0], 0.25));
    let wall = [(0.0, QUAY - 4.0), (SIZE, QUAY - 4.0), (SIZE, QUAY + 2.0), (0.0, QUAY + 2.0)];
    canvas.fill(polygon(&wall), Brush::Flat(palette.near.darker(0.3), 1.0));
    lanterns(canvas, palette);
    if brief.shows(Guest::Cat) {
        let foot = (dice.between(0.3, 0.7) * SIZE, QUAY);
        // Lamplight behind it, or the cat would be black on black.
        canvas.glow((foot.0, QUAY - 50.0), 125.0, lamps, 1.0);
        canvas.glow((foot.0, QUAY - 50.0), 125.0, lamps, 0.8);
        figures::cat(canvas, foot, 92.0, palette.near.darker(0.5));
    }
}

fn row(canvas: &mut Canvas, palette: &Palette, part: f32, dice: &mut Dice) {
    let colour = palette.land(0.15 + 0.8 * part).mix(palette.sky[2], 0.3 * (1.0 - part));
    let mist = colour.mix(palette.sky[3], 0.5 * (1.0 - part) + 0.06);
    let mut x = -20.0;
    while x < SIZE {
        let width = dice.between(30.0, 62.0) + 16.0 * part;
        let middle = 1.0 - ((x + width / 2.0) / SIZE - 0.5).abs() * 1.5;
        let height = (380.0 - 235.0 * part) * (0.35 + 0.65 * middle * dice.unit()) + 40.0;
        let tower = Tower { left: x, width, top: QUAY - height };
        tower.build(canvas, colour, mist, dice);
        if part > 0.3 {
            tower.light_windows(canvas, palette, part, dice);
        }
        x += width + dice.between(-8.0, 10.0);
    }
}

struct Tower {
    left: f32,
    width: f32,
    top: f32,
}

impl Tower {
    fn build(&self, canvas: &mut Canvas, colour: Rgb, mist: Rgb, dice: &mut Dice) {
        let (left, right, top) = (self.left, self.left + self.width, self.top);
        let middle = (left + right) / 2.0;
        let roof: Vec<Point> = match dice.below(5) {
            0 => vec![(left, top), (middle, top - self.width * 0.55), (right, top)],
            1 => vec![(left, top), (right, top - self.width * 0.4)],
            2 => {
                let step = self.width * 0.22;
                vec![
                    (left, top),
                    (left + step, top),
                    (left + step, top - 22.0),
                    (right - step, top - 22.0),
                    (right - step, top),
                    (right, top),
                ]
            }
            _ => vec![(left, top), (right, top)],
        };
        let mut outline = roof;
        outline.extend([(right, QUAY), (left, QUAY)]);
        canvas.fill(polygon(&outline), Brush::down(top, colour, QUAY + 20.0, mist));
        if dice.chance(0.22) {
            let mast = [(middle, top), (middle, top - dice.between(40.0, 75.0))];
            canvas.stroke(line(&mast), 2.0, Brush::Flat(colour, 1.0));
            canvas.glow(mast[1], 9.0, hex(0xFF5A4F), 0.9);
        }
    }

    fn light_windows(&self, canvas: &mut Canvas, palette: &Palette, part: f32, dice: &mut Dice) {
        let lamp = palette.accents[1].mix(hex(0xFFE2A0), 0.6);
        let share = if palette.is_night() { 0.5 } else { 0.3 };
        let (across, down) = (9.0 + 2.0 * part, 13.0 + 2.0 * part);
        let columns = ((self.width - 8.0) / across) as usize;
        let margin = (self.width - columns as f32 * across) / 2.0;
        let rows = ((QUAY - self.top - 14.0) / down) as usize;
        for cell in 0..columns * rows {
            if !dice.chance(share) {
                continue;
            }
            let x = self.left + margin + (cell % columns) as f32 * across + 2.0;
            let y = self.top + 9.0 + (cell / columns) as f32 * down;
            let (right, bottom) = (x + across - 4.0, y + down - 6.5);
            let pane = [(x, y), (right, y), (right, bottom), (x, bottom)];
            let glow = dice.between(0.35, 0.95) * (0.55 + 0.45 * part);
            canvas.fill(polygon(&pane), Brush::Flat(lamp, glow));
        }
    }
}

fn lanterns(canvas: &mut Canvas, palette: &Palette) {
    let lamp = palette.accents[0].mix(hex(0xFFE2A0), 0.7);
    for index in 0..9 {
        let x = 40.0 + index as f32 * 86.0;
        let post = [(x, QUAY), (x, QUAY - 26.0)];
        canvas.stroke(line(&post), 2.2, Brush::Flat(palette.near.darker(0.4), 1.0));
        canvas.glow(post[1], 34.0, lamp, 0.6);
        canvas.glow((x, QUAY + 30.0), 26.0, lamp, 0.25);
        canvas.fill(circle(post[1], 3.2), Brush::Flat(lamp.lighter(0.5), 1.0));
    }
}
