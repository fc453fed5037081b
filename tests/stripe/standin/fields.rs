//! The fields of a request: nested names, and what is not known is refused.

use super::world::Refusal;

/// Fields in order, by their names in brackets.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    pub fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid("parameter_missing", name))
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let parse = |text: &str| text.parse().map_err(|_| Refusal::invalid("parameter_invalid_integer", name));
        self.get(name).map(parse).transpose()
    }

    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// What stands under `prefix[...]`, as text.
    pub fn map(&self, prefix: &str) -> serde_json::Map<String, serde_json::Value> {
        let inner = |key: &str| key.strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']').map(str::to_owned);
        self.0.iter().filter_map(|(key, value)| Some((inner(key)?, value.clone().into()))).collect()
    }

    /// Refuses fields that are not among these; a name stands for all that is nested in it.
    pub fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let outer = |key: &str| key.split('[').next().unwrap_or_default().to_owned();
        match self.0.iter().find(|(key, _)| !known.contains(&outer(key).as_str())) {
            Some((key, _)) => Err(Refusal::invalid("parameter_unknown", key)),
            None => Ok(()),
        }
    }
}
