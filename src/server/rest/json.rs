//! Reading a body: JSON of a known shape, or a sentence that names the field.

use super::Problem;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// Reads a body of JSON, with its bytes as they came. An absent body is an empty object.
pub async fn read<T: DeserializeOwned>(request: Request) -> Result<(T, Bytes), Problem> {
    let is_json = is_json(request.headers());
    let bytes = Bytes::from_request(request, &()).await.map_err(|error| unreadable(&error))?;
    if bytes.is_empty() {
        return Ok((parse(b"{}")?, bytes));
    }
    if !is_json {
        let words = "The body has to be JSON, with Content-Type: application/json.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", words));
    }
    parse::<Unambiguous>(&bytes)?;
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Problem::invalid("", "The body has to be a JSON object."));
    }
    Ok((parse(&bytes)?, bytes))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn unreadable(error: &BytesRejection) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is larger than is read.")
        }
        _ => Problem::malformed("The body broke off."),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = field_of(&error.path().to_string(), &error.inner().to_string());
        match error.inner().classify() {
            serde_json::error::Category::Data => Problem::invalid(&field, sentence(error.inner())),
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => Problem::malformed(sentence(error.inner())),
        }
    })?;
    reader.end().map_err(|error| Problem::malformed(sentence(&error)))?;
    Ok(value)
}

fn sentence(error: &serde_json::Error) -> String {
    format!("The body cannot be read: {error}.")
}

/// The field that an error is about: where the reader stood; and of a field that is missing, unknown or there twice,
/// the name that serde says.
pub(super) fn field_of(path: &str, words: &str) -> String {
    let about_a_name = ["missing field `", "unknown field `", "duplicate field `"];
    let named = about_a_name.iter().find_map(|start| words.strip_prefix(start)).and_then(|rest| rest.split('`').next());
    match (path, named) {
        ("." | "", Some(name)) => name.to_owned(),
        (".", None) => String::new(),
        // Of an unknown field the reader may stand at it already.
        (path, Some(name)) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        (path, Some(name)) => format!("{path}.{name}"),
        (path, None) => path.to_owned(),
    }
}

/// Any JSON in which no object has a name twice: which of the two counts would be a guess.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Looking)
    }
}

struct Looking;

impl<'de> Visitor<'de> for Looking {
    type Value = Unambiguous;

    fn expecting(&self, words: &mut fmt::Formatter<'_>) -> fmt::Result {
        words.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        while items.next_element::<Unambiguous>()?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unambiguous, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            names.insert(name);
            entries.next_value::<Unambiguous>()?;
        }
        Ok(Unambiguous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_in_an_object_twice_is_found_at_any_depth() {
        for (text, field) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"a":{"b":1,"b":2}}"#, "a.b"),
            (r#"{"a":[{"b":1},{"b":1,"c":{},"b":null}]}"#, "a[1].b"),
            (r#"{"\u0061":1,"a":1}"#, "a"),
        ] {
            let problem = parse::<Unambiguous>(text.as_bytes()).err().map(|problem| problem.field());
            assert_eq!(problem, Some(Some(field.to_owned())), "{text}");
        }
        assert!(parse::<Unambiguous>(br#"{"a":{"a":{"a":1}},"b":[1,1.5,"x",true,null]}"#).is_ok());
    }

    #[test]
    fn the_field_is_named_whether_it_is_missing_unknown_or_wrong() {
        assert_eq!(field_of(".", "missing field `email` at line 1 column 2"), "email");
        assert_eq!(field_of("balance", "unknown field `balance`, expected `amount`"), "balance");
        assert_eq!(field_of(".", "unknown field `balance`, expected `amount`"), "balance");
        assert_eq!(field_of("media", "missing field `url`"), "media.url");
        assert_eq!(field_of("metadata.a", "invalid type: null"), "metadata.a");
        assert_eq!(field_of(".", "invalid type: null"), "");
    }
}
