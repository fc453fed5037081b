//! Keeps requests apart. The framework finds what belongs to a request through the thread that works on
//! it; rendering a page leaves its mark there while it waits, and what runs on the thread meanwhile, a
//! server function or a file, would take another request's headers and context for its own. So each
//! request gets an owner of its own for as long as it is worked on.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use leptos::prelude::Owner;
use leptos::reactive::computed::ScopedFuture;

/// Runs the rest under an owner that no other request shares.
pub async fn isolate(request: Request, next: Next) -> Response {
    let owner = Owner::new_root(None);
    owner.with(|| ScopedFuture::new(next.run(request))).await
}
