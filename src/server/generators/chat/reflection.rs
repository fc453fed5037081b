//! Reflection: a friendly reply to what the assistant does not understand, made from the person's own
//! words (after J. Weizenbaum's ELIZA, 1966).

use super::super::dice::Dice;
use super::super::words::words;
use super::summary::keywords;

/// Longest part of the person's words that is handed back, in words.
const ECHOED_WORDS: usize = 16;

/// Beginnings that give a subject away, and what can be asked about the rest.
const PATTERNS: &[(&str, [&str; 3])] = &[
    (
        "i feel",
        ["What do you think makes you feel {}?", "How long have you felt {}?", "When you feel {}, what usually helps?"],
    ),
    (
        "i need",
        [
            "What would change if you had {}?",
            "What is the smallest first step towards {}?",
            "Why do you need {} right now?",
        ],
    ),
    (
        "i want",
        [
            "What would it mean to you to get {}?",
            "What stands between you and {}?",
            "If you wanted {} by tomorrow, where would you begin?",
        ],
    ),
    (
        "i can't",
        [
            "What have you tried so far, before deciding that you can't {}?",
            "What would have to be true for you to {}?",
            "Which part of it is the hardest: to begin, or to {} to the end?",
        ],
    ),
    ("i am", ["How long have you been {}?", "What is it like to be {}?", "And would you rather not be {}?"]),
    ("i'm", ["How long have you been {}?", "What is it like to be {}?", "And would you rather not be {}?"]),
    (
        "i think",
        [
            "What makes you think {}?",
            "Who would disagree that {}, and why?",
            "If it turned out otherwise than {}, what then?",
        ],
    ),
    (
        "because",
        [
            "Is that the only reason?",
            "What other reasons come to mind?",
            "If that were no longer so, would the rest change?",
        ],
    ),
    (
        "my",
        [
            "Tell me more about your {}.",
            "What matters most to you about your {}?",
            "When did your {} begin to be on your mind?",
        ],
    ),
    (
        "about",
        [
            "What matters most to you about {}?",
            "What do you already know about {}, and where does it get unclear?",
            "If you told a friend about {} in one sentence, what would you say?",
        ],
    ),
];

/// Replies about the weightiest word where no beginning fits.
const ABOUT: [&str; 4] = [
    "Tell me more about {}. What would you like to come out of it?",
    "What is the first thing that comes to mind when you think of {}?",
    "If you explained {} to a friend in one sentence, what would you say?",
    "What do you already know about {}, and where does it get unclear?",
];

/// Replies where there is nothing at all to pick up.
const ANYTHING: [&str; 3] =
    ["I see. Go on?", "Say a little more, and I will do my best.", "What would you like to talk about?"];

/// A reply to `message` that picks up its words.
pub fn reflect(message: &str, dice: &mut Dice) -> String {
    let spoken: Vec<String> = words(message).collect();
    for (beginning, replies) in PATTERNS {
        if let Some(rest) = words_behind(message, &spoken, beginning) {
            return dice.pick(replies).replace("{}", &rest);
        }
    }
    // The longest of the frequent words is most likely the subject, the later one of two: verbs tend to be short and
    // to come first.
    let longest = keywords(message).into_iter().max_by_key(|word| word.chars().count());
    match longest {
        Some(subject) => dice.pick(&ABOUT).replace("{}", &format!("“{subject}”")),
        None => dice.pick(&ANYTHING).to_owned(),
    }
}

/// What follows `beginning` up to the end of its clause, as the other person would say it; nothing
/// where the beginning is absent or ends the message.
fn words_behind(message: &str, spoken: &[String], beginning: &str) -> Option<String> {
    let wanted: Vec<&str> = beginning.split(' ').collect();
    let start =
        spoken.windows(wanted.len()).position(|window| window.iter().zip(&wanted).all(|(word, want)| word == want))?;
    let clause_words = message
        .split(['.', '!', '?', ',', ';', '\n'])
        .scan(0, |sum, clause| {
            *sum += words(clause).count();
            Some(*sum)
        })
        .find(|end| *end > start)
        .unwrap_or(spoken.len());
    let first = start + wanted.len();
    let end = clause_words.min(first + ECHOED_WORDS);
    let rest = spoken.get(first..end)?;
    if rest.is_empty() {
        return None;
    }
    let turned: Vec<&str> = rest.iter().map(|word| turned(word)).collect();
    Some(turned.join(" "))
}

/// The word as it sounds from the other side: "my" becomes "your".
fn turned(word: &str) -> &str {
    match word {
        "i" | "me" => "you",
        "my" => "your",
        "mine" => "yours",
        "am" => "are",
        "i'm" => "you're",
        "myself" => "yourself",
        "you" => "me",
        "your" => "my",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(message: &str) -> String {
        reflect(message, &mut Dice::for_text(message, 0))
    }

    #[test]
    fn a_reply_picks_up_the_words_from_the_other_side() {
        assert!(reply("I need my old bicycle back").contains("your old bicycle back"));
    }

    #[test]
    fn a_reply_stops_where_the_clause_stops() {
        let reply = reply("I feel tired, and the dog barks");
        assert!(reply.contains("tired"));
        assert!(!reply.contains("dog"));
    }

    #[test]
    fn a_message_without_a_known_beginning_gives_back_its_subject() {
        assert!(reply("tell us of volcanoes").contains("volcanoes"));
    }

    #[test]
    fn a_beginning_without_a_rest_still_gets_a_reply() {
        for message in ["i feel", "my", "🙂", "because", ""] {
            assert!(!reply(message).is_empty(), "{message}");
            assert!(!reply(message).contains("{}"), "{message}");
        }
    }
}
