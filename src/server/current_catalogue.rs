//! The catalogue that rules, in memory: whoever prices something takes one look and goes by it to the end, so that a
//! cost and the version that it is stamped with always belong together. Which one rules is decided by the database.

use crate::domain::catalogue::Catalogue;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

/// One version of the catalogue.
#[derive(Debug)]
pub struct RulingCatalogue {
    /// Its number; the highest rules.
    pub version: i64,
    catalogue: Catalogue,
}

impl RulingCatalogue {
    /// A catalogue with its number.
    pub fn new(version: i64, catalogue: Catalogue) -> Self {
        Self { version, catalogue }
    }
}

impl Deref for RulingCatalogue {
    type Target = Catalogue;

    fn deref(&self) -> &Catalogue {
        &self.catalogue
    }
}

/// The place where the ruling version is found.
#[derive(Debug)]
pub struct CurrentCatalogue(RwLock<Arc<RulingCatalogue>>);

impl CurrentCatalogue {
    /// Begins with that one.
    pub fn new(version: i64, catalogue: Catalogue) -> Self {
        Self(RwLock::new(Arc::new(RulingCatalogue::new(version, catalogue))))
    }

    /// The one that rules now.
    pub fn get(&self) -> Arc<RulingCatalogue> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets a later version rule; an earlier one changes nothing.
    pub fn advance(&self, version: i64, catalogue: Catalogue) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if version > current.version {
            *current = Arc::new(RulingCatalogue::new(version, catalogue));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::presets;

    #[test]
    fn the_later_version_rules_whichever_is_heard_of_first() {
        let current = CurrentCatalogue::new(1, presets::find("mvp").unwrap());
        let before = current.get();
        current.advance(3, presets::find("api").unwrap());
        current.advance(2, presets::find("dual").unwrap());
        assert_eq!((current.get().version, current.get().preset.as_str()), (3, "api"));
        assert_eq!((before.version, before.preset.as_str()), (1, "mvp"), "who has looked goes on with what they saw");
    }
}
