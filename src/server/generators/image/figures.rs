//! Figures: the small guests of a picture, each drawn from a few plain shapes.

use std::f32::consts::{PI, TAU};

use super::super::dice::Dice;
use super::canvas::{Brush, Canvas};
use super::colour::{Rgb, hex};
use super::palette::Palette;
use super::shapes::{Point, arc, bow, circle, line, petal, polygon, slice};

/// Light behind a window at night.
const LAMP: Rgb = hex(0xFFD98A);

/// A pine that stands on `foot`, `height` pixels high.
pub fn pine(canvas: &mut Canvas, foot: Point, height: f32, brush: Brush) {
    let (x, y) = foot;
    let mut points = vec![(x, y - height)];
    let tiers = 5;
    let side = |sign: f32| {
        (0..tiers).flat_map(move |tier| {
            let down = (tier + 1) as f32 / tiers as f32;
            let reach = height * 0.24 * down.powf(0.8);
            let level = y - height + height * 0.93 * down;
            [(x + sign * reach, level), (x + sign * reach * 0.5, level - height * 0.035)]
        })
    };
    points.extend(side(1.0));
    points.extend([(x + height * 0.025, y + 4.0), (x - height * 0.025, y + 4.0)]);
    let mut left: Vec<Point> = side(-1.0).collect();
    left.reverse();
    points.extend(left);
    canvas.fill(polygon(&points), brush);
}

/// A cat that sits on `foot` and looks into the distance; `height` to the tips of its ears.
pub fn cat(canvas: &mut Canvas, foot: Point, height: f32, ink: Rgb) {
    let at = |x: f32, y: f32| (foot.0 + x * height, foot.1 - y * height);
    let brush = Brush::Flat(ink, 1.0);
    let tail = [at(0.16, 0.06), at(0.34, 0.02), at(0.48, 0.08), at(0.53, 0.22), at(0.47, 0.34)];
    let smooth_tail: Vec<Point> = rounded(&tail);
    canvas.stroke(line(&smooth_tail), height * 0.075, brush);
    canvas.fill(petal(at(0.0, 0.98), PI / 2.0, height * 0.98, height * 0.30), brush);
    canvas.fill(circle(at(0.02, 0.2), height * 0.2), brush);
    canvas.fill(circle(at(-0.1, 0.045), height * 0.055), brush);
    canvas.fill(circle(at(0.0, 0.74), height * 0.17), brush);
    for side in [-1.0, 1.0] {
        let ear = [at(side * 0.165, 0.78), at(side * 0.14, 1.0), at(side * 0.02, 0.89)];
        canvas.fill(polygon(&ear), brush);
    }
}

/// Cuts the corners of a line twice (Chaikin), which makes it a curve.
fn rounded(points: &[Point]) -> Vec<Point> {
    let mut curve = points.to_vec();
    for _ in 0..3 {
        let mut next = Vec::with_capacity(curve.len() * 2);
        next.extend(curve.first().copied());
        for pair in curve.windows(2) {
            let cut =
                |part: f32| (pair[0].0 + (pair[1].0 - pair[0].0) * part, pair[0].1 + (pair[1].1 - pair[0].1) * part);
            next.extend([cut(0.25), cut(0.75)]);
        }
        next.extend(curve.last().copied());
        curve = next;
    }
    curve
}

