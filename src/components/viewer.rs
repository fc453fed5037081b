//! Who is looking: loaded once for all pages, and again after everything that may have changed it.

use crate::api::error::ApiError;
use crate::api::session::load_session;
use crate::api::views::{SessionView, UserView};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// The session, and the purchase dialog's state, for every component below the frame.
#[derive(Clone, Copy)]
pub struct Viewer {
    session: Resource<Result<SessionView, ApiError>>,
    purchase: RwSignal<Option<String>>,
}

impl Viewer {
    /// Loads the session and provides it to all below.
    pub fn provide() -> Self {
        let session = Resource::new(|| (), |()| load_session());
        let viewer = Self { session, purchase: RwSignal::new(None) };
        provide_context(viewer);
        viewer
    }

    /// The one that was provided.
    ///
    /// # Panics
    /// Outside of the frame, which is a defect of the page.
    pub fn expect() -> Self {
        expect_context()
    }

    /// The session itself, to be waited for.
    pub fn session(self) -> Resource<Result<SessionView, ApiError>> {
        self.session
    }

    /// Who is signed in, as far as is known now.
    pub fn user(self) -> Option<UserView> {
        self.session.get().and_then(Result::ok).and_then(|session| session.user)
    }

    /// Loads the session again.
    pub fn refresh(self) {
        self.session.refetch();
    }

    /// Loads the session again on each page that is gone to: what led there may have changed it.
    pub fn refresh_on_each_page(self) {
        let pathname = use_location().pathname;
        Effect::new(move |before: Option<String>| {
            let here = pathname.get();
            if before.is_some_and(|before| before != here) {
                self.close_purchase();
                self.refresh();
            }
            here
        });
    }

    /// Loads the session again whenever an action has succeeded.
    pub fn refresh_after<T: Send + Sync + Clone + 'static>(self, value: Signal<Option<Result<T, ApiError>>>) {
        Effect::new(move || {
            if matches!(value.get(), Some(Ok(_))) {
                self.refresh();
            }
        });
    }

    /// Opens the purchase dialog; afterwards people go back to `return_to`.
    pub fn open_purchase(self, return_to: String) {
        self.purchase.set(Some(return_to));
    }

    /// Closes the purchase dialog.
    pub fn close_purchase(self) {
        self.purchase.set(None);
    }

    /// Where people go after a purchase in the dialog; `None` while it is closed.
    pub fn purchase(self) -> RwSignal<Option<String>> {
        self.purchase
    }
}
