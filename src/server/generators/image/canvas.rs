//! Canvas: the square on which a scene is painted, pixel by pixel or shape by shape.

use tiny_skia::{
    FillRule, GradientStop, LineCap, LinearGradient, Paint, Path, Pixmap, Point, PremultipliedColorU8, Shader,
    SpreadMode, Stroke, Transform,
};

use super::super::GenerationError;
use super::super::dice::mix;
use super::colour::{Rgb, smooth};

/// Width and height of every picture, in pixels.
pub const SIDE: u32 = 768;
/// The same as a measure.
pub const SIZE: f32 = SIDE as f32;
/// Strength of the grain: two steps of 255 to either side hide the bands of a gradient, yet leave the
/// PNG small.
const GRAIN_STEPS: i32 = 2;

/// What a shape is filled with.
#[derive(Debug, Clone, Copy)]
pub enum Brush {
    /// A colour and its opacity, 0 to 1.
    Flat(Rgb, f32),
    /// From a colour at a point to another at another point.
    Run { from: (f32, f32, Rgb), to: (f32, f32, Rgb) },
}

impl Brush {
    /// A run downwards, from `top` at height `from` to `bottom` at height `to`.
    pub fn down(from: f32, top: Rgb, to: f32, bottom: Rgb) -> Brush {
        Brush::Run { from: (0.0, from, top), to: (0.0, to, bottom) }
    }

    fn paint(self) -> Paint<'static> {
        let shader = match self {
            Brush::Flat(colour, opacity) => Shader::SolidColor(skia(colour, opacity)),
            Brush::Run { from, to } => gradient(from, to),
        };
        Paint { shader, anti_alias: true, ..Paint::default() }
    }
}

pub struct Canvas {
    pixels: Pixmap,
}

impl Canvas {
    /// An empty canvas of [`SIDE`] by [`SIDE`] pixels.
    ///
    /// # Errors
    /// [`GenerationError::Encoding`] where the machine has no room for it.
    pub fn new() -> Result<Canvas, GenerationError> {
        match Pixmap::new(SIDE, SIDE) {
            Some(pixels) => Ok(Canvas { pixels }),
            None => Err(encoding("no pixels could be set aside".into())),
        }
    }

    /// Paints every pixel with what `colour` makes of its place and of what is there already.
    pub fn shade(&mut self, colour: impl Fn(f32, f32, Rgb) -> Rgb) {
        self.shade_rows(0, colour);
    }

    /// As [`Canvas::shade`], from row `top` downwards.
    pub fn shade_rows(&mut self, top: u32, colour: impl Fn(f32, f32, Rgb) -> Rgb) {
        let side = SIDE as usize;
        let start = (top as usize).min(side) * side;
        for (index, pixel) in self.pixels.pixels_mut()[start..].iter_mut().enumerate() {
            let (x, y) = ((start + index) % side, (start + index) / side);
            let painted = colour(x as f32, y as f32, rgb(*pixel));
            // Rounding up or down by chance keeps a slow gradient from breaking into bands.
            store(pixel, painted, noise_at(x, y));
        }
    }

    pub fn fill(&mut self, path: Option<Path>, brush: Brush) {
        // A shape without an inside, as from two equal points, has no path and nothing to paint.
        if let Some(path) = path {
            let whole = Transform::identity();
            self.pixels.fill_path(&path, &brush.paint(), FillRule::Winding, whole, None);
        }
    }

    /// Draws the line of `path`, `width` pixels wide, with round ends.
    pub fn stroke(&mut self, path: Option<Path>, width: f32, brush: Brush) {
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        if let Some(path) = path {
            let whole = Transform::identity();
            self.pixels.stroke_path(&path, &brush.paint(), &stroke, whole, None);
        }
    }

    /// Adds a soft light of `radius` pixels around a point.
    pub fn glow(&mut self, (x, y): (f32, f32), radius: f32, light: Rgb, strength: f32) {
        let bounds = |centre: f32| {
            let low = (centre - radius).clamp(0.0, SIZE) as usize;
            let high = (centre + radius + 1.0).clamp(0.0, SIZE) as usize;
            low..high
        };
        for row in bounds(y) {
            for column in bounds(x) {
                let away = (column as f32 - x).hypot(row as f32 - y) / radius;
                let part = (1.0 - away).max(0.0).powi(2) * strength;
                let pixel = &mut self.pixels.pixels_mut()[row * SIDE as usize + column];
                store(pixel, rgb(*pixel).screen(light, part), noise_at(column, row));
            }
        }
    }

    /// Mirrors what stands above row `line` in still water below it, which fades into `deep`.
    pub fn reflect(&mut self, line: u32, deep: Rgb) {
        let above = self.pixels.clone();
        let side = SIDE as usize;
        self.shade_rows(line, |x, y, _| {
            let depth = y - line as f32;
            let ripple = (y * 0.55 + (x * 0.02).sin() * 3.0).sin() * (0.8 + depth * 0.018);
            let column = (x + ripple).clamp(0.0, SIZE - 1.0) as usize;
            let row = (line as f32 - 1.0 - depth * 1.15 + ripple).clamp(0.0, SIZE - 1.0) as usize;
            let mirrored = rgb(above.pixels()[row * side + column]);
            let streak = smooth(0.55, 1.0, (y * 0.9 + (x * 0.013).sin() * 4.0).sin()) * 0.05;
            mirrored.mix(deep, 0.22 + depth / SIZE * 1.1).lighter(streak)
        });
    }

