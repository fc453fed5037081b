//! The door by which cargo-leptos has JavaScript made smaller; what goes in comes out.

use std::convert::Infallible;
use std::sync::Arc;
use swc_common::{SourceFile, SourceMap};

/// Options.
pub mod config {
    use super::BoolOrDataConfig;

    /// Whether a text is a module.
    #[derive(Default)]
    pub enum IsModule {
        /// Nobody knows.
        #[default]
        Unknown,
        /// Known.
        Bool(bool),
    }

    /// How it is to be made smaller.
    #[derive(Default)]
    pub struct JsMinifyOptions {
        /// Whether to leave out what does nothing.
        pub compress: BoolOrDataConfig,
        /// Whether to shorten names.
        pub mangle: BoolOrDataConfig,
        /// What it is.
        pub module: IsModule,
        /// Everything else that swc could be told.
        pub rest: (),
    }
}

/// Yes or no.
#[derive(Default)]
pub struct BoolOrDataConfig(pub bool);

impl BoolOrDataConfig {
    /// Yes or no.
    pub fn from_bool(wanted: bool) -> Self {
        Self(wanted)
    }
}

/// More options.
#[derive(Default)]
pub struct JsMinifyExtras;

/// How errors are shown.
#[derive(Default)]
pub struct HandlerOpts;

/// Who hears of errors.
pub struct Handler;

/// What came of it.
pub struct TransformOutput {
    /// The text.
    pub code: String,
}

/// What does it.
pub struct Compiler;

impl Compiler {
    /// For these files.
    pub fn new(_files: Arc<SourceMap>) -> Self {
        Self
    }

    /// Gives the text as it is.
    ///
    /// # Errors
    /// Never.
    pub fn minify(
        &self,
        file: Arc<SourceFile>,
        _handler: &Handler,
        _options: &config::JsMinifyOptions,
        _extras: JsMinifyExtras,
    ) -> Result<TransformOutput, Infallible> {
        Ok(TransformOutput { code: file.text.clone() })
    }
}

/// An error that can be shown.
pub struct PrettyError(anyhow::Error);

impl PrettyError {
    /// Shows it.
    pub fn to_pretty_error(self) -> anyhow::Error {
        self.0
    }
}

/// Runs something that may fail.
///
/// # Errors
/// Where it does.
pub fn try_with_handler<R>(
    _files: Arc<SourceMap>,
    _options: HandlerOpts,
    run: impl FnOnce(&Handler) -> anyhow::Result<R>,
) -> Result<R, PrettyError> {
    run(&Handler).map_err(PrettyError)
}
