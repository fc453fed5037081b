//! The script that brings a page to life. Written here rather than by the framework's component, which
//! preloads: into `crossorigin` it puts the nonce, which one browser refuses, and browsers without
//! JavaScript would load what they cannot use.

use leptos::prelude::*;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Names of the two files, with their hashes in release builds.
struct Names {
    script: String,
    wasm: String,
}

/// The script itself.
#[component]
pub fn HydrationScript(
    /// How the site was built.
    options: LeptosOptions,
    /// Ties the script to this answer.
    nonce: String,
) -> impl IntoView {
    static NAMES: OnceLock<Names> = OnceLock::new();
    let names = NAMES.get_or_init(|| read_names(&options));
    let (script, wasm) = (format!("/pkg/{}", names.script), format!("/pkg/{}", names.wasm));
    // The WASM is fetched beside the script rather than preloaded: without JavaScript nothing is loaded.
    let start = format!(
        "const wasm = fetch({wasm:?}); import({script:?}).then(scrip => scrip.default({{ module_or_path: wasm }}).then(() => scrip.hydrate()))"
    );
    view! { <script type="module" nonce=nonce inner_html=start></script> }
}

fn read_names(options: &LeptosOptions) -> Names {
    let base = &options.output_name;
    let hashes = options.hash_files.then(|| std::fs::read_to_string(hash_file(options)).unwrap_or_default());
    let name = |kind: &str| {
        let line = hashes
            .as_deref()
            .unwrap_or_default()
            .lines()
            .find_map(|line| line.split_once(':').filter(|(file, _)| *file == kind));
        match line {
            Some((_, hash)) => format!("{base}.{}.{kind}", hash.trim()),
            None => format!("{base}.{kind}"),
        }
    };
    Names { script: name("js"), wasm: name("wasm") }
}

/// cargo-leptos writes the hashes beside the program.
pub fn hash_file(options: &LeptosOptions) -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().map_or_else(PathBuf::new, |folder| folder.join(options.hash_file.as_ref()))
}
