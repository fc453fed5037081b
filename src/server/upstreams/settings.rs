//! Which upstreams the gateway leads to: a file of settings, read once at the start. A bad one stops the start
//! with a sentence.

use crate::domain::FeatureId;
use crate::server::config::ConfigError;
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The most upstreams.
const MAX_UPSTREAMS: usize = 50;
/// The longest name of one, in characters.
const MAX_NAME_CHARS: usize = 40;
/// How long the head of an answer may take, unless the file says otherwise, in seconds, and at most.
const DEFAULT_TIMEOUT_SECONDS: u64 = 30;
const MAX_TIMEOUT_SECONDS: u64 = 290;
/// The largest body of a request, unless the file says otherwise, in bytes.
const DEFAULT_REQUEST_BYTES: usize = 1024 * 1024;
/// The largest body of a request that the file may allow, in bytes.
pub const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;
/// The largest body of an answer, unless the file says otherwise, in bytes.
const DEFAULT_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;
/// The largest body of an answer that the file may allow, in bytes.
const MAX_RESPONSE_BYTES: u64 = 10 * 1024 * 1024 * 1024;
/// What can be called unless the file names fewer.
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// One upstream.
#[derive(Clone)]
pub struct Upstream {
    /// Its name in `/api/gateway/{name}/`.
    pub name: String,
    /// Where it is; its path ends with a slash.
    pub base: Url,
    /// Whose rate a successful call costs, one unit.
    pub feature: FeatureId,
    /// What may be called.
    pub methods: Vec<Method>,
    /// What it is told so that it knows us.
    pub secret: Option<(HeaderName, HeaderValue)>,
    /// How long the head of its answer may take.
    pub head_limit: Duration,
    /// How long it may take between two parts of its answer.
    pub part_limit: Duration,
    /// The largest body that it is sent, in bytes.
    pub max_request_bytes: usize,
    /// The largest body that is taken from it, in bytes.
    pub max_response_bytes: u64,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the secret, nor a password in the address.
        f.debug_struct("Upstream").field("name", &self.name).field("feature", &self.feature).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    upstream: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    url: String,
    feature: FeatureId,
    methods: Option<Vec<String>>,
    secret_header: Option<String>,
    secret_file: Option<PathBuf>,
    timeout_seconds: Option<u64>,
    max_request_bytes: Option<usize>,
    max_response_bytes: Option<u64>,
}

/// Reads the file of the gateway.
///
/// # Errors
/// [`ConfigError`] with the line or the name, and what to change.
pub fn read_gateway_file(path: &Path) -> Result<Vec<Upstream>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("The gateway's file {} cannot be read: {error}.", path.display())))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse(&text, folder).map_err(|reason| ConfigError(format!("The gateway's file {}: {reason}", path.display())))
}

fn parse(text: &str, folder: &Path) -> Result<Vec<Upstream>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.upstream.len() > MAX_UPSTREAMS {
        return Err(format!("it names more than {MAX_UPSTREAMS} upstreams."));
    }
    let mut upstreams: Vec<Upstream> = Vec::new();
    for entry in file.upstream {
        let name = entry.name.clone();
        let upstream = check(entry, folder).map_err(|reason| format!("the upstream \"{name}\": {reason}."))?;
        if upstreams.iter().any(|other| other.name == name) {
            return Err(format!("there are two upstreams called \"{name}\"."));
        }
        upstreams.push(upstream);
    }
    Ok(upstreams)
}

fn check(entry: Entry, folder: &Path) -> Result<Upstream, String> {
    let is_plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
    if entry.name.is_empty() || entry.name.len() > MAX_NAME_CHARS || !entry.name.chars().all(is_plain) {
        return Err(format!("a name has 1 to {MAX_NAME_CHARS} small letters, digits and hyphens"));
    }
    let secret = match (entry.secret_header, entry.secret_file) {
        (None, None) => None,
        (Some(header), Some(file)) => Some(read_secret(&header, &folder.join(file))?),
        (None, Some(_)) | (Some(_), None) => {
            return Err("secret_header and secret_file are only used together".to_owned());
        }
    };
    let seconds = entry.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS);
    let limit = Duration::from_secs(within("timeout_seconds", seconds, MAX_TIMEOUT_SECONDS)?);
    let request_bytes = entry.max_request_bytes.unwrap_or(DEFAULT_REQUEST_BYTES);
    let response_bytes = entry.max_response_bytes.unwrap_or(DEFAULT_RESPONSE_BYTES);
    Ok(Upstream {
        name: entry.name,
        base: parse_base(&entry.url)?,
        feature: entry.feature,
        methods: entry.methods.map_or_else(|| Ok(METHODS.to_vec()), |names| parse_methods(&names))?,
        secret,
        head_limit: limit,
        part_limit: limit,
        max_request_bytes: within("max_request_bytes", request_bytes, MAX_REQUEST_BYTES)?,
        max_response_bytes: within("max_response_bytes", response_bytes, MAX_RESPONSE_BYTES)?,
    })
}

