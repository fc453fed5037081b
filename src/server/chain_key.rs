//! The file with the key of the chain of history: made at the first start, readable by its owner alone, and never in
//! the database.

use crate::domain::Timestamp;
use crate::server::random::{random_name, random_secret};
use crate::server::store::{ChainKey, SqlStore, StoreError};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only its owner reads and writes the file.
const FILE_MODE: u32 = 0o600;
/// Those bits of a mode that let others in.
const MODE_OF_OTHERS: u32 = 0o077;
/// Characters of the name under which the file is written before it has its own.
const DRAFT_NAME_CHARS: usize = 10;

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChainKeyError {
    /// The database knows a key, and the file is not there.
    #[error(
        "The key of the history's chain is missing: there is no file {}. Put it back from its copy. Where there is none, \
         `scrip chain renew` begins a new chain. Nothing was changed.", .0.display()
    )]
    Missing(PathBuf),
    /// The database knows another key.
    #[error(
        "{} holds another key than the one that this database's history is chained with. Put the right one there, or \
         name it in SCRIP_CHAIN_KEY_FILE. Where it is lost, `scrip chain renew` begins a new chain. Nothing was changed.",
        .0.display()
    )]
    Another(PathBuf),
    /// The file holds something else.
    #[error("{} holds no key: that is {} hexadecimal digits on one line.", .0.display(), 2 * ChainKey::BYTES)]
    NoKey(PathBuf),
    /// The file cannot be read.
    #[error("The key of the history's chain, {}, cannot be read: {source}.", .file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be made.
    #[error("The key of the history's chain, {}, cannot be written: {source}.", .file.display())]
    Unwritable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database does not say which key rules.
    #[error("The key of the history's chain cannot be looked up: {0}.")]
    Store(#[from] StoreError),
}

/// The key of a database's chain, from its file. A new database is given a new one.
///
/// # Errors
/// [`ChainKeyError`] where it is missing, or not the one that rules.
pub async fn unlock(store: &SqlStore, file: &Path, now: Timestamp) -> Result<ChainKey, ChainKeyError> {
    let proof = store.find_chain_proof().await?;
    let found = read(file)?;
    let key = match (found, &proof) {
        (Some(key), _) => key,
        (None, None) => read_or_make(file)?,
        (None, Some(_)) => return Err(ChainKeyError::Missing(file.to_owned())),
    };
    let ruling = match proof {
        Some(proof) => Some(proof),
        None => {
            store.add_first_chain_key(&key, now).await?;
            // Another program may have been first, with another file.
            store.find_chain_proof().await?
        }
    };
    if ruling == Some(key.proof()) { Ok(key) } else { Err(ChainKeyError::Another(file.to_owned())) }
}

/// The key of a file that is made where there is none.
///
/// # Errors
/// Where the file cannot be read or made, or holds something else.
pub fn read_or_make(file: &Path) -> Result<ChainKey, ChainKeyError> {
    if let Some(key) = read(file)? {
        return Ok(key);
    }
    let unwritable = |source| ChainKeyError::Unwritable { file: file.to_owned(), source };
    make(file).map_err(unwritable)?;
    read(file)?.ok_or_else(|| ChainKeyError::Missing(file.to_owned()))
}

fn read(file: &Path) -> Result<Option<ChainKey>, ChainKeyError> {
    let unreadable = |source| ChainKeyError::Unreadable { file: file.to_owned(), source };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(unreadable(source)),
    };
    let mode = std::fs::metadata(file).map_err(unreadable)?.permissions().mode();
    if mode & MODE_OF_OTHERS != 0 {
        tracing::warn!(file = %file.display(), "others on this machine may read the key of the history's chain");
    }
    let mut secret = [0; ChainKey::BYTES];
    match hex::decode_to_slice(text.trim(), &mut secret) {
        Ok(()) => Ok(Some(ChainKey::new(&secret))),
        Err(_) => Err(ChainKeyError::NoKey(file.to_owned())),
    }
}

/// Writes a new key beside its place and puts it there at once: nobody ever reads half of it, and where two programs
/// make one, the first stays.
fn make(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = folder.join(format!(".chain-key-{}", random_name(DRAFT_NAME_CHARS)));
    let mut written = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&draft)?;
    let placed = written
        .write_all(format!("{}\n", hex::encode(random_secret::<{ ChainKey::BYTES }>())).as_bytes())
        .and_then(|()| written.sync_all())
        .and_then(|()| std::fs::hard_link(&draft, file));
    std::fs::remove_file(&draft)?;
    match placed {
        // A key that a power cut takes is lost for good.
        Ok(()) => File::open(folder)?.sync_all(),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chain.key");
        let first = read_or_make(&file).unwrap();
        assert_eq!(read_or_make(&file).unwrap().proof(), first.proof());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, FILE_MODE);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a draft was left");
        make(&file).unwrap();
        assert_eq!(read_or_make(&file).unwrap().proof(), first.proof(), "the second one took its place");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chain.key");
        for text in ["", "secret", &"0".repeat(63), &"g".repeat(64), &"0".repeat(66)] {
            std::fs::write(&file, text).unwrap();
            assert!(matches!(read_or_make(&file), Err(ChainKeyError::NoKey(_))), "{text} was taken");
        }
    }
}
