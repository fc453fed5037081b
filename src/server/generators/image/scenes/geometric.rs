//! Geometric: plain shapes in order, as posters of the 1920s had them.

use std::f32::consts::{PI, TAU};

use super::super::super::dice::Dice;
use super::super::canvas::{Brush, Canvas, SIZE};
use super::super::colour::Rgb;
use super::super::noise::Noise;
use super::super::palette::Palette;
use super::super::shapes::{Point, circle, line, polygon, slice};
use super::Brief;

/// Free edge around the tiles, in pixels.
const MARGIN: f32 = 44.0;

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let fibres = Noise::new(dice);
    canvas.shade(|x, y, _| palette.paper.darker(0.05 * fibres.layered(x * 0.012, y * 0.012, 4)));
    if dice.chance(0.55) {
        tiles(canvas, palette, dice);
    } else {
        balance(canvas, palette, dice);
    }
}

/// One square of the order.
#[derive(Debug, Clone, Copy)]
struct Tile {
    corner: Point,
    side: f32,
}

impl Tile {
    fn at(&self, x: f32, y: f32) -> Point {
        (self.corner.0 + x * self.side, self.corner.1 + y * self.side)
    }

    fn whole(&self) -> [Point; 4] {
        [self.at(0.0, 0.0), self.at(1.0, 0.0), self.at(1.0, 1.0), self.at(0.0, 1.0)]
    }

    /// A corner, and the angle at which the tile opens from it.
    fn turned_corner(&self, turn: usize) -> (Point, f32) {
        match turn % 4 {
            0 => (self.at(0.0, 0.0), 0.0),
            1 => (self.at(1.0, 0.0), PI / 2.0),
            2 => (self.at(1.0, 1.0), PI),
            _ => (self.at(0.0, 1.0), PI * 1.5),
        }
    }
}

fn tiles(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    let count = 4 + dice.below(3);
    let side = (SIZE - 2.0 * MARGIN) / count as f32;
    let inks = inks(palette);
    for index in 0..count * count {
        let (column, row) = ((index % count) as f32, (index / count) as f32);
        let tile = Tile { corner: (MARGIN + column * side, MARGIN + row * side), side };
        let back = dice.below(inks.len());
        // Any step but a full round gives another colour.
        let front = (back + 1 + dice.below(inks.len() - 1)) % inks.len();
        canvas.fill(polygon(&tile.whole()), Brush::Flat(inks[back], 1.0));
        motif(canvas, tile, (inks[front], inks[back]), dice);
    }
}

fn inks(palette: &Palette) -> [Rgb; 7] {
    let [a, b, c, d, e] = palette.accents;
    [a, b, c, d, e, palette.ink, palette.paper]
}

fn motif(canvas: &mut Canvas, tile: Tile, (front, back): (Rgb, Rgb), dice: &mut Dice) {
    let brush = Brush::Flat(front, 1.0);
    let turn = dice.below(4);
    let (corner, opening) = tile.turned_corner(turn);
    let (centre, side) = (tile.at(0.5, 0.5), tile.side);
    match dice.below(8) {
        0 => canvas.fill(slice(corner, side, opening, opening + PI / 2.0), brush),
        1 => {
            for ring in 0..5 {
                let colour = if ring % 2 == 0 { front } else { back };
                let radius = side * (1.0 - ring as f32 * 0.2);
                canvas.fill(slice(corner, radius, opening, opening + PI / 2.0), Brush::Flat(colour, 1.0));
            }
        }
        2 => {
            canvas.fill(circle(centre, side * 0.38), brush);
            canvas.fill(circle(centre, side * 0.16), Brush::Flat(back, 1.0));
        }
        3 => {
            for half in [0.0, 0.5] {
                let middle = tile.at(0.5, 0.5 + half);
                canvas.fill(slice(middle, side * 0.5, PI, TAU), brush);
            }
        }
        4 => {
            for stripe in 0..4 {
                let from = stripe as f32 * 0.25;
                let bar =
                    [tile.at(0.0, from), tile.at(1.0, from), tile.at(1.0, from + 0.125), tile.at(0.0, from + 0.125)];
                canvas.fill(polygon(&bar), brush);
            }
        }
        5 => {
            for dot in 0..16 {
                let place = tile.at(0.125 + 0.25 * (dot % 4) as f32, 0.125 + 0.25 * (dot / 4) as f32);
                canvas.fill(circle(place, side * 0.07), brush);
            }
        }
        6 => {
            let (far, _) = tile.turned_corner(turn + 1);
            let (last, _) = tile.turned_corner(turn + 2);
            canvas.fill(polygon(&[corner, far, last]), brush);
        }
        _ => leaf(canvas, tile, turn, brush),
    }
}

