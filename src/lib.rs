//! Scrip: a self-hosted credit system. `domain` is the pure core, `api` the doors for pages, `pages` and
//! `components` what people see, `server` everything that only the server has. Without any of the features of Cargo.toml
//! it is the core alone.

#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod api;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod app;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod components;
pub mod domain;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server;

/// Brings the server's page to life in the browser.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
    // A sign for whoever has to wait for it, as tests do.
    leptos::prelude::request_animation_frame(|| {
        let root = leptos::prelude::document().document_element();
        let _ = root.map(|root| root.set_attribute("data-alive", "yes"));
    });
}
