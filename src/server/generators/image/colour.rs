//! Colour: arithmetic on red, green and blue.

/// A colour, each part 0 to 1 in sRGB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rgb {
    pub red: f32,
    pub green: f32,
    pub blue: f32,
}

pub const WHITE: Rgb = hex(0xFF_FFFF);

/// The colour written 0xRRGGBB.
pub const fn hex(code: u32) -> Rgb {
    Rgb {
        red: ((code >> 16) & 0xFF) as f32 / 255.0,
        green: ((code >> 8) & 0xFF) as f32 / 255.0,
        blue: (code & 0xFF) as f32 / 255.0,
    }
}

impl Rgb {
    /// `self` at 0, `other` at 1.
    pub fn mix(self, other: Rgb, part: f32) -> Rgb {
        let part = part.clamp(0.0, 1.0);
        Rgb {
            red: self.red + (other.red - self.red) * part,
            green: self.green + (other.green - self.green) * part,
            blue: self.blue + (other.blue - self.blue) * part,
        }
    }

    pub fn lighter(self, part: f32) -> Rgb {
        self.mix(WHITE, part)
    }

    pub fn darker(self, part: f32) -> Rgb {
        self.mix(hex(0), part)
    }

    /// Adds light: bright parts grow brighter but never beyond white.
    pub fn screen(self, light: Rgb, strength: f32) -> Rgb {
        let lit = |under: f32, over: f32| 1.0 - (1.0 - under) * (1.0 - over * strength);
        Rgb { red: lit(self.red, light.red), green: lit(self.green, light.green), blue: lit(self.blue, light.blue) }
    }
}

/// The colour at `part`, 0 to 1, of a run through `stops`.
pub fn along(stops: &[Rgb; 4], part: f32) -> Rgb {
    let place = part.clamp(0.0, 1.0) * 3.0;
    // At most 2, so that the stop after it exists.
    let index = (place as usize).min(2);
    stops[index].mix(stops[index + 1], smooth(0.0, 1.0, place - index as f32))
}

/// 0 up to `low`, 1 from `high` on, and a soft step between; falls where `low` is above `high`.
pub fn smooth(low: f32, high: f32, value: f32) -> f32 {
    let part = ((value - low) / (high - low)).clamp(0.0, 1.0);
    part * part * (3.0 - 2.0 * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_colours_begins_and_ends_with_its_stops() {
        let stops = [hex(0x102030), hex(0x405060), hex(0x708090), hex(0xA0B0C0)];
        assert_eq!(along(&stops, -1.0), stops[0]);
        assert_eq!(along(&stops, 2.0), stops[3]);
    }

    #[test]
    fn light_never_goes_beyond_white() {
        let lit = hex(0xF0F0F0).screen(WHITE, 1.0);
        assert_eq!(lit, WHITE);
    }
}