/// Where two quarter circles from opposite corners overlap.
fn leaf(canvas: &mut Canvas, tile: Tile, turn: usize, brush: Brush) {
    let (corner, opening) = tile.turned_corner(turn);
    let (opposite, reverse) = tile.turned_corner(turn + 2);
    let mut outline = super::super::shapes::arc(corner, tile.side, opening, opening + PI / 2.0);
    outline.extend(super::super::shapes::arc(opposite, tile.side, reverse, reverse + PI / 2.0));
    canvas.fill(polygon(&outline), brush);
}

/// A free composition: one great disc, held by bars, rings and dots.
fn balance(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    let [first, second, third, fourth, fifth] = palette.accents;
    let disc = (dice.between(0.36, 0.64) * SIZE, dice.between(0.34, 0.55) * SIZE);
    let radius = dice.between(170.0, 215.0);
    let tilt = dice.between(-0.7, -0.35);
    band(canvas, (disc.0 - 60.0, disc.1 + 150.0), (tilt, 900.0, 110.0), Brush::Flat(fifth, 0.9));
    canvas.fill(circle((disc.0 + 14.0, disc.1 + 18.0), radius), Brush::Flat(palette.ink, 0.12));
    canvas.fill(
        circle(disc, radius),
        Brush::Run {
            from: (disc.0 - radius, disc.1 - radius, first.lighter(0.12)),
            to: (disc.0 + radius, disc.1 + radius, first.darker(0.12)),
        },
    );
    canvas.fill(slice(disc, radius * 0.72, tilt, tilt + PI), Brush::Flat(second, 1.0));
    canvas.fill(circle(disc, radius * 0.3), Brush::Flat(palette.ink, 1.0));
    canvas.fill(circle(disc, radius * 0.13), Brush::Flat(palette.paper, 1.0));
    let triangle = [(70.0, 700.0), (330.0, 700.0), (200.0, dice.between(470.0, 540.0))];
    canvas.fill(polygon(&triangle), Brush::Flat(fourth, 0.94));
    let rings = (dice.between(560.0, 640.0), dice.between(560.0, 630.0));
    for ring in 0..5 {
        canvas.stroke(
            circle(rings, 18.0 + 19.0 * ring as f32),
            7.0,
            Brush::Flat(if ring % 2 == 0 { palette.ink } else { third.darker(0.1) }, 1.0),
        );
    }
    for bar in 0..4 {
        let start = (disc.0 + 60.0 + 26.0 * bar as f32, disc.1 - 250.0 + 30.0 * bar as f32);
        band(canvas, start, (tilt, 240.0 - 40.0 * bar as f32, 10.0), Brush::Flat(palette.ink, 1.0));
    }
    for dot in 0..25 {
        let place = (64.0 + 22.0 * (dot % 5) as f32, 64.0 + 22.0 * (dot / 5) as f32);
        canvas.fill(circle(place, 4.6), Brush::Flat(palette.ink, 0.9));
    }
    let thread = [(0.0, dice.between(120.0, 260.0)), (SIZE, dice.between(430.0, 640.0))];
    canvas.stroke(line(&thread), 2.5, Brush::Flat(palette.ink, 0.85));
}

/// A bar around `middle`, by its tilt, its length and its width.
fn band(canvas: &mut Canvas, middle: Point, (tilt, length, width): (f32, f32, f32), brush: Brush) {
    let (along, aside) =
        ((tilt.cos() * length / 2.0, tilt.sin() * length / 2.0), (-tilt.sin() * width / 2.0, tilt.cos() * width / 2.0));
    let corner = |a: f32, b: f32| (middle.0 + a * along.0 + b * aside.0, middle.1 + a * along.1 + b * aside.1);
    canvas.fill(polygon(&[corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)]), brush);
}
