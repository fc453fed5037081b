//! Reading a body: JSON of a known shape, or a sentence that names the field.

use super::Problem;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

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
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { path };
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

/// For axum's own rejections, of a query for one.
pub fn rejected(rejection: impl IntoResponse + std::fmt::Display) -> Problem {
    Problem::malformed(format!("{rejection}."))
}
