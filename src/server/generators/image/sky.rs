//! Sky: the light behind every landscape, by day with sun and clouds, by night with moon and stars.

use std::f32::consts::TAU;

use super::super::dice::Dice;
use super::canvas::{Brush, Canvas, SIZE};
use super::colour::{Rgb, WHITE, along, smooth};
use super::noise::Noise;
use super::palette::{Hour, Palette};
use super::shapes::{Point, circle};

/// Where the lights of a sky stand.
#[derive(Debug, Clone, Copy)]
pub struct Sky {
    /// Height of the horizon in pixels from the top.
    pub horizon: f32,
    /// Middle of the sun or moon.
    pub body: Point,
    pub radius: f32,
}

impl Sky {
    /// A sky with its sun or moon at a height between `highest` and `lowest`.
    pub fn throw(horizon: f32, (highest, lowest): (f32, f32), dice: &mut Dice) -> Sky {
        Sky {
            horizon,
            body: (dice.between(0.24, 0.76) * SIZE, dice.between(highest, lowest)),
            radius: dice.between(44.0, 74.0),
        }
    }

    pub fn paint(&self, canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
        let sky = palette.sky;
        canvas.shade(|_, y, _| along(&sky, y / self.horizon));
        match palette.hour {
            Hour::Day => {
                self.sun(canvas, palette);
                self.clouds(canvas, palette, dice);
            }
            Hour::Night => {
                self.milky_way(canvas, palette, dice);
                self.stars(canvas, palette, dice);
                self.moon(canvas, palette, dice);
            }
        }
    }

    fn sun(&self, canvas: &mut Canvas, palette: &Palette) {
        let (x, y) = self.body;
        canvas.glow((x, y), 620.0, palette.light, 0.45);
        canvas.glow((x, y), 240.0, palette.light, 0.5);
        let rim = palette.light.mix(palette.sky[3], 0.35);
        let disc = Brush::down(y - self.radius, palette.light, y + self.radius, rim);
        canvas.fill(circle((x, y), self.radius), disc);
    }

    fn clouds(&self, canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
        let noise = Noise::new(dice);
        let (lit, shaded) = (palette.light.mix(palette.sky[3], 0.25), palette.sky[1].mix(palette.sky[2], 0.4));
        let density = dice.between(0.5, 0.56);
        canvas.shade(|x, y, under| {
            if y > self.horizon {
                return under;
            }
            let low = y / self.horizon;
            // Flatter towards the horizon, as clouds far away are.
            let shape = noise.layered(x * 0.0042, y * (0.011 + 0.02 * low), 5);
            let cover = smooth(density, density + 0.2, shape) * smooth(0.0, 0.15, low);
            let below = noise.layered(x * 0.0042, (y + 14.0) * (0.011 + 0.02 * low), 3);
            let shadow = smooth(0.45, 0.75, below);
            under.mix(lit.mix(shaded, shadow * 0.7), cover * 0.62)
        });
    }

    fn milky_way(&self, canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
        let noise = Noise::new(dice);
        let tilt = dice.between(0.5, 1.1) * if dice.chance(0.5) { 1.0 } else { -1.0 };
        let (lean, upright) = (tilt.sin(), tilt.cos());
        let (warm, cool) = (palette.accents[3].mix(palette.light, 0.3), palette.sky[3].mix(palette.accents[1], 0.4));
        canvas.shade(|x, y, under| {
            let away = ((x - SIZE * 0.5) * upright + (y - self.horizon * 0.4) * lean) / 150.0;
            let band = (-away * away).exp();
            let cloud = noise.layered(x * 0.008, y * 0.008, 5);
            let lane = smooth(0.62, 0.45, noise.layered(x * 0.012 + 50.0, y * 0.012, 4));
            let glow = band * smooth(0.25, 0.8, cloud) * (0.35 + 0.65 * lane);
            under.screen(cool.mix(warm, cloud), glow * 0.55)
        });
    }

