//! Reading the part of an address after `?`: known names with values that fit, or a sentence that names the one
//! that does not.

use super::Problem;
use super::json::field_of;
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// The parameters of an address.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(reader).map(Self).map_err(|error| {
            let words = error.inner().to_string();
            let field = field_of(&error.path().to_string(), &words);
            Problem::invalid(&field, format!("The query does not fit: {words}."))
        })
    }
}
