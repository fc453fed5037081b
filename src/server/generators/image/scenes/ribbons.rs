//! Ribbons: silk in a current that nobody sees.

use std::f32::consts::{PI, TAU};

use super::super::super::dice::Dice;
use super::super::canvas::{Brush, Canvas, SIZE};
use super::super::colour::{Rgb, along, smooth};
use super::super::noise::Noise;
use super::super::palette::Palette;
use super::super::shapes::{Point, circle, polygon};
use super::Brief;

/// Length of one step along the current, in pixels.
const STEP: f32 = 5.0;

pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    let palette = &brief.palette;
    let current = Current { noise: Noise::new(dice), heading: dice.between(-0.5, 0.5), turn: dice.between(1.1, 1.7) };
    background(canvas, palette, dice);
    // Broad ribbons first, ever finer ones above them.
    for index in 0..330 {
        let fine = index as f32 / 330.0;
        let start = (dice.between(-0.2, 1.0) * SIZE, dice.between(-0.05, 1.05) * SIZE);
        let width = (30.0 * (1.0 - fine).powi(2) + 2.2) * dice.between(0.6, 1.2);
        let steps = 60 + dice.below(110);
        let path = current.follow(start, steps);
        // Neighbours share their colour, so that the whole falls into a few bands.
        let hue = current.noise.layered(start.0 * 0.002 + 40.0, start.1 * 0.003, 2);
        let colour = band_colour(palette, hue + dice.between(-0.07, 0.07));
        ribbon(canvas, &path, width, (colour, palette.ink));
    }
    for _ in 0..40 {
        let place = (dice.unit() * SIZE, dice.unit() * SIZE);
        canvas.fill(circle(place, dice.between(1.0, 3.2)), Brush::Flat(palette.light, 0.85));
    }
}

fn background(canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
    let haze = Noise::new(dice);
    let dusk = palette.ink.mix(palette.sky[0], 0.7);
    let dark = [palette.ink.darker(0.3), palette.ink, dusk, palette.sky[0].mix(palette.sky[1], 0.35)];
    canvas.shade(|x, y, _| along(&dark, y / SIZE * 0.8 + 0.35 * haze.layered(x * 0.003, y * 0.003, 3)));
}

fn band_colour(palette: &Palette, hue: f32) -> Rgb {
    let place = smooth(0.2, 0.8, hue) * 3.99;
    let index = (place as usize).min(3);
    palette.accents[index].mix(palette.accents[index + 1], place - index as f32)
}

/// A field of directions.
struct Current {
    noise: Noise,
    heading: f32,
    turn: f32,
}

impl Current {
    fn angle(&self, (x, y): Point) -> f32 {
        let swirl = self.noise.layered(x * 0.0022, y * 0.0022, 2) - 0.5;
        self.heading + self.turn * TAU * swirl
    }

    fn follow(&self, start: Point, steps: usize) -> Vec<Point> {
        let mut path = Vec::with_capacity(steps);
        let mut place = start;
        for _ in 0..steps {
            path.push(place);
            let angle = self.angle(place);
            place = (place.0 + angle.cos() * STEP, place.1 + angle.sin() * STEP);
        }
        path
    }
}

/// A band along `path`, widest in its middle, above its own soft shadow.
fn ribbon(canvas: &mut Canvas, path: &[Point], width: f32, (colour, ink): (Rgb, Rgb)) {
    let (Some(first), Some(last)) = (path.first(), path.last()) else {
        return;
    };
    if width > 6.0 {
        canvas.fill(outline(path, width * 1.25, (3.0, 7.0)), Brush::Flat(ink, 0.16));
    }
    let run = Brush::Run { from: (first.0, first.1, colour.darker(0.3)), to: (last.0, last.1, colour.lighter(0.22)) };
    canvas.fill(outline(path, width, (0.0, 0.0)), run);
    if width > 6.0 {
        let shine = outline(path, width * 0.14, (0.0, -width * 0.16));
        canvas.fill(shine, Brush::Flat(colour.lighter(0.6), 0.4));
    }
}

fn outline(path: &[Point], width: f32, (right, down): Point) -> Option<tiny_skia::Path> {
    let edge = |sign: f32| {
        path.windows(2).enumerate().map(move |(index, pair)| {
            let (across, along) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            let taper = (index as f32 / path.len() as f32 * PI).sin();
            let reach = sign * width / 2.0 * taper / STEP;
            (pair[0].0 - along * reach + right, pair[0].1 + across * reach + down)
        })
    };
    let mut points: Vec<Point> = edge(1.0).collect();
    let mut back: Vec<Point> = edge(-1.0).collect();
    back.reverse();
    points.extend(back);
    polygon(&points)
}