    /// The last touch: darker corners and the grain of paper.
    pub fn finish(&mut self, vignette: f32) {
        let side = SIDE as usize;
        for (index, pixel) in self.pixels.pixels_mut().iter_mut().enumerate() {
            let (x, y) = (index % side, index / side);
            let away = (x as f32 / SIZE - 0.5).hypot(y as f32 / SIZE - 0.5);
            let shade = vignette * smooth(0.35, 0.85, away);
            let noise = noise_at(x, y);
            let grain = (noise * (2 * GRAIN_STEPS + 1) as f32) as i32 - GRAIN_STEPS;
            let grained = rgb(*pixel).darker(shade);
            let step = grain as f32 / 255.0;
            let touched = Rgb { red: grained.red + step, green: grained.green + step, blue: grained.blue + step };
            store(pixel, touched, 0.5);
        }
    }

    /// Red, green and blue of every pixel, row by row.
    pub fn rgb(&self) -> Vec<u8> {
        self.pixels.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect()
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// [`GenerationError::Encoding`] where the file cannot be written.
    pub fn into_png(self) -> Result<Vec<u8>, GenerationError> {
        let mut file = Vec::new();
        write_png(&self.rgb(), &mut file).map_err(|cause| encoding(cause.into()))?;
        Ok(file)
    }
}

/// Not tiny-skia's own encoder: its thorough compression takes ten times as long for the same size,
/// since the grain leaves little to find.
fn write_png(bytes: &[u8], file: &mut Vec<u8>) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(file, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_deflate_compression(png::DeflateCompression::Level(2));
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()
}

fn encoding(source: Box<dyn std::error::Error + Send + Sync>) -> GenerationError {
    GenerationError::Encoding { format: "PNG", source }
}

fn gradient(from: (f32, f32, Rgb), to: (f32, f32, Rgb)) -> Shader<'static> {
    let run = LinearGradient::new(
        Point::from_xy(from.0, from.1),
        Point::from_xy(to.0, to.1),
        vec![GradientStop::new(0.0, skia(from.2, 1.0)), GradientStop::new(1.0, skia(to.2, 1.0))],
        SpreadMode::Pad,
        Transform::identity(),
    );
    // A run between two equal points has no direction.
    run.unwrap_or(Shader::SolidColor(skia(to.2, 1.0)))
}

fn skia(colour: Rgb, opacity: f32) -> tiny_skia::Color {
    let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    tiny_skia::Color::from_rgba8(byte(colour.red), byte(colour.green), byte(colour.blue), byte(opacity))
}

fn rgb(pixel: PremultipliedColorU8) -> Rgb {
    Rgb {
        red: f32::from(pixel.red()) / 255.0,
        green: f32::from(pixel.green()) / 255.0,
        blue: f32::from(pixel.blue()) / 255.0,
    }
}

/// Writes an opaque pixel; `rounding` is added before the fraction is cut off.
fn store(pixel: &mut PremultipliedColorU8, colour: Rgb, rounding: f32) {
    let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0 + rounding).min(255.0) as u8;
    let opaque = PremultipliedColorU8::from_rgba(byte(colour.red), byte(colour.green), byte(colour.blue), 255);
    // Opaque colours are always valid: no part can exceed the opacity.
    if let Some(opaque) = opaque {
        *pixel = opaque;
    }
}

/// White noise, 0 to 1, the same on every picture, as the grain of one stock of paper.
fn noise_at(x: usize, y: usize) -> f32 {
    (mix(((x as u64) << 32) | y as u64) >> 40) as f32 / (1_u32 << 24) as f32
}

#[cfg(test)]
#[allow(clippy::expect_used)]
pub mod tests {
    use super::super::colour::hex;
    use super::*;

    /// Width, height and pixels of a PNG.
    pub fn decoded(file: &[u8]) -> (u32, u32, Vec<[u8; 3]>) {
        let decoder = png::Decoder::new(std::io::Cursor::new(file));
        let mut reader = decoder.read_info().expect("a PNG");
        let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
        let frame = reader.next_frame(&mut bytes).expect("a picture");
        assert_eq!(frame.color_type, png::ColorType::Rgb);
        let pixels = bytes.chunks_exact(3).map(|part| [part[0], part[1], part[2]]);
        (frame.width, frame.height, pixels.collect())
    }

    #[test]
    fn a_painted_canvas_comes_back_as_it_was_painted() {
        let mut canvas = Canvas::new().expect("room");
        let (red, blue) = (hex(0xFF0000), hex(0x0000FF));
        canvas.shade(|x, _, _| if x < 384.0 { red } else { blue });
        let (width, height, pixels) = decoded(&canvas.into_png().expect("a PNG"));
        assert_eq!((width, height), (SIDE, SIDE));
        assert_eq!((pixels[383], pixels[384]), ([255, 0, 0], [0, 0, 255]));
    }

    #[test]
    fn shapes_beyond_the_edge_or_without_an_inside_do_no_harm() {
        let mut canvas = Canvas::new().expect("room");
        canvas.shade(|_, _, _| hex(0x336699));
        let before = canvas.pixels.clone();
        canvas.glow((-50.0, 9_000.0), 80.0, hex(0xFFFFFF), 1.0);
        canvas.fill(None, Brush::Flat(hex(0), 1.0));
        canvas.reflect(SIDE + 5, hex(0));
        assert!(canvas.pixels == before);
    }

    #[test]
    fn a_glow_lights_its_middle_and_leaves_the_rest() {
        let mut canvas = Canvas::new().expect("room");
        canvas.shade(|_, _, _| hex(0x000000));
        canvas.glow((100.0, 100.0), 50.0, hex(0xFFFFFF), 1.0);
        let lit = |x, y| canvas.pixels.pixel(x, y).map(|pixel| pixel.red());
        assert!(lit(100, 100) > Some(240));
        assert_eq!(lit(100, 151), Some(0));
    }
}
