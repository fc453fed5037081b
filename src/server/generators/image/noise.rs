//! Noise: smooth chance over the plane, from which hills, clouds and currents are made.

use super::super::dice::{Dice, mix};

/// Value noise: chance at whole points, smoothly joined between them.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    seed: u64,
}

impl Noise {
    pub fn new(dice: &mut Dice) -> Noise {
        Noise { seed: dice.next() }
    }

    /// Smooth chance at a point, 0 to 1.
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (ease(x - left), ease(y - top));
        let (column, row) = (left as i64, top as i64);
        let upper = between(self.corner(column, row), self.corner(column + 1, row), across);
        let lower = between(self.corner(column, row + 1), self.corner(column + 1, row + 1), across);
        between(upper, lower, down)
    }

    /// Layers of ever finer and weaker noise, 0 to 1: the outline of a cloud or a mountain.
    pub fn layered(&self, x: f32, y: f32, layers: u32) -> f32 {
        let (mut sum, mut total, mut weight, mut scale) = (0.0, 0.0, 1.0, 1.0);
        for layer in 0..layers {
            // Shifted, so that the layers do not all have a corner at zero.
            let shift = layer as f32 * 17.3;
            sum += weight * self.at(x * scale + shift, y * scale - shift);
            total += weight;
            weight *= 0.5;
            scale *= 2.0;
        }
        sum / total
    }

    fn corner(&self, column: i64, row: i64) -> f32 {
        let place = (column as u64).wrapping_mul(0x9E37_79B9) ^ (row as u64).rotate_left(32);
        (mix(self.seed ^ place) >> 40) as f32 / (1_u32 << 24) as f32
    }
}

fn ease(part: f32) -> f32 {
    part * part * (3.0 - 2.0 * part)
}

fn between(low: f32, high: f32, part: f32) -> f32 {
    low + (high - low) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_smooth_bounded_and_not_flat() {
        let noise = Noise::new(&mut Dice::for_text("noise", 0));
        let line: Vec<f32> = (-2_000..2_000).map(|x| noise.layered(x as f32 * 0.01, 0.5, 4)).collect();
        assert!(line.iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(line.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.08));
        assert!(line.iter().any(|value| *value > 0.6) && line.iter().any(|value| *value < 0.4));
    }
}
