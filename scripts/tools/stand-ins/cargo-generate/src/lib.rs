//! The door by which cargo-leptos starts new projects; it is closed.

/// Where a template is.
#[derive(Default)]
pub struct TemplatePath {
    /// Its repository.
    pub git: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// Its tag.
    pub tag: Option<String>,
    /// Its folder.
    pub path: Option<String>,
    /// Everything else that could be told.
    pub rest: (),
}

/// What to start from it.
#[derive(Default)]
pub struct GenerateArgs {
    /// From what.
    pub template_path: TemplatePath,
    /// The new project's name.
    pub name: Option<String>,
    /// Whether the name stays as it is.
    pub force: bool,
    /// Whether to say more.
    pub verbose: bool,
    /// Whether to start in this folder.
    pub init: bool,
    /// Everything else that could be told.
    pub rest: (),
}

/// Says that it does not.
///
/// # Errors
/// Always.
pub fn generate(_arguments: GenerateArgs) -> anyhow::Result<std::path::PathBuf> {
    anyhow::bail!("this cargo-leptos was built for one project and starts no others")
}
