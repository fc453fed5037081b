//! The chain of history: each row carries a code that follows from the row before and from all that the row says,
//! by a key that is not in the database. Who has the database and not the key can change no row, take none away, add
//! none and cut none off without a code that does not fit.
//!
//! A code is HMAC-SHA-256 cut to 128 bits (RFC 2104, section 5; as in RFC 4868), in base64. What goes into it is
//! encoded so that no two rows read alike: numbers have eight bytes, texts their length before them, and what may be
//! absent a byte that says whether it is there. The first byte says what the code is for.

use crate::domain::AccountId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a code.
const CODE_BYTES: usize = 16;
/// Bytes of a block of SHA-256, which a key is filled up to (RFC 2104, section 2).
const BLOCK_BYTES: usize = 64;
/// Enough for most rows, so that their encoding grows into no second allocation.
const TYPICAL_ROW_BYTES: usize = 256;

/// What codes are made with. It has to be kept outside of the database, and as long as the database is.
#[derive(Clone)]
pub struct ChainKey(Hmac<Sha256>);

impl std::fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChainKey")
    }
}

/// How far the chain of an account has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// How many rows there are.
    pub rows: i64,
    /// The code of the last one; empty where there is none.
    pub code: String,
}

/// All that counts of a row of history, as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Its number.
    pub seq: i64,
    /// Its type.
    pub kind: &'a str,
    /// Which operation made it.
    pub cause: &'a str,
    /// Signed credits.
    pub amount: i64,
    /// The balance after it.
    pub balance_after: i64,
    /// What is owed after it.
    pub debt_after: i64,
    /// What was used.
    pub feature: Option<&'a str>,
    /// How much of it.
    pub units: Option<i64>,
    /// By which version of the rates.
    pub rate_version: Option<i64>,
    /// Stands for the description and the metadata, which may be erased one day: see [`ChainKey::words`].
    pub words: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// The hold that it took.
    pub hold: Option<i64>,
    /// The charge that it gives back.
    pub refund_of: Option<i64>,
    /// When, in milliseconds.
    pub created_at: i64,
    /// Its draws, as their text.
    pub draws: &'a str,
}

impl ChainKey {
    /// Bytes of the secret.
    pub const BYTES: usize = 32;

    /// From random bytes.
    pub fn new(secret: &[u8; Self::BYTES]) -> Self {
        let mut block = [0; BLOCK_BYTES];
        block[..Self::BYTES].copy_from_slice(secret);
        Self(KeyInit::new((&block).into()))
    }

    /// The code of nothing, by which a database knows its key again.
    pub fn proof(&self) -> String {
        self.code(&Message::new(b'K'))
    }

    /// What stands in the chain for the words of a row. It takes the key, so that nobody can find out by trying
    /// what erased words said.
    pub fn words(&self, account: AccountId, seq: i64, description: &str, metadata: Option<&str>) -> String {
        let mut message = Message::new(b'W');
        message.integer(account.0);
        message.integer(seq);
        message.text(description);
        message.optional_text(metadata);
        self.code(&message)
    }

    /// The code of a row that follows the one with the code `previous`.
    pub fn link(&self, account: AccountId, previous: &str, row: &Link<'_>) -> String {
        let mut message = Message::new(b'R');
        message.integer(account.0);
        message.text(previous);
        message.integer(row.seq);
        message.text(row.kind);
        message.text(row.cause);
        message.integer(row.amount);
        message.integer(row.balance_after);
        message.integer(row.debt_after);
        message.optional_text(row.feature);
        message.optional_integer(row.units);
        message.optional_integer(row.rate_version);
        message.text(row.words);
        message.text(row.actor);
        message.optional_integer(row.hold);
        message.optional_integer(row.refund_of);
        message.integer(row.created_at);
        message.text(row.draws);
        self.code(&message)
    }

    /// What shows that a head is true. It differs from all codes of rows: else whoever cuts rows off would find the
    /// head to that in the last row that is left.
    pub fn seal(&self, account: AccountId, head: &Head) -> String {
        let mut message = Message::new(b'H');
        message.integer(account.0);
        message.integer(head.rows);
        message.text(&head.code);
        self.code(&message)
    }

