//! `/signin`: back to one's account.

use super::query_at_start;
use crate::api::error::Field;
use crate::api::session::SignIn;
use crate::components::{FormError, TextField, encode_query};
use leptos::prelude::*;
use leptos_meta::Title;

/// The form to sign in.
#[component]
pub fn SignInPage() -> impl IntoView {
    let sign_in = ServerAction::<SignIn>::new();
    let error = Signal::derive(move || sign_in.value().get().and_then(Result::err));
    let next = query_at_start("next");
    let other_way = encode_query("/signup", &[("next", &next)]);
    view! {
        <Title text="Sign in" />
        <section class="page narrow">
            <h1>"Sign in"</h1>
            <ActionForm action=sign_in attr:class="panel form" attr:novalidate=true>
                <FormError error />
                <input type="hidden" name="next" value=next />
                <TextField
                    name="email"
                    label="E-mail address"
                    kind="email"
                    autocomplete="username"
                    value=query_at_start("email")
                    field=Field::Email
                    error
                />
                <TextField
                    name="password"
                    label="Password"
                    kind="password"
                    autocomplete="current-password"
                    field=Field::Password
                    error
                />
                <button type="submit" class="button is-primary" disabled=move || sign_in.pending().get()>
                    {move || if sign_in.pending().get() { "Signing in…" } else { "Sign in" }}
                </button>
            </ActionForm>
            <p class="aside">
                "New here? " <a href=other_way>"Sign up"</a>
            </p>
        </section>
    }
}
