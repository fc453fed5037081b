//! The door by which cargo-leptos has the browser's program cut into pieces, closed.

use eyre::{Result, bail};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What is to be cut, and where the pieces go.
#[derive(Debug)]
pub struct Options<'a> {
    /// The program.
    pub input_wasm: &'a [u8],
    /// Where the pieces go.
    pub output_dir: &'a Path,
    /// Where what is left goes.
    pub main_out_path: &'a Path,
    /// The script that loads what is left.
    pub main_module: &'a str,
    /// The script that loads pieces.
    pub link_name: &'a str,
    /// Whether to say more.
    pub verbose: bool,
}

impl<'a> Options<'a> {
    /// Everything else empty.
    pub fn new(input_wasm: &'a [u8]) -> Self {
        let nowhere = Path::new("");
        Self { input_wasm, output_dir: nowhere, main_out_path: nowhere, main_module: "", link_name: "", verbose: false }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct SplitWasm {
    /// The pieces.
    pub split_modules: Vec<PathBuf>,
    /// Which pieces need which others.
    pub prefetch_map: HashMap<String, Vec<String>>,
}

/// Cuts it.
///
/// # Errors
/// Always.
pub fn transform(_: Options<'_>) -> Result<SplitWasm> {
    bail!("this cargo-leptos was built without what --split needs; install the whole one from crates.io")
}
