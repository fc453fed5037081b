//! Chat: a small assistant that answers on its own, without a language model. A message comes in,
//! plain text goes out; it remembers nothing.

mod arithmetic;
mod reflection;
mod summary;
mod text_tools;

use super::dice::Dice;
use super::words::words;

/// Longest answer, in characters: a screen of text. Tools on longer texts show their beginning.
pub const MAX_ANSWER_CHARACTERS: usize = 2_000;
/// From this many sentences on, a message is a pasted text to summarise rather than talk.
const PASTED_SENTENCES: usize = 6;

const INTRODUCTION: &str = "I am the small built-in assistant of this installation, not a language \
    model; a real model can take my place. I can work out sums (“what is 12*(3+4)”), count words or \
    characters, reverse a text, turn it to upper or lower case, summarise it, or list its keywords. \
    Put the text behind a colon: “summarise: …”.";

/// First words of questions and orders that ask for knowledge or invention.
const REQUEST_WORDS: &[&str] = &[
    "compose",
    "create",
    "define",
    "describe",
    "draw",
    "explain",
    "generate",
    "how",
    "invent",
    "recommend",
    "suggest",
    "translate",
    "what",
    "what's",
    "when",
    "where",
    "which",
    "who",
    "why",
    "write",
];

/// The honest reply to those, before a question that may still help.
const BEYOND_ME: [&str; 3] = [
    "That takes a real model: I am only the built-in assistant, and I know no facts and write no prose.",
    "I cannot answer that: the built-in assistant counts, calculates and summarises, but knows nothing of the world.",
    "That is beyond the built-in assistant. A real model, once it takes my place, could do it. “help” lists what I can do.",
];

/// Said after a reply that only reflects, so that nobody takes it for understanding.
const HONEST_REMARKS: [&str; 3] = [
    "(I am only the built-in assistant: a real model would say more. Type “help” to see what I can do.)",
    "(Built-in assistant speaking: I listen better than I understand, until a real model takes over.)",
    "(I did not really understand that; I am the built-in assistant. “help” lists what I am good at.)",
];

/// Answers `message` in at most [`MAX_ANSWER_CHARACTERS`] characters of plain text. Never empty.
pub fn answer(message: &str, seed: u64) -> String {
    let mut dice = Dice::for_text(message, seed);
    let answer = small_talk(message, &mut dice)
        .or_else(|| text_tools::apply(message))
        .or_else(|| sum(message))
        .or_else(|| pasted_text(message))
        .unwrap_or_else(|| reflection(message, &mut dice));
    shortened(&answer)
}

/// Greetings, thanks and questions about the assistant itself.
fn small_talk(message: &str, dice: &mut Dice) -> Option<String> {
    let spoken: Vec<String> = words(message).take(6).collect();
    let sentence = spoken.join(" ");
    let reply = match sentence.as_str() {
        "" if message.trim().is_empty() => INTRODUCTION,
        "help"
        | "help me"
        | "who are you"
        | "what are you"
        | "what can you do"
        | "are you a real model"
        | "are you real"
        | "are you an ai"
        | "are you chatgpt" => INTRODUCTION,
        "hi" | "hello" | "hey" | "hello there" | "hi there" | "good morning" | "good evening" => dice.pick(&[
            "Hello! What can I work out, count or summarise for you?",
            "Hi there. I am the built-in assistant: try me with a sum or a text to summarise.",
            "Good to see you. What is on your mind?",
        ]),
        "thanks" | "thank you" | "thank you very much" | "thanks a lot" | "thx" => {
            dice.pick(&["You are welcome.", "Gladly. Anything else?", "Any time."])
        }
        "bye" | "goodbye" | "good bye" | "good night" | "see you" => {
            dice.pick(&["Goodbye!", "See you soon.", "Take care."])
        }
        "how are you" => "All gears turn, thank you. And how are you?",
        _ => return None,
    };
    Some(reply.to_owned())
}

/// The result where `message` is a calculation, perhaps with words around it.
fn sum(message: &str) -> Option<String> {
    let expression = calculation(message)?;
    Some(match arithmetic::evaluate(&expression) {
        Ok(value) => format!("{expression} = {value}").replace("= ≈", "≈"),
        Err(why) => format!("Sorry, {why}."),
    })
}