    fn code(&self, message: &Message) -> String {
        let mut mac = self.0.clone();
        mac.update(&message.0);
        URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..CODE_BYTES])
    }
}

/// Values one after the other, so that each of them can only be read in one way.
struct Message(Vec<u8>);

impl Message {
    fn new(purpose: u8) -> Self {
        let mut bytes = Vec::with_capacity(TYPICAL_ROW_BYTES);
        bytes.push(purpose);
        Self(bytes)
    }

    fn integer(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn text(&mut self, value: &str) {
        self.0.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.0.extend_from_slice(value.as_bytes());
    }

    fn optional_integer(&mut self, value: Option<i64>) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            self.integer(value);
        }
    }

    fn optional_text(&mut self, value: Option<&str>) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            self.text(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const ROW: Link<'_> = Link {
        seq: 2,
        kind: "debit",
        cause: "charge",
        amount: -5,
        balance_after: 55,
        debt_after: 0,
        feature: Some("chat"),
        units: Some(1),
        rate_version: Some(1),
        words: "w",
        actor: "user",
        hold: None,
        refund_of: None,
        created_at: 7,
        draws: "[[1,-5]]",
    };

    #[test]
    fn a_code_is_what_the_standard_says() {
        // RFC 4231, test case 2: HMAC-SHA-256 of "what do ya want for nothing?" by the key "Jefe".
        let mut secret = [0; ChainKey::BYTES];
        secret[..4].copy_from_slice(b"Jefe");
        let mut message = Message(Vec::new());
        message.0.extend_from_slice(b"what do ya want for nothing?");
        let expected = hex::decode("5bdcc146bf60754e6a042426089575c7").unwrap();
        assert_eq!(ChainKey::new(&secret).code(&message), URL_SAFE_NO_PAD.encode(expected));
    }

    #[test]
    fn every_value_of_a_row_counts() {
        let key = ChainKey::new(&[1; ChainKey::BYTES]);
        let rows = [
            ROW,
            Link { seq: 3, ..ROW },
            Link { kind: "refund", ..ROW },
            Link { cause: "capture", ..ROW },
            Link { amount: -6, ..ROW },
            Link { balance_after: 54, ..ROW },
            Link { debt_after: 1, ..ROW },
            Link { feature: None, ..ROW },
            Link { feature: Some(""), ..ROW },
            Link { units: None, ..ROW },
            Link { units: None, rate_version: None, ..ROW },
            Link { rate_version: Some(2), ..ROW },
            Link { words: "v", ..ROW },
            Link { actor: "job", ..ROW },
            // The same bytes, divided otherwise.
            Link { words: "wu", actor: "ser", ..ROW },
            Link { hold: Some(1), ..ROW },
            Link { refund_of: Some(1), ..ROW },
            Link { created_at: 8, ..ROW },
            Link { draws: "[[2,-5]]", ..ROW },
        ];
        let mut codes: HashSet<String> = rows.iter().map(|row| key.link(AccountId(1), "", row)).collect();
        codes.insert(key.link(AccountId(2), "", &ROW));
        codes.insert(key.link(AccountId(1), "another", &ROW));
        codes.insert(ChainKey::new(&[2; ChainKey::BYTES]).link(AccountId(1), "", &ROW));
        assert_eq!(codes.len(), rows.len() + 3);
    }

    #[test]
    fn a_seal_is_of_one_account_with_so_many_rows_and_no_code_of_a_row() {
        let key = ChainKey::new(&[1; ChainKey::BYTES]);
        let head = |rows, code: &str| Head { rows, code: code.to_owned() };
        let seals = [
            key.seal(AccountId(1), &head(0, "")),
            key.seal(AccountId(2), &head(0, "")),
            key.seal(AccountId(1), &head(1, "")),
            key.seal(AccountId(1), &head(1, "a")),
            key.words(AccountId(1), 1, "a", None),
            key.words(AccountId(1), 1, "", Some("a")),
            key.proof(),
        ];
        assert_eq!(seals.iter().collect::<HashSet<_>>().len(), seals.len());
    }
}
