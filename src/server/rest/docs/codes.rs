//! The codes of problems, each with its status and a sentence: what `type` of a problem leads to.

/// Every code that a program may meet, by its name.
pub const CODES: &[(&str, u16, &str)] = &[
    ("address_taken", 409, "The address has an account already."),
    ("already_granted", 409, "The reference was granted before; `first` is that grant, where it is this account's."),
    (
        "answer_too_large",
        502,
        "An upstream's answer is larger than is taken, or than is kept under a key; nothing was charged.",
    ),
    ("bad_event", 400, "The event of a payment provider is not taken: its signature does not fit, or is too old."),
    ("balance_too_large", 422, "The balance would grow above 2^53-1."),
    ("broke_off", 502, "It broke off before there was an answer; nothing was charged."),
    ("capture_above_hold", 422, "More is to be taken than the hold reserves."),
    ("clawback_above_grant", 422, "More is to be taken back than was granted."),
    ("forbidden", 403, "The caller is known, but may not do this; or a browser sent it from another site."),
    ("generation_failed", 502, "Nothing was made, and nothing was charged."),
    ("hold_settled", 409, "The hold was settled before; `hold_status` says how."),
    ("idempotency_key_reused", 422, "The Idempotency-Key was used for another request."),
    ("insufficient_credits", 402, "Fewer credits are available than it costs; nothing has changed."),
    ("internal", 500, "A defect of the program. Please report it."),
    ("invalid", 422, "It can be read, but a field does not fit; `field` names it."),
    ("invalid_amount", 422, "An amount is at least one credit."),
    ("invalid_ttl", 422, "A hold lasts from a second to a day."),
    ("malformed", 400, "It cannot be read."),
    ("method_not_allowed", 405, "The path has no such method; `Allow` lists those that it has."),
    ("no_monthly_credits", 422, "The account has no monthly credits."),
    ("not_for_sale", 422, "This cannot be bought."),
    ("not_found", 404, "It is not there, or not yours: the two look alike."),
    ("nothing_to_change", 422, "That is the plan already."),
    ("payment_declined", 402, "The payment was declined; nothing has changed."),
    ("payment_owed", 409, "A renewal is owed; it is settled first."),
    ("payment_provider", 502, "The payment provider cannot be reached, or did not answer as it should."),
    ("plan_changed", 409, "The plan was changed meanwhile."),
    ("refund_above_charge", 422, "Less is left of the charge; `refundable` says how much."),
    ("reset_followed", 409, "Another reset came after it."),
    ("reset_undone", 409, "The reset was reversed before."),
    ("too_large", 413, "The body is larger than is read."),
    ("too_late", 504, "It took too long; nothing was charged."),
    ("too_many_calls", 429, "Too many calls; `Retry-After` says how long to wait."),
    ("unauthorized", 401, "No key and no session, or one that opens nothing."),
    ("unavailable", 503, "The database cannot be reached, or too many wait; `Retry-After` says how long to wait."),
    ("unsupported_media_type", 415, "The body has to be JSON."),
    ("upstream_unreachable", 502, "The gateway's upstream cannot be reached; nothing was charged."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_there_once() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    /// A new code is a word in the source; this reads the words.
    #[test]
    fn every_code_of_the_interface_is_explained() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/rest");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(source) = std::fs::read_to_string(&path) else { continue };
            for (at, _) in source.match_indices("StatusCode::") {
                // `StatusCode::CONFLICT, "hold_settled"`, over a line break too.
                let rest = source[at + 12..].trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_');
                let Some(text) = rest.strip_prefix(',').map(str::trim_start).and_then(|rest| rest.strip_prefix('"'))
                else {
                    continue;
                };
                let code = text.split('"').next().unwrap();
                seen += 1;
                assert!(CODES.iter().any(|(name, ..)| *name == code), "{} has no words for {code}", path.display());
            }
        }
        assert!(seen >= 20, "only {seen} codes were found");
    }
}