    fn stars(&self, canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
        for _ in 0..330 {
            let place = (dice.unit() * SIZE, dice.unit() * self.horizon);
            // The cube makes most stars small.
            let size = dice.unit().powi(3);
            let tint = palette.light.mix(dice.pick(&palette.accents), 0.3);
            let colour = tint.lighter(0.4);
            canvas.fill(circle(place, 0.6 + 1.3 * size), Brush::Flat(colour, 0.35 + 0.65 * dice.unit()));
            if size > 0.75 {
                canvas.glow(place, 10.0 + 8.0 * size, tint, 0.7);
            }
        }
    }

    /// A full or a waning moon with its dark seas.
    fn moon(&self, canvas: &mut Canvas, palette: &Palette, dice: &mut Dice) {
        let ((x, y), radius) = (self.body, self.radius);
        let noise = Noise::new(dice);
        let crescent = dice.chance(0.5);
        canvas.glow((x, y), 330.0, palette.light, 0.28);
        canvas.glow((x, y), 130.0, palette.light, 0.3);
        let turn = dice.between(-0.5, 0.5);
        let dark_side = (x + turn.cos() * radius * 0.62, y - turn.sin() * radius * 0.62);
        canvas.shade(|column, row, under| {
            let disc = smooth(radius + 0.8, radius - 0.8, (column - x).hypot(row - y));
            if disc == 0.0 {
                return under;
            }
            let seas = smooth(0.45, 0.7, noise.layered(column * 0.022, row * 0.022, 4));
            let away = (column - dark_side.0).hypot(row - dark_side.1);
            let lit = if crescent { smooth(radius * 0.86, radius * 0.93, away).max(0.05) } else { 1.0 };
            under.mix(palette.light.darker(seas * 0.16), disc * lit)
        });
    }
}

/// A falling star, for luck.
pub fn falling_star(canvas: &mut Canvas, dice: &mut Dice) {
    let (x, y) = (dice.between(0.2, 0.6) * SIZE, dice.between(0.06, 0.2) * SIZE);
    let slope = dice.between(0.3, 0.6);
    for step in 0..40 {
        let part = step as f32 / 40.0;
        let place = (x + part * 120.0, y + part * 120.0 * slope);
        canvas.fill(circle(place, 0.3 + 1.5 * part), Brush::Flat(WHITE, part * part * 0.8));
    }
    canvas.glow((x + 120.0, y + 120.0 * slope), 18.0, WHITE, 0.8);
}

/// Small birds far away.
pub fn birds(canvas: &mut Canvas, ink: Rgb, dice: &mut Dice) {
    let flock = (dice.between(0.2, 0.7) * SIZE, dice.between(0.18, 0.34) * SIZE);
    for _ in 0..5 + dice.below(4) {
        let (x, y) = (flock.0 + dice.between(-90.0, 90.0), flock.1 + dice.between(-36.0, 36.0));
        let (span, lift) = (dice.between(6.0, 12.0), dice.between(0.35, 0.8));
        for side in [-1.0, 1.0] {
            let tip = (x + side * span, y - span * lift * 0.5);
            let bend = (x + side * span * 0.5, y - span * lift);
            let wing = super::shapes::bow((x, y), bend, tip);
            canvas.stroke(wing, 1.7, Brush::Flat(ink, 0.75));
        }
    }
}

/// Little lights that float above the ground.
pub fn fireflies(canvas: &mut Canvas, light: Rgb, dice: &mut Dice) {
    for _ in 0..34 {
        let place = (dice.unit() * SIZE, dice.between(0.58, 0.97) * SIZE);
        let size = dice.between(1.0, 2.4);
        let flicker = 0.6 + 0.4 * (dice.unit() * TAU).sin();
        canvas.glow(place, size * 9.0, light, flicker * 0.8);
        canvas.fill(circle(place, size), Brush::Flat(light.lighter(0.6), flicker));
    }
}