/// A sailing boat on the water at `foot`, `height` pixels to the top of its mast.
pub fn boat(canvas: &mut Canvas, foot: Point, height: f32, palette: &Palette) {
    let at = |x: f32, y: f32| (foot.0 + x * height, foot.1 - y * height);
    let shade = Brush::Flat(palette.ink, 0.28);
    let mirrored = [at(-0.3, 0.0), at(0.36, 0.0), at(0.1, -0.45), at(-0.1, -0.3)];
    canvas.fill(polygon(&mirrored), shade);
    let main = [at(0.03, 0.98), at(0.03, 0.16), at(0.46, 0.16)];
    canvas.fill(
        polygon(&main),
        Brush::Run { from: (at(0.0, 0.0).0, foot.1, palette.light), to: (at(0.5, 0.0).0, foot.1, palette.accents[0]) },
    );
    let jib = [at(-0.02, 0.86), at(-0.02, 0.18), at(-0.32, 0.18)];
    canvas.fill(polygon(&jib), Brush::Flat(palette.light.lighter(0.5), 1.0));
    canvas.stroke(line(&[at(0.005, 1.02), at(0.005, 0.1)]), height * 0.02, Brush::Flat(palette.ink, 1.0));
    let hull = [at(-0.38, 0.13), at(0.48, 0.13), at(0.34, -0.02), at(-0.26, -0.02)];
    canvas.fill(polygon(&hull), Brush::Flat(palette.ink, 1.0));
    let stripe = [at(-0.36, 0.1), at(0.46, 0.1)];
    canvas.stroke(line(&stripe), height * 0.018, Brush::Flat(palette.accents[1], 0.9));
}

/// A hot-air balloon around `middle`; `radius` is that of its envelope.
pub fn balloon(canvas: &mut Canvas, middle: Point, radius: f32, palette: &Palette) {
    let (x, y) = middle;
    let basket = (x, y + radius * 1.72);
    let rope = Brush::Flat(palette.ink, 0.8);
    for side in [-1.0, 1.0] {
        let ends = [(x + side * radius * 0.5, y + radius * 0.85), (x + side * radius * 0.13, basket.1)];
        canvas.stroke(line(&ends), radius * 0.02 + 0.4, rope);
    }
    // Stripes from the outside in, each narrower: the round of the envelope.
    let colours = [palette.accents[0], palette.accents[1], palette.accents[2]];
    for (index, part) in [1.0, 0.74, 0.46, 0.17].into_iter().enumerate() {
        let colour = colours[index % colours.len()];
        let mut outline: Vec<Point> = arc((0.0, 0.0), 1.0, PI * 0.87, TAU + PI * 0.13);
        outline.extend([(0.22, 1.28), (-0.22, 1.28)]);
        let points: Vec<Point> = outline.iter().map(|(dx, dy)| (x + dx * radius * part, y + dy * radius)).collect();
        let across = Brush::Run {
            from: (x - radius, y - radius, colour.lighter(0.22)),
            to: (x + radius, y + radius, colour.darker(0.25)),
        };
        canvas.fill(polygon(&points), across);
    }
    let (half, depth) = (radius * 0.17, radius * 0.24);
    let sides = [
        (x - half, basket.1),
        (x + half, basket.1),
        (x + half * 0.8, basket.1 + depth),
        (x - half * 0.8, basket.1 + depth),
    ];
    canvas.fill(polygon(&sides), Brush::Flat(palette.ink, 1.0));
}

/// A cabin with a lit window and smoke, its lower left corner at `foot`.
pub fn cabin(canvas: &mut Canvas, foot: Point, width: f32, ink: Rgb) {
    let at = |x: f32, y: f32| (foot.0 + x * width, foot.1 - y * width);
    let brush = Brush::Flat(ink, 1.0);
    for puff in 0..9 {
        let rise = puff as f32;
        let place = at(0.76 + 0.012 * rise * rise, 0.98 + 0.11 * rise);
        canvas.glow(place, width * (0.09 + 0.02 * rise), LAMP.lighter(0.7), 0.22 - 0.02 * rise);
    }
    canvas.fill(polygon(&[at(0.0, -0.1), at(0.0, 0.45), at(1.0, 0.45), at(1.0, -0.1)]), brush);
    canvas.fill(polygon(&[at(-0.12, 0.42), at(0.5, 0.88), at(1.12, 0.42)]), brush);
    canvas.fill(polygon(&[at(0.7, 0.6), at(0.7, 0.95), at(0.82, 0.95), at(0.82, 0.6)]), brush);
    let window = [at(0.56, 0.12), at(0.56, 0.34), at(0.8, 0.34), at(0.8, 0.12)];
    canvas.glow(at(0.68, 0.23), width * 0.8, LAMP, 0.55);
    canvas.fill(polygon(&window), Brush::Flat(LAMP, 1.0));
    let door = [at(0.2, -0.1), at(0.2, 0.3), at(0.4, 0.3), at(0.4, -0.1)];
    canvas.fill(polygon(&door), Brush::Flat(LAMP.darker(0.45), 0.8));
    canvas.stroke(line(&[at(0.68, 0.12), at(0.68, 0.34)]), width * 0.02, brush);
    canvas.stroke(line(&[at(0.56, 0.23), at(0.8, 0.23)]), width * 0.02, brush);
}