/// The bare expression in `message`; nothing where anything but a calculation is left of it.
fn calculation(message: &str) -> Option<String> {
    let mut text = message.trim().to_lowercase();
    for opening in ["what is", "what's", "how much is", "calculate", "compute", "work out", "solve"] {
        if let Some(rest) = text.strip_prefix(opening) {
            text = rest.trim_start_matches(':').to_owned();
            break;
        }
    }
    for (word, sign) in [
        ("divided by", "/"),
        ("to the power of", "^"),
        ("plus", "+"),
        ("minus", "-"),
        ("times", "*"),
        ("mod", "%"),
        (" of ", "*"),
        (" x ", "*"),
        ("×", "*"),
        ("·", "*"),
        ("÷", "/"),
        ("−", "-"),
        ("**", "^"),
    ] {
        text = text.replace(word, sign);
    }
    let bare = text.trim().trim_end_matches(['?', '=', '!', '.', ' ']);
    let has_digit = bare.contains(|c: char| c.is_ascii_digit());
    let has_operator = bare.contains(['+', '-', '*', '/', '^', '%']);
    let only_signs = bare.chars().all(|c| c.is_ascii_digit() || " .,+-*/^%()".contains(c));
    (has_digit && has_operator && only_signs).then(|| bare.to_owned())
}

fn pasted_text(message: &str) -> Option<String> {
    let sentences = summary::sentences(message).len();
    if sentences < PASTED_SENTENCES {
        return None;
    }
    let kept = summary::summarise(message).join("\n• ");
    let about = summary::keywords(message).join(", ");
    Some(format!(
        "That is a text of {sentences} sentences. The ones that carry most of it:\n\n• {kept}\n\nIt is about: {about}."
    ))
}

fn reflection(message: &str, dice: &mut Dice) -> String {
    let reply = reflection::reflect(message, dice);
    let first = words(message).next().unwrap_or_default();
    if REQUEST_WORDS.contains(&first.as_str()) {
        return format!("{}\n\n{reply}", dice.pick(&BEYOND_ME));
    }
    // A first-person message is in good hands with a question; the remark would only interrupt.
    if words(message).any(|word| matches!(word.as_str(), "i" | "i'm" | "my")) && dice.chance(0.6) {
        return reply;
    }
    format!("{reply}\n\n{}", dice.pick(&HONEST_REMARKS))
}

/// `text` cut to [`MAX_ANSWER_CHARACTERS`], the cut marked by an ellipsis.
fn shortened(text: &str) -> String {
    if text.chars().count() <= MAX_ANSWER_CHARACTERS {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(MAX_ANSWER_CHARACTERS - 1).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_worked_out_with_or_without_words_around_them() {
        for (message, expected) in [
            ("what is 12*(3+4)", "12*(3+4) = 84"),
            ("What is 7 plus 5?", "7 + 5 = 12"),
            ("15% of 240", "15%*240 = 36"),
            ("6 x 7 =", "6*7 = 42"),
            ("10 / 4", "10 / 4 = 2.5"),
            ("1/3", "1/3 ≈ 0.333333333333"),
            ("calculate: 2^10", "2^10 = 1024"),
        ] {
            assert_eq!(answer(message, 0), expected, "{message}");
        }
    }

    #[test]
    fn division_by_zero_is_explained() {
        assert!(answer("what is 5/0?", 0).contains("divides by zero"));
    }

    #[test]
    fn talk_that_mentions_a_number_is_not_a_sum() {
        for message in ["I have 3 cats", "see you in 2-3 days", "42"] {
            assert_eq!(calculation(message), None, "{message}");
        }
    }

    #[test]
    fn the_same_message_gets_the_same_answer_and_a_seed_can_change_it() {
        let message = "the harbour at dawn";
        assert_eq!(answer(message, 1), answer(message, 1));
        assert!((2..20).any(|seed| answer(message, seed) != answer(message, 1)));
    }

    #[test]
    fn an_answer_that_did_not_understand_says_what_it_is() {
        for seed in 0..20 {
            assert!(answer("translate volcano into Latin", seed).contains("uilt-in assistant"));
            assert!(answer("volcanoes and islands", seed).contains("uilt-in assistant"));
        }
    }

    #[test]
    fn a_pasted_text_is_summarised_unasked() {
        let text = "Tides rise twice a day. The moon pulls the tides. Sailors read tide tables. \
            Some harbours fall dry. Lunch was good. The moon and the sun together make high tides.";
        let answer = answer(text, 0);
        assert!(answer.contains("6 sentences"));
        assert!(answer.contains("The moon and the sun together make high tides."));
        assert!(!answer.contains("Lunch"));
    }

    #[test]
    fn no_message_makes_it_panic_fall_silent_or_ramble() {
        let mut messages: Vec<String> =
            ["", " ", "🙂🙂", "\0", "((((", "1/0", "’", ":", "%", "i", "reverse:"].map(str::to_owned).to_vec();
        for piece in ["a", "(", "-", "9", "1+", "é. ", "🙂", "word ", "2^", "count words: ", "\n", "my "] {
            messages.push(piece.repeat(10_000));
            messages.push(format!("what is {}", piece.repeat(10_000)));
            messages.push(format!("summarise: {}", piece.repeat(10_000)));
            messages.push(format!("reverse: {}", piece.repeat(10_000)));
        }
        for message in &messages {
            let length = answer(message, 3).chars().count();
            assert!((1..=MAX_ANSWER_CHARACTERS).contains(&length));
        }
    }
}
