//! Words: how every generator takes a text apart.

/// The words of `text` in lower case, without the signs around them; apostrophes inside stay ("don't").
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|sign: char| !sign.is_alphanumeric() && sign != '\'' && sign != '’')
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Whether `word` is `keyword` or its regular plural, so that keyword tables list each word once.
pub fn is_form_of(word: &str, keyword: &str) -> bool {
    match word.strip_prefix(keyword) {
        Some(ending) => matches!(ending, "" | "s" | "es"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_their_signs_and_their_capitals() {
        let found: Vec<String> = words("Don't “stop”, the 2nd Wave!").collect();
        assert_eq!(found, ["don't", "stop", "the", "2nd", "wave"]);
    }

    #[test]
    fn signs_alone_are_no_words() {
        assert_eq!(words(" ?! '' 🙂 --").count(), 0);
    }

    #[test]
    fn a_plural_is_a_form_of_its_keyword_and_a_longer_word_is_not() {
        assert!(is_form_of("waves", "wave"));
        assert!(is_form_of("beaches", "beach"));
        assert!(!is_form_of("wavelength", "wave"));
        assert!(!is_form_of("season", "sea"));
    }
}
