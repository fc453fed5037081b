//! What a caller attaches to an operation to find it again: a small JSON object that Scrip keeps and never
//! reads.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A JSON object of at most [`Metadata::MAX_ENTRIES`] entries and [`Metadata::MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Metadata(Map<String, Value>);

/// The object is larger than is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata has at most {} entries and {} bytes as JSON", Metadata::MAX_ENTRIES, Metadata::MAX_BYTES)]
pub struct MetadataTooLarge;

impl Metadata {
    /// Most entries at the top.
    pub const MAX_ENTRIES: usize = 50;
    /// Most bytes of the whole, written as JSON.
    pub const MAX_BYTES: usize = 4_096;

    /// The stored form.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Takes the stored form.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl TryFrom<Map<String, Value>> for Metadata {
    type Error = MetadataTooLarge;

    fn try_from(map: Map<String, Value>) -> Result<Self, Self::Error> {
        let metadata = Self(map);
        let fits = metadata.0.len() <= Self::MAX_ENTRIES && metadata.to_json().len() <= Self::MAX_BYTES;
        if fits { Ok(metadata) } else { Err(MetadataTooLarge) }
    }
}

impl From<Metadata> for Map<String, Value> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_a_small_object() {
        assert_eq!(Metadata::parse(r#"{"order":"A-7"}"#).unwrap().to_json(), r#"{"order":"A-7"}"#);
        let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(Metadata::MAX_BYTES));
        let many: Map<String, Value> = (0..=Metadata::MAX_ENTRIES).map(|n| (n.to_string(), Value::Null)).collect();
        for bad in ["[]", "1", "null", "{", long.as_str(), &Value::Object(many).to_string()] {
            assert!(Metadata::parse(bad).is_none(), "{bad} was taken");
        }
    }
}