fn within<N: Ord + std::fmt::Display + From<u8>>(name: &str, value: N, most: N) -> Result<N, String> {
    if value < N::from(1) || value > most {
        return Err(format!("{name} is 1 to {most}"));
    }
    Ok(value)
}

fn parse_base(text: &str) -> Result<Url, String> {
    let mut base = Url::parse(text).map_err(|error| format!("url is no address: {error}"))?;
    if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err("url begins with https:// or http://".to_owned());
    }
    if base.query().is_some() || base.fragment().is_some() || !base.username().is_empty() || base.password().is_some() {
        return Err("url is an address without a name, a password, a query or a fragment".to_owned());
    }
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    Ok(base)
}

fn parse_methods(names: &[String]) -> Result<Vec<Method>, String> {
    let find = |name: &String| METHODS.into_iter().find(|method| method.as_str() == name);
    let methods: Option<Vec<Method>> = names.iter().map(find).collect();
    let known = METHODS.map(|method| method.as_str().to_owned()).join(", ");
    methods.filter(|methods| !methods.is_empty()).ok_or_else(|| format!("methods are some of {known}"))
}

/// The header and its value, which is never shown.
fn read_secret(header: &str, file: &Path) -> Result<(HeaderName, HeaderValue), String> {
    let name: HeaderName = header.parse().map_err(|_| format!("{header} is no name of a header"))?;
    let text = std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let mut value: HeaderValue =
        text.trim().parse().map_err(|_| format!("{} holds no value of a header", file.display()))?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Upstream>, String> {
        parse(text, Path::new("/nowhere"))
    }

    #[test]
    fn the_least_that_an_upstream_needs_is_a_name_an_address_and_a_feature() {
        let text = "[[upstream]]\nname = \"weather\"\nurl = \"https://api.example.com/v1\"\nfeature = \"api-call\"\n";
        let upstream = parsed(text).unwrap().remove(0);
        assert_eq!(upstream.base.as_str(), "https://api.example.com/v1/");
        assert_eq!(upstream.methods, METHODS);
        assert_eq!(upstream.head_limit, Duration::from_secs(30));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let with = |line: &str| {
            let text =
                format!("[[upstream]]\nname = \"a\"\nurl = \"https://a.example\"\nfeature = \"api-call\"\n{line}");
            parsed(&text).unwrap_err()
        };
        for (line, words) in [
            ("timeout_seconds = 0", "timeout_seconds is 1 to"),
            ("timeout_seconds = 9999", "timeout_seconds is 1 to"),
            ("max_request_bytes = 99999999999", "max_request_bytes is 1 to"),
            ("methods = [\"BREW\"]", "methods are some of"),
            ("methods = []", "methods are some of"),
            ("secret_header = \"X-Key\"", "only used together"),
            ("secret_header = \"X Key\"\nsecret_file = \"x\"", "no name of a header"),
            ("secret_header = \"X-Key\"\nsecret_file = \"x\"", "/nowhere/x cannot be read"),
            ("colour = \"red\"", "line 5"),
        ] {
            assert!(with(line).contains(words), "{line}: {}", with(line));
        }
        for url in ["ftp://a.example", "a.example", "https://u:p@a.example", "https://a.example/?x=1", "file:///etc"] {
            let text = format!("[[upstream]]\nname = \"a\"\nurl = \"{url}\"\nfeature = \"api-call\"\n");
            assert!(parsed(&text).is_err(), "{url}");
        }
        for name in ["", "A", "a/b", "..", "a b"] {
            let text =
                format!("[[upstream]]\nname = \"{name}\"\nurl = \"https://a.example\"\nfeature = \"api-call\"\n");
            assert!(parsed(&text).is_err(), "{name}");
        }
    }

    #[test]
    fn a_name_is_used_once() {
        let one = "[[upstream]]\nname = \"a\"\nurl = \"https://a.example\"\nfeature = \"api-call\"\n";
        assert!(parsed(&one.repeat(2)).unwrap_err().contains("two upstreams called \"a\""));
    }
}
