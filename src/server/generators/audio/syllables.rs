//! Syllables: reads a text as a score, one beat per syllable, a rest at each sign of punctuation.

/// The vowel that colours a syllable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vowel {
    /// As in father.
    A,
    /// As in bed.
    E,
    /// As in see.
    I,
    /// As in go.
    O,
    /// As in moon.
    U,
}

/// How a syllable begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onset {
    /// On its vowel.
    Open,
    /// With a tap: p, t, k.
    Tap,
    /// With a breath: s, f, h.
    Breath,
    /// With a hum: m, n, l.
    Hum,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beat {
    Sing(Syllable),
    /// Silence, in syllable lengths.
    Rest(f32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Syllable {
    pub vowel: Vowel,
    pub onset: Onset,
    /// The first syllable of its word, which is stressed.
    pub first: bool,
    /// A number from its letters: the melody takes its steps from it.
    pub letters: u32,
}

/// Silence between words, at a comma and at the end of a sentence, in syllable lengths.
const WORD_GAP: f32 = 0.35;
const COMMA_REST: f32 = 1.0;
const SENTENCE_REST: f32 = 2.0;

/// The beats of `text`; a single hum where it has no letters, so that there is always something to hear.
pub fn read(text: &str) -> Vec<Beat> {
    let mut beats = Vec::new();
    for word in text.split_whitespace() {
        let sung = word_beats(word);
        if !sung.is_empty() {
            beats.extend(sung.into_iter().map(Beat::Sing));
            beats.push(Beat::Rest(rest_behind(word)));
        }
    }
    if beats.is_empty() {
        beats.push(Beat::Sing(Syllable {
            vowel: Vowel::U,
            onset: Onset::Hum,
            first: true,
            letters: text.chars().fold(0, folded),
        }));
        beats.push(Beat::Rest(SENTENCE_REST));
    }
    beats
}

fn rest_behind(word: &str) -> f32 {
    let last = word.trim_end_matches(['"', '”', '’', '\'', ')']).chars().last();
    match last {
        Some('.' | '!' | '?' | '…' | '。') => SENTENCE_REST,
        Some(',' | ';' | ':' | '-' | '–' | '—' | '、') => COMMA_REST,
        Some(_) | None => WORD_GAP,
    }
}

/// One syllable per group of vowels, with the consonants before it.
fn word_beats(word: &str) -> Vec<Syllable> {
    let letters: Vec<char> = word.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let mut sung: Vec<Syllable> = Vec::new();
    let mut onset = Onset::Open;
    let mut sum = 0;
    let mut within_vowels = false;
    for (place, letter) in letters.iter().enumerate() {
        sum = folded(sum, *letter);
        let Some(vowel) = vowel_of(*letter) else {
            onset = onset_of(*letter);
            within_vowels = false;
            continue;
        };
        // The e at the end of an English word is silent, unless it is the only vowel.
        let silent = *letter == 'e' && place + 1 == letters.len() && !sung.is_empty();
        if !within_vowels && !silent {
            sung.push(Syllable { vowel, onset, first: sung.is_empty(), letters: sum });
            onset = Onset::Open;
        }
        within_vowels = true;
    }
    if sung.is_empty() && !letters.is_empty() {
        // "hmm" and "pst" are sung on their consonant.
        sung.push(Syllable { vowel: Vowel::U, onset, first: true, letters: sum });
    }
    sung
}

/// The vowel of a letter. Digits and letters of scripts without such vowels sing by their code, which
/// gives every script its own song.
fn vowel_of(letter: char) -> Option<Vowel> {
    match letter {
        'a' | 'à' | 'á' | 'â' | 'ä' | 'å' | 'ã' => Some(Vowel::A),
        'e' | 'è' | 'é' | 'ê' | 'ë' | 'æ' | 'œ' => Some(Vowel::E),
        'i' | 'y' | 'ì' | 'í' | 'î' | 'ï' => Some(Vowel::I),
        'o' | 'ò' | 'ó' | 'ô' | 'ö' | 'ø' | 'õ' => Some(Vowel::O),
        'u' | 'ù' | 'ú' | 'û' | 'ü' => Some(Vowel::U),
        'b'..='z' | 'ß' | 'ç' | 'ñ' => None,
        other => Some(match u32::from(other) % 5 {
            0 => Vowel::A,
            1 => Vowel::E,
            2 => Vowel::I,
            3 => Vowel::O,
            _ => Vowel::U,
        }),
    }
}

fn onset_of(consonant: char) -> Onset {
    match consonant {
        'b' | 'c' | 'd' | 'g' | 'k' | 'p' | 'q' | 't' => Onset::Tap,
        'f' | 'h' | 's' | 'v' | 'x' | 'z' | 'ß' | 'ç' => Onset::Breath,
        _ => Onset::Hum,
    }
}

fn folded(sum: u32, sign: char) -> u32 {
    sum.wrapping_mul(31).wrapping_add(u32::from(sign))
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    fn sung(text: &str) -> usize {
        let beats = read(text);
        beats.iter().filter(|beat| matches!(beat, Beat::Sing(_))).count()
    }

    #[test]
    fn syllables_are_counted_as_people_would() {
        for (text, expected) in
            [("banana", 3), ("hello there", 3), ("time", 1), ("the", 1), ("hmm", 1), ("beautiful", 3)]
        {
            assert_eq!(sung(text), expected, "{text}");
        }
    }

    #[test]
    fn punctuation_rests_longer_than_a_gap_between_words() {
        assert_eq!(read("go").last(), Some(&Beat::Rest(WORD_GAP)));
        assert_eq!(read("go,").last(), Some(&Beat::Rest(COMMA_REST)));
        assert_eq!(read("“go!”").last(), Some(&Beat::Rest(SENTENCE_REST)));
    }

    #[test]
    fn letters_set_the_vowel_and_the_onset() {
        let Some(Beat::Sing(first)) = read("moon").first().copied() else {
            panic!("nothing sung");
        };
        assert_eq!((first.vowel, first.onset, first.first), (Vowel::O, Onset::Hum, true));
    }

    #[test]
    fn a_text_without_letters_still_has_one_sound() {
        for text in ["", "?!", "🙂"] {
            assert_eq!(sung(text), 1, "{text}");
        }
    }
}
