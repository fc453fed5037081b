//! Summary: picks out what a text talks about, in its own words.

use std::collections::HashMap;

use super::super::words::words;

/// Sentences in a summary: as many as are read at a glance.
const SUMMARY_SENTENCES: usize = 3;
/// Keywords in a list.
const LISTED_KEYWORDS: usize = 8;
/// Shortest word that can carry meaning, in characters; shorter ones glue sentences together.
const SHORTEST_KEYWORD: usize = 4;
/// Longest sentence, in characters: a text without full stops must not come back whole.
const MAX_SENTENCE_CHARACTERS: usize = 400;

/// Words of four letters and more that say nothing about the subject.
const FILLERS: &[&str] = &[
    "about", "after", "again", "also", "although", "always", "another", "because", "been", "before", "being",
    "between", "both", "cannot", "could", "does", "doing", "don't", "down", "each", "even", "ever", "every", "from",
    "further", "have", "having", "here", "however", "into", "it's", "itself", "just", "less", "like", "made", "make",
    "many", "more", "most", "much", "must", "never", "only", "other", "over", "perhaps", "please", "same", "should",
    "since", "some", "still", "such", "than", "that", "that's", "their", "them", "then", "there", "these", "they",
    "this", "those", "though", "through", "under", "until", "upon", "very", "want", "well", "were", "what", "when",
    "where", "which", "while", "whose", "will", "with", "within", "without", "would", "your", "yours",
];

/// The sentences of `text`, each at most [`MAX_SENTENCE_CHARACTERS`] long. A sentence ends at a full
/// stop, question or exclamation mark before a space, or at the end of a line.
pub fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut sentence = String::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        sentence.push(sign);
        let space_follows = signs.peek().is_none_or(|next| next.is_whitespace());
        if sign == '\n' || (matches!(sign, '.' | '!' | '?' | '…') && space_follows) {
            keep_sentence(&mut found, &sentence);
            sentence.clear();
        }
    }
    keep_sentence(&mut found, &sentence);
    found
}

fn keep_sentence(found: &mut Vec<String>, sentence: &str) {
    let kept: String = sentence.trim().chars().take(MAX_SENTENCE_CHARACTERS).collect();
    if words(&kept).next().is_some() {
        found.push(kept);
    }
}

/// The few sentences that hold the most frequent meaningful words, in the order of the text.
pub fn summarise(text: &str) -> Vec<String> {
    let counts = meaningful_counts(text);
    let sentences = sentences(text);
    let mut ranked: Vec<(usize, f32)> =
        sentences.iter().enumerate().map(|(place, sentence)| (place, weight(sentence, place, &counts))).collect();
    // The place breaks ties, so that the same text always gives the same summary.
    ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    ranked.truncate(SUMMARY_SENTENCES);
    let mut places: Vec<usize> = ranked.into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    places.iter().filter_map(|place| sentences.get(*place).cloned()).collect()
}

/// How much of the subject a sentence holds. The square root keeps long sentences from winning by
/// length alone; the first sentence of a text usually names its subject, hence its small advantage.
fn weight(sentence: &str, place: usize, counts: &HashMap<String, usize>) -> f32 {
    let (mut sum, mut length) = (0, 0);
    for word in words(sentence) {
        sum += counts.get(&word).copied().unwrap_or(0);
        length += 1;
    }
    let lead = if place == 0 { 1.2 } else { 1.0 };
    lead * sum as f32 / (length.max(1) as f32).sqrt()
}

/// The most frequent meaningful words of `text`, the most frequent first, then by first appearance.
pub fn keywords(text: &str) -> Vec<String> {
    let counts = meaningful_counts(text);
    let mut found: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for word in words(text) {
        if counts.contains_key(&word) && seen.insert(word.clone()) {
            found.push(word);
        }
    }
    // A stable sort: equals stay in the order of the text.
    found.sort_by_key(|word| std::cmp::Reverse(counts.get(word).copied().unwrap_or(0)));
    found.truncate(LISTED_KEYWORDS);
    found
}

fn meaningful_counts(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in words(text) {
        let has_letter = word.chars().any(char::is_alphabetic);
        let long_enough = word.chars().count() >= SHORTEST_KEYWORD;
        if has_letter && long_enough && !FILLERS.contains(&word.as_str()) {
            *counts.entry(word).or_insert(0) += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEES: &str = "Bees visit flowers to collect nectar. My uncle once owned a red bicycle. \
        The nectar that bees collect becomes honey. It rained. \
        Flowers need bees, because bees carry pollen between flowers. Lunch was fine.";

    #[test]
    fn a_summary_keeps_the_subject_and_drops_the_asides_in_order() {
        let summary = summarise(BEES);
        assert_eq!(summary.len(), 3);
        assert!(summary[0].starts_with("Bees visit"));
        assert!(summary[1].starts_with("The nectar"));
        assert!(summary[2].starts_with("Flowers need"));
    }

    #[test]
    fn the_most_frequent_meaningful_word_leads_the_keywords() {
        let found = keywords(BEES);
        assert_eq!(&found[..3], ["bees", "flowers", "collect"]);
        assert!(!found.contains(&"because".to_owned()));
    }

    #[test]
    fn a_decimal_point_does_not_end_a_sentence() {
        assert_eq!(sentences("It costs 3.50 today. Really?").len(), 2);
    }

    #[test]
    fn a_text_without_words_has_no_summary() {
        assert!(summarise("... 🙂 !!!").is_empty());
        assert!(keywords("").is_empty());
    }

    #[test]
    fn fillers_stand_in_order_and_are_long_enough_to_matter() {
        assert!(FILLERS.is_sorted());
        assert!(FILLERS.iter().all(|word| word.len() >= SHORTEST_KEYWORD));
    }
}
