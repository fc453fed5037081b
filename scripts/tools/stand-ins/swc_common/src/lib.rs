//! Source files as the stand-in for swc takes them.

use std::sync::Arc;

/// What a file is called.
pub enum FileName {
    /// Nothing.
    Anon,
}

/// Where source files are kept; here they keep themselves.
#[derive(Default)]
pub struct SourceMap;

/// One of them.
pub struct SourceFile {
    /// What stands in it.
    pub text: String,
}

impl SourceMap {
    /// Takes a file.
    pub fn new_source_file(&self, _name: Arc<FileName>, text: String) -> Arc<SourceFile> {
        Arc::new(SourceFile { text })
    }
}

/// What swc keeps for each thread.
#[derive(Default)]
pub struct Globals;

/// Where it keeps that.
pub struct Scope;

impl Scope {
    /// Runs something within.
    pub fn set<R>(&self, _globals: &Globals, run: impl FnOnce() -> R) -> R {
        run()
    }
}

/// See [`Scope`].
pub static GLOBALS: Scope = Scope;