/// A butterfly in flight.
pub fn butterfly(canvas: &mut Canvas, middle: Point, size: f32, (wings, ink): (Rgb, Rgb), dice: &mut Dice) {
    let tilt = dice.between(-0.5, 0.5);
    for (angle, length) in [(-0.75, 1.0), (0.55, 0.72)] {
        for side in [0.0, PI] {
            let turn = if side == 0.0 { angle } else { PI - angle };
            let wing = petal(middle, turn + tilt, size * length, size * 0.55 * length);
            canvas.fill(wing, Brush::Flat(wings, 0.95));
            let inner = petal(middle, turn + tilt, size * length * 0.62, size * 0.3 * length);
            canvas.fill(inner, Brush::Flat(wings.lighter(0.55), 0.8));
        }
    }
    let along = (-tilt.sin() * size * 0.38, tilt.cos() * size * 0.38);
    let ends = [(middle.0 - along.0, middle.1 - along.1), (middle.0 + along.0, middle.1 + along.1)];
    canvas.stroke(line(&ends), size * 0.09, Brush::Flat(ink, 1.0));
    for side in [-1.0, 1.0] {
        let tip = (ends[0].0 + side * size * 0.22, ends[0].1 - size * 0.3);
        canvas.stroke(bow(ends[0], (ends[0].0, tip.1), tip), size * 0.03 + 0.4, Brush::Flat(ink, 0.9));
    }
}

/// A mushroom with a spotted cap that stands on `foot`, `height` pixels high.
pub fn mushroom(canvas: &mut Canvas, foot: Point, height: f32, palette: &Palette) {
    let at = |x: f32, y: f32| (foot.0 + x * height, foot.1 - y * height);
    let shade = if palette.is_night() { 0.5 } else { 0.12 };
    let (cap, stem) = (palette.accents[0].darker(shade), palette.light.darker(shade));
    let leg = [at(-0.09, 0.6), at(0.09, 0.6), at(0.14, 0.0), at(-0.14, 0.0)];
    canvas.fill(polygon(&leg), Brush::Flat(stem, 1.0));
    let brush = Brush::down(foot.1 - height, cap.lighter(0.15), foot.1 - height * 0.5, cap.darker(0.2));
    canvas.fill(slice(at(0.0, 0.52), height * 0.46, PI, TAU), brush);
    for (x, y, radius) in [(-0.22, 0.66, 0.06), (0.04, 0.82, 0.075), (0.24, 0.63, 0.05)] {
        canvas.fill(circle(at(x, y), height * radius), Brush::Flat(stem, 0.95));
    }
}

/// A ladybird that walks up a blade.
pub fn ladybird(canvas: &mut Canvas, middle: Point, size: f32) {
    let (ink, shell) = (hex(0x1B1B1F), hex(0xD7263D));
    canvas.fill(circle((middle.0, middle.1 - size * 0.75), size * 0.5), Brush::Flat(ink, 1.0));
    canvas.fill(slice(middle, size, 0.0, TAU), Brush::Flat(shell, 1.0));
    let back = [(middle.0, middle.1 - size), (middle.0, middle.1 + size)];
    canvas.stroke(line(&back), size * 0.12, Brush::Flat(ink, 1.0));
    for (x, y) in [(-0.5, -0.3), (0.5, -0.3), (-0.45, 0.4), (0.45, 0.4)] {
        let spot = (middle.0 + x * size, middle.1 + y * size);
        canvas.fill(circle(spot, size * 0.2), Brush::Flat(ink, 1.0));
    }
}
