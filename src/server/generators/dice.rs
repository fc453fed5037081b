//! Dice: chance that repeats. The same text and seed throw the same numbers on every machine.

use sha2::{Digest, Sha256};

use super::words::words;

/// A stream of pseudo-random numbers (SplitMix64: Steele, Lea, Flood 2014). Good enough to paint
/// with, never for secrets.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Dice for the words of `text`: capitals, spaces and punctuation make no difference, except in
    /// a text that has no words at all.
    pub fn for_text(text: &str, seed: u64) -> Dice {
        let mut hash = Sha256::new();
        let mut any = false;
        for word in words(text) {
            hash.update(word.as_bytes());
            // A separator, so that "sea side" and "seaside" differ.
            hash.update([0]);
            any = true;
        }
        if !any {
            hash.update(text.as_bytes());
        }
        hash.update(seed.to_le_bytes());
        let digest = hash.finalize();
        let state = digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        Dice { state }
    }

    /// Dice of their own for one part of a work, so that a change in one part leaves the others alone.
    pub fn branch(&mut self) -> Dice {
        Dice { state: self.next() }
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number from 0 up to, without, 1.
    pub fn unit(&mut self) -> f32 {
        // The upper 24 bits: all that a f32 holds exactly.
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Whole number from 0 up to, without, `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        // The bias of the remainder is beneath notice: every `end` here is far below 2^32.
        (self.next() % (end.max(1) as u64)) as usize
    }

    /// True with the given probability, 0 to 1.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of `items`.
    pub fn pick<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0) };
        items[self.below(N)]
    }
}

/// Scatters the bits of `value`: neighbours come out far apart.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_and_spaces_make_no_difference() {
        let plain = Dice::for_text("a red boat", 1).next();
        assert_eq!(plain, Dice::for_text("  A red,  BOAT!", 1).next());
    }

    #[test]
    fn other_words_or_another_seed_throw_other_numbers() {
        let plain = Dice::for_text("sea side", 1).next();
        assert_ne!(plain, Dice::for_text("seaside", 1).next());
        assert_ne!(plain, Dice::for_text("sea side", 2).next());
    }

    #[test]
    fn texts_without_words_still_differ() {
        let smile = Dice::for_text("🙂", 1).next();
        assert_ne!(smile, Dice::for_text("🚀", 1).next());
    }

    #[test]
    fn throws_stay_in_their_bounds_and_reach_both_halves() {
        let mut dice = Dice::for_text("bounds", 0);
        let throws: Vec<f32> = (0..1_000).map(|_| dice.between(-2.0, 2.0)).collect();
        assert!(throws.iter().all(|throw| (-2.0..2.0).contains(throw)));
        assert!(throws.iter().any(|throw| *throw < -1.0));
        assert!(throws.iter().any(|throw| *throw > 1.0));
    }
}
