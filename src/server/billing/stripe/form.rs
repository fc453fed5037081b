//! The form of a request: pairs in order, nested keys in brackets (`line_items[0][price]`).

use form_urlencoded::Serializer;

/// The fields of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// A form without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field; its name may be nested, as in `metadata[account]`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a field where there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Its fields in order.
    pub fn fields(&self) -> &[(String, String)] {
        &self.0
    }

    /// As it goes over the wire.
    pub fn encode(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_names_and_any_text_survive_the_wire() {
        let form = Form::new().with("a[b][0]", "x & y=ü").with("n", 5).with_some("gone", None::<&str>);
        let encoded = form.encode();
        let decoded: Vec<_> = form_urlencoded::parse(encoded.as_bytes()).into_owned().collect();
        assert_eq!(decoded, form.fields());
        assert_eq!(encoded, "a%5Bb%5D%5B0%5D=x+%26+y%3D%C3%BC&n=5");
    }
}
