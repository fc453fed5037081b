//! The document that the server sends around the program.

use super::headers::set_page_policy;
use super::hydration::HydrationScript;
use crate::app::App;
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags};

/// The whole document; the browser brings it to life from [`App`] on.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let nonce = leptos::nonce::use_nonce().map(|nonce| nonce.to_string()).unwrap_or_default();
    set_page_policy(&nonce);
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <HashedStylesheet options=options.clone() id="style" />
                <HydrationScript options=options.clone() nonce />
                <AutoReload options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
