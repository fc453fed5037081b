//! Text tools: orders with a text behind them ("count words: …"), carried out to the letter.

use super::super::words::words;
use super::summary;

/// How many words of a message may stand before the order, as in "could you please count …".
const WORDS_BEFORE_ORDER: usize = 4;
const COURTESIES: [&str; 6] = ["please", "can", "could", "you", "would", "now"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    CountWords,
    CountCharacters,
    Reverse,
    UpperCase,
    LowerCase,
    Summarise,
    Keywords,
}

/// Phrases that give an order. The longer one stands first where two begin alike.
const PHRASES: &[(&str, Order)] = &[
    ("count the words", Order::CountWords),
    ("count words", Order::CountWords),
    ("how many words", Order::CountWords),
    ("word count", Order::CountWords),
    ("count the characters", Order::CountCharacters),
    ("count characters", Order::CountCharacters),
    ("how many characters", Order::CountCharacters),
    ("count the letters", Order::CountCharacters),
    ("how many letters", Order::CountCharacters),
    ("reverse", Order::Reverse),
    ("uppercase", Order::UpperCase),
    ("upper case", Order::UpperCase),
    ("shout", Order::UpperCase),
    ("lowercase", Order::LowerCase),
    ("lower case", Order::LowerCase),
    ("summarise", Order::Summarise),
    ("summarize", Order::Summarise),
    ("summary of", Order::Summarise),
    ("tldr", Order::Summarise),
    ("list the keywords", Order::Keywords),
    ("list keywords", Order::Keywords),
    ("keywords", Order::Keywords),
];

/// Words between the order and its text that belong to neither ("in this text").
const LINKS: [&str; 12] =
    ["in", "of", "for", "the", "this", "following", "text", "sentence", "word", "are", "there", "me"];

/// Carries out the order that `message` begins with; nothing where it begins with none.
pub fn apply(message: &str) -> Option<String> {
    let (order, rest) = order_in(message)?;
    let text = subject(rest);
    if text.is_empty() {
        return Some("Gladly: put the text behind a colon, as in “summarise: …”.".to_owned());
    }
    Some(match order {
        Order::CountWords => counted(words(text).count(), "word"),
        Order::CountCharacters => counted(clusters(text).len(), "character"),
        Order::Reverse => clusters(text).into_iter().rev().collect(),
        Order::UpperCase => text.to_uppercase(),
        Order::LowerCase => text.to_lowercase(),
        Order::Summarise => listed("In short:", &summary::summarise(text)),
        Order::Keywords => listed("Keywords:", &summary::keywords(text)),
    })
}

/// The order and what stands behind it.
fn order_in(message: &str) -> Option<(Order, &str)> {
    let mut rest = message.trim_start();
    for _ in 0..=WORDS_BEFORE_ORDER {
        for (phrase, order) in PHRASES {
            if let Some(behind) = without_prefix(rest, phrase) {
                return Some((*order, behind));
            }
        }
        let courtesy = COURTESIES.iter().find_map(|word| without_prefix(rest, word))?;
        rest = courtesy.trim_start_matches([',', ' ']);
    }
    None
}

/// `text` behind the whole words of `prefix`, whatever their capitals.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    let whole_words = rest.chars().next().is_none_or(|next| !next.is_alphanumeric());
    (head.eq_ignore_ascii_case(prefix) && whole_words).then_some(rest)
}

/// What the order is about: the text in quotes, else behind the colon, else behind the link words.
fn subject(rest: &str) -> &str {
    let mut text = rest.trim();
    while let Some(behind) = LINKS.iter().find_map(|link| without_prefix(text, link)) {
        text = behind.trim_start();
    }
    text = text.strip_prefix([':', ',', '-']).unwrap_or(text).trim();
    let quoted = text
        .strip_prefix(['"', '“', '\''])
        .and_then(|inner| inner.trim_end_matches('?').strip_suffix(['"', '”', '\'']));
    quoted.unwrap_or(text)
}

fn counted(count: usize, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}.")
}

fn listed(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return "I find no words in that to work with.".to_owned();
    }
    format!("{title}\n• {}", items.join("\n• "))
}

/// The text cut into what people see as one character each: accents, skin tones and joined emoji
/// stay with the sign that they modify. Covers the common cases of Unicode UAX 29, not flags.
fn clusters(text: &str) -> Vec<String> {
    const JOINER: char = '\u{200D}';
    let mut found: Vec<String> = Vec::new();
    for sign in text.chars() {
        let modifies = matches!(sign,
            '\u{0300}'..='\u{036F}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{20E3}' | JOINER);
        match found.last_mut() {
            Some(last) if modifies || last.ends_with(JOINER) => last.push(sign),
            Some(_) | None => found.push(sign.to_string()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_carried_out() {
        for (message, expected) in [
            ("count words: one two three", "3 words."),
            ("How many words are there in this sentence: just one", "2 words."),
            ("please count the characters in “née”", "3 characters."),
            ("count characters: x", "1 character."),
            ("reverse stressed", "desserts"),
            ("Could you please reverse: abc", "cba"),
            ("UPPERCASE: straße", "STRASSE"),
            ("lower case: LOUD", "loud"),
            ("keywords: cheese and cheese and bread", "Keywords:\n• cheese\n• bread"),
            ("summarise: Only this.", "In short:\n• Only this."),
        ] {
            assert_eq!(apply(message).as_deref(), Some(expected), "{message}");
        }
    }

    #[test]
    fn a_word_that_only_begins_like_an_order_is_none() {
        for message in ["reversed psychology", "I like to reverse", "the summary of it", "écrire"] {
            assert_eq!(apply(message), None, "{message}");
        }
    }

    #[test]
    fn an_order_without_a_text_asks_for_one() {
        assert!(apply("reverse:").is_some_and(|reply| reply.contains("colon")));
    }

    #[test]
    fn accents_and_joined_emoji_survive_reversal() {
        assert_eq!(apply("reverse: e\u{301}a👩‍🚀").as_deref(), Some("👩‍🚀ae\u{301}"));
    }
}
