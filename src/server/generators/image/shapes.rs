//! Shapes: the outlines that scenes fill, from points in pixels.

use std::f32::consts::TAU;

use tiny_skia::{Path, PathBuilder};

use super::canvas::SIZE;

pub type Point = (f32, f32);

/// A closed outline through `points`.
pub fn polygon(points: &[Point]) -> Option<Path> {
    let mut builder = traced(points);
    builder.close();
    builder.finish()
}

/// An open line through `points`.
pub fn line(points: &[Point]) -> Option<Path> {
    traced(points).finish()
}

fn traced(points: &[Point]) -> PathBuilder {
    let mut builder = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 {
            builder.move_to(*x, *y);
        } else {
            builder.line_to(*x, *y);
        }
    }
    builder
}

pub fn circle((x, y): Point, radius: f32) -> Option<Path> {
    PathBuilder::from_circle(x, y, radius)
}

/// A petal from `root`, `length` pixels in direction `angle`, as wide as `width` in its middle.
pub fn petal(root: Point, angle: f32, length: f32, width: f32) -> Option<Path> {
    let place = |along: f32, aside: f32| {
        (
            root.0 + angle.cos() * along * length - angle.sin() * aside * width,
            root.1 + angle.sin() * along * length + angle.cos() * aside * width,
        )
    };
    let (tip, left, right) =
        (place(1.0, 0.0), [place(0.25, 0.7), place(0.95, 0.65)], [place(0.95, -0.65), place(0.25, -0.7)]);
    let mut builder = PathBuilder::new();
    builder.move_to(root.0, root.1);
    builder.cubic_to(left[0].0, left[0].1, left[1].0, left[1].1, tip.0, tip.1);
    builder.cubic_to(right[0].0, right[0].1, right[1].0, right[1].1, root.0, root.1);
    builder.close();
    builder.finish()
}

/// A line bent towards `bend`.
pub fn bow(from: Point, bend: Point, to: Point) -> Option<Path> {
    let mut builder = PathBuilder::new();
    builder.move_to(from.0, from.1);
    builder.quad_to(bend.0, bend.1, to.0, to.1);
    builder.finish()
}

/// The part of a disc around `centre` between two angles, as a slice of cake.
pub fn slice(centre: Point, radius: f32, from: f32, to: f32) -> Option<Path> {
    let mut points = vec![centre];
    points.extend(arc(centre, radius, from, to));
    polygon(&points)
}

/// Points along a circle, close enough together to look round.
pub fn arc(centre: Point, radius: f32, from: f32, to: f32) -> Vec<Point> {
    let steps = (((to - from).abs() / TAU * 96.0) as usize).max(2);
    (0..=steps)
        .map(|step| {
            let angle = from + (to - from) * step as f32 / steps as f32;
            (centre.0 + radius * angle.cos(), centre.1 + radius * angle.sin())
        })
        .collect()
}

/// Everything below the line that `height` draws across the whole picture.
pub fn ground(height: impl Fn(f32) -> f32) -> Option<Path> {
    const STEP: usize = 3;
    let mut points: Vec<Point> = (0..=(SIZE as usize + 2 * STEP) / STEP)
        .map(|index| (index * STEP) as f32 - STEP as f32)
        .map(|x| (x, height(x)))
        .collect();
    points.push((SIZE + 9.0, SIZE + 9.0));
    points.push((-9.0, SIZE + 9.0));
    polygon(&points)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_ground_reaches_from_edge_to_edge_and_to_the_bottom() {
        let bounds = ground(|_| 500.0).expect("an outline").bounds();
        assert!(bounds.left() <= 0.0 && bounds.right() >= SIZE);
        assert!(bounds.bottom() >= SIZE);
        assert_eq!(bounds.top(), 500.0);
    }

    #[test]
    fn a_petal_ends_at_its_tip() {
        let bounds = petal((0.0, 0.0), 0.0, 50.0, 20.0).expect("an outline").bounds();
        assert!((45.0..60.0).contains(&bounds.right()));
    }

    #[test]
    fn no_points_make_no_shape() {
        assert!(polygon(&[]).is_none());
        assert!(line(&[(1.0, 1.0)]).is_none());
    }
}
