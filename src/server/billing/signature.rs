//! Signatures of events: a time and an HMAC-SHA-256 over the time and the raw bytes, as `t=1700000000,v1=hex`. Several
//! secrets may be valid at once, so that one can be replaced; several `v1` may stand there for the same reason.

use super::WebhookRefusal;
use crate::domain::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How old a signature may be, and how far in the future, in seconds.
pub const TOLERANCE_SECONDS: i64 = 300;

/// The longest header that is looked at, in bytes.
const MAX_HEADER_BYTES: usize = 4_096;

/// Signs a body at a moment.
pub fn sign(secret: &str, body: &[u8], at: Timestamp) -> String {
    let seconds = at.millis().div_euclid(1_000);
    let code = code_of(secret, &seconds.to_string(), body).map(|code| hex::encode(code.finalize().into_bytes()));
    format!("t={seconds},v1={}", code.unwrap_or_default())
}

/// Checks a signature over the raw bytes.
///
/// # Errors
/// [`WebhookRefusal`] where it does not fit any of the secrets, or is too old.
pub fn check(header: &str, secrets: &[String], body: &[u8], now: Timestamp) -> Result<(), WebhookRefusal> {
    if header.len() > MAX_HEADER_BYTES {
        return Err(WebhookRefusal::BadSignature);
    }
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts().find(|(name, _)| *name == "t").map(|(_, value)| value).ok_or(WebhookRefusal::BadSignature)?;
    let codes: Vec<Vec<u8>> =
        parts().filter(|(name, _)| *name == "v1").filter_map(|(_, code)| hex::decode(code).ok()).collect();
    let fits = |secret: &String| {
        codes.iter().any(|code| code_of(secret, time, body).is_some_and(|mac| mac.verify_slice(code).is_ok()))
    };
    if !secrets.iter().any(fits) {
        return Err(WebhookRefusal::BadSignature);
    }
    let seconds: i64 = time.parse().map_err(|_| WebhookRefusal::BadSignature)?;
    let age = now.millis().div_euclid(1_000).saturating_sub(seconds);
    if age.saturating_abs() > TOLERANCE_SECONDS { Err(WebhookRefusal::Stale) } else { Ok(()) }
}

fn code_of(secret: &str, time: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    // An HMAC takes a key of any length.
    let mut code = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    code.update(time.as_bytes());
    code.update(b".");
    code.update(body);
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn secrets(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_signature_fits_its_body_and_secret_and_no_other() {
        let header = sign("one", b"body", NOW);
        assert_eq!(check(&header, &secrets(&["two", "one"]), b"body", NOW), Ok(()));
        assert_eq!(check(&header, &secrets(&["two"]), b"body", NOW), Err(WebhookRefusal::BadSignature));
        assert_eq!(check(&header, &secrets(&["one"]), b"bodY", NOW), Err(WebhookRefusal::BadSignature));
        assert_eq!(check(&header, &[], b"body", NOW), Err(WebhookRefusal::BadSignature));
        for broken in ["", "t=1", "v1=00", "t=x,v1=zz", "nonsense", &header.replace("v1", "v0")] {
            assert_eq!(check(broken, &secrets(&["one"]), b"body", NOW), Err(WebhookRefusal::BadSignature), "{broken}");
        }
    }

    #[test]
    fn one_of_several_codes_is_enough() {
        let (old, new) = (sign("old", b"body", NOW), sign("new", b"body", NOW));
        let both = format!("{old},{}", new.split_once(',').unwrap().1);
        assert_eq!(check(&both, &secrets(&["new"]), b"body", NOW), Ok(()));
    }

    #[test]
    fn a_signature_lasts_five_minutes() {
        let header = sign("one", b"body", NOW);
        let at = |seconds| check(&header, &secrets(&["one"]), b"body", NOW.plus_seconds(seconds));
        assert_eq!((at(300), at(-300)), (Ok(()), Ok(())));
        assert_eq!((at(301), at(-301)), (Err(WebhookRefusal::Stale), Err(WebhookRefusal::Stale)));
        let moved = header.replace("t=1800000000", "t=1800000301");
        assert_eq!(check(&moved, &secrets(&["one"]), b"body", NOW), Err(WebhookRefusal::BadSignature));
    }
}
