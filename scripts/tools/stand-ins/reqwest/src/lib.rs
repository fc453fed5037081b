//! The door by which cargo-leptos downloads other tools; it is closed.

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use std::convert::Infallible;

/// Says that nothing is downloaded.
#[derive(Debug)]
pub struct Error;

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("this cargo-leptos downloads nothing; run `make setup`, which installs its tools")
    }
}

impl std::error::Error for Error {}

/// An answer, of which there is none.
pub struct Response(Infallible);

impl Response {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        match self.0 {}
    }

    /// Its body.
    ///
    /// # Errors
    /// None: there is no answer.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        match self.0 {}
    }

    /// Its body, read.
    ///
    /// # Errors
    /// None: there is no answer.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        match self.0 {}
    }
}

/// Fails.
///
/// # Errors
/// Always.
pub async fn get<U>(_url: U) -> Result<Response, Error> {
    Err(Error)
}

/// Makes a [`Client`].
#[derive(Default)]
pub struct ClientBuilder;

impl ClientBuilder {
    /// Who asks.
    #[must_use]
    pub fn user_agent(self, _name: &str) -> Self {
        self
    }

    /// Makes it.
    ///
    /// # Errors
    /// Never.
    pub fn build(self) -> Result<Client, Error> {
        Ok(Client)
    }
}

/// Asks nobody.
#[derive(Default)]
pub struct Client;

impl Client {
    /// A question.
    pub fn get<U>(&self, _url: U) -> Request {
        Request
    }
}

/// A question.
pub struct Request;

impl Request {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub async fn send(self) -> Result<Response, Error> {
        Err(Error)
    }
}
