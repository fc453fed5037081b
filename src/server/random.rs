//! Names that cannot be guessed. The only place that asks the operating system for randomness.

use rand::Rng;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Letters and digits that are not mistaken for each other (RFC 4648, base 32, in lower case).
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Characters of a user's id: 100 bits, so that two never meet.
pub const USER_ID_CHARS: usize = 20;
/// Characters of an order's id and of a form's key: 130 bits, so that none is guessed.
pub const SECRET_CHARS: usize = 26;

/// A random name of so many characters, five bits each.
pub fn random_name(chars: usize) -> String {
    let mut source = OsRng.unwrap_err();
    (0..chars).map(|_| char::from(ALPHABET[source.random_range(0..ALPHABET.len())])).collect()
}

/// Random bytes, as a secret.
pub fn random_secret<const BYTES: usize>() -> [u8; BYTES] {
    OsRng.unwrap_err().random()
}

/// A random number, to vary what is made.
pub fn random_seed() -> u64 {
    OsRng.unwrap_err().random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_length_and_no_two_are_alike() {
        let names: std::collections::HashSet<String> = (0..1_000).map(|_| random_name(USER_ID_CHARS)).collect();
        assert_eq!(names.len(), 1_000);
        assert!(names.iter().all(|name| name.len() == USER_ID_CHARS && name.bytes().all(|b| ALPHABET.contains(&b))));
    }
}
