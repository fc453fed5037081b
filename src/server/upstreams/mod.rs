//! Upstreams: services of others that are reached over HTTP. How a client for them is made, and how an answer is
//! read without trusting its size. Which of them there are stands in the settings.

pub mod forward;
pub mod settings;

pub use settings::{Upstream, read_gateway_file};

use futures_util::StreamExt;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// A client that goes where it is told and nowhere else: it follows no redirects, keeps no cookies and asks no
/// proxy of the environment.
///
/// # Errors
/// Where the machine has no certificates or no randomness for TLS.
pub fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_LIMIT)
        .pool_idle_timeout(IDLE_LIMIT)
        .build()
}

/// The upstreams of the settings, and the client for them.
pub struct Gateway {
    /// Makes the connections.
    pub client: reqwest::Client,
    /// Which there are.
    pub upstreams: Vec<Upstream>,
}

impl Gateway {
    /// Puts the two together.
    ///
    /// # Errors
    /// As [`client`].
    pub fn new(upstreams: Vec<Upstream>) -> reqwest::Result<Self> {
        Ok(Self { client: client()?, upstreams })
    }
}

/// Why an answer was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has more bytes than are taken.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// It broke off.
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

/// Reads an answer whole, up to `limit` bytes.
///
/// # Errors
/// [`ReadError`] where it is larger, or breaks off.
pub async fn read_whole(response: reqwest::Response, limit: usize) -> Result<Vec<u8>, ReadError> {
    let declared = response.content_length().unwrap_or_default();
    if declared > limit as u64 {
        return Err(ReadError::TooLarge(limit));
    }
    let mut whole = Vec::new();
    let mut parts = response.bytes_stream();
    while let Some(part) = parts.next().await {
        let part = part?;
        if whole.len() + part.len() > limit {
            return Err(ReadError::TooLarge(limit));
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}
