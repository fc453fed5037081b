//! The studio's form with a picture in it: `POST /studio/make`, as browsers send it by themselves, with JavaScript
//! and without. The answer is the way to the page that shows what came of it.

use crate::api::error::{ApiError, Field, Problem};
use crate::api::guard::from_service;
use crate::api::studio::{Generate, made_page};
use crate::api::studio_features::{MAX_PROMPT_CHARS, StudioFeature};
use crate::server::generators::picture::MAX_PICTURE_BYTES;
use crate::server::identity::sessions;
use crate::server::services::{Delivery, Picture, Services, Wish};
use axum::Extension;
use axum::extract::Multipart;
use axum::extract::multipart::{Field as Part, MultipartError};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use leptos::server_fn::ServerFn;
use leptos::server_fn::error::ServerFnUrlError;
use tower_sessions::Session;

/// The largest form: the largest picture, and what stands beside it.
pub const MAX_STUDIO_FORM_BYTES: usize = MAX_PICTURE_BYTES + 64 * 1024;
/// The longest name of an earlier picture, in characters.
const MAX_SOURCE_CHARS: usize = 100;

/// What was sent.
#[derive(Default)]
struct Form {
    feature: String,
    prompt: String,
    source: String,
    picture: Vec<u8>,
}

/// Makes something from a picture that was sent, or from an earlier one.
pub async fn make(
    Extension(services): Extension<Services>,
    Extension(session): Extension<Session>,
    multipart: Multipart,
) -> Response {
    let mut form = Form::default();
    let made = match form.read(multipart).await {
        Ok(()) => form.make(&services, &session).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(page) => Redirect::to(&page).into_response(),
        Err(ApiError::SignInRequired) => Redirect::to("/signin?next=%2Fstudio").into_response(),
        Err(error) => form.back_with(&error),
    }
}

impl Form {
    async fn read(&mut self, mut multipart: Multipart) -> Result<(), ApiError> {
        while let Some(part) = multipart.next_field().await.map_err(|error| unreadable(&error))? {
            match part.name() {
                Some("feature") => self.feature = words(part, MAX_SOURCE_CHARS).await?,
                Some("prompt") => self.prompt = words(part, 2 * MAX_PROMPT_CHARS).await?,
                Some("source") => self.source = words(part, MAX_SOURCE_CHARS).await?,
                Some("picture") => self.picture = part.bytes().await.map_err(|error| unreadable(&error))?.to_vec(),
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    async fn make(&mut self, services: &Services, session: &Session) -> Result<String, ApiError> {
        let account = sessions::signed_in(session).await.map_err(|_| ApiError::Unavailable)?;
        let account = account.ok_or(ApiError::SignInRequired)?;
        let user = services.find_user(account).await.map_err(from_service)?.ok_or(ApiError::SignInRequired)?;
        let feature = StudioFeature::parse(&self.feature).ok_or(ApiError::NotFound)?;
        let picture = match (self.picture.is_empty(), self.source.as_str()) {
            (false, _) => Picture::Sent(std::mem::take(&mut self.picture)),
            (true, "" | "file") => Picture::Absent,
            (true, name) => Picture::Earlier(name.to_owned()),
        };
        let wish = Wish { feature, prompt: self.prompt.clone(), seconds: None, picture };
        match services.generate(user.account, wish, None).await.map_err(from_service)? {
            Delivery::Done { result, .. } => Ok(made_page(feature, &result.name)),
            Delivery::Replayed(_) => Err(ApiError::Internal),
        }
    }

    /// Back to the page, with what was typed; the picture itself has to be chosen again.
    fn back_with(&self, error: &ApiError) -> Response {
        // Only there to build the address; it never leaves the server.
        let origin = "http://scrip.invalid";
        let url = ServerFnUrlError::new(Generate::PATH, error.clone()).to_url(&format!("{origin}/studio"));
        let Ok(mut url) = url else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
        let typed = [("feature", &self.feature), ("prompt", &self.prompt), ("source", &self.source)];
        url.query_pairs_mut().extend_pairs(typed.iter().filter(|(_, value)| !value.is_empty()));
        Redirect::to(url.as_str().strip_prefix(origin).unwrap_or("/studio")).into_response()
    }
}

/// A field of words; what is much longer than it may be is cut, and refused by its length later.
async fn words(part: Part<'_>, most: usize) -> Result<String, ApiError> {
    let text = part.text().await.map_err(|error| unreadable(&error))?;
    Ok(text.chars().take(most).collect())
}

fn unreadable(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::Invalid { field: Field::Picture, problem: Problem::TooLong },
        _ => ApiError::Connection,
    }
}
