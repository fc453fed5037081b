//! Where to go next: a path on this site, and never a way off it.

use std::fmt;

/// Only there to resolve paths against.
const ANY_ORIGIN: &str = "http://scrip.invalid";

/// A path on this site with its query and fragment, resolved and escaped: what a `Location` or a link may
/// carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPath(String);

impl OwnPath {
    /// The longest path in bytes: a prompt of the greatest length, percent-encoded.
    pub const MAX_BYTES: usize = 32 * 1024;

    /// Takes a path from outside, as a browser would resolve it; `None` where that leaves the site.
    pub fn parse(path: &str) -> Option<Self> {
        if !path.starts_with('/') {
            return None;
        }
        let resolved = url::Url::parse(ANY_ORIGIN).ok()?.join(path).ok()?;
        // After resolving, since `/.//host` and its relatives become `//host` only then.
        let rest = resolved.as_str().strip_prefix(ANY_ORIGIN)?;
        let stays = rest.starts_with('/') && !rest.starts_with("//") && rest.len() <= Self::MAX_BYTES;
        stays.then(|| Self(rest.to_owned()))
    }

    /// The path itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_never_leaves_the_site() {
        for own in ["/", "/studio", "/studio?feature=audio&prompt=a%20b#made"] {
            assert_eq!(OwnPath::parse(own).unwrap().as_str(), own);
        }
        for foreign in [
            "",
            "studio",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/.//evil.example/x",
            "/x/..//evil.example/x",
            "/%2e//evil.example",
            "/\t/evil.example",
            "/\n//evil.example",
            "//scrip.invalid.evil.example/",
            "//scrip.invalid@evil.example/",
        ] {
            assert_eq!(OwnPath::parse(foreign), None, "{foreign:?} was taken");
        }
        assert!(OwnPath::parse(&format!("/{}", "x".repeat(OwnPath::MAX_BYTES))).is_none());
    }

    #[test]
    fn what_is_taken_fits_a_header() {
        assert_eq!(
            OwnPath::parse("/studio?prompt=a b\u{e9}\r\nx: y").unwrap().as_str(),
            "/studio?prompt=a%20b%C3%A9x:%20y"
        );
    }
}
