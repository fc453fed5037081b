//! `/signup`: an account with its first credits.

use super::query_at_start;
use crate::api::error::Field;
use crate::api::session::SignUp;
use crate::components::{FormError, TextField, Viewer, credit_count, encode_query};
use leptos::prelude::*;
use leptos_meta::Title;

/// The form to sign up.
#[component]
pub fn SignUpPage() -> impl IntoView {
    let viewer = Viewer::expect();
    let sign_up = ServerAction::<SignUp>::new();
    let error = Signal::derive(move || sign_up.value().get().and_then(Result::err));
    let next = query_at_start("next");
    let other_way = encode_query("/signin", &[("next", &next)]);
    let promise = move || {
        Suspend::new(async move {
            let credits = viewer.session().await.ok().map(|session| session.signup_credits)?;
            (!credits.is_zero())
                .then(|| view! { <p class="lead">{format!("You get {} to begin with.", credit_count(credits))}</p> })
        })
    };
    view! {
        <Title text="Sign up" />
        <section class="page narrow">
            <h1>"Sign up"</h1>
            <Transition>{promise}</Transition>
            <ActionForm action=sign_up attr:class="panel form" attr:novalidate=true>
                <FormError error />
                <input type="hidden" name="next" value=next />
                <TextField
                    name="name"
                    label="Name"
                    autocomplete="name"
                    value=query_at_start("name")
                    field=Field::Name
                    error
                />
                <TextField
                    name="email"
                    label="E-mail address"
                    kind="email"
                    autocomplete="email"
                    value=query_at_start("email")
                    field=Field::Email
                    error
                />
                <TextField
                    name="password"
                    label="Password"
                    kind="password"
                    autocomplete="new-password"
                    hint="At least 8 characters."
                    field=Field::Password
                    error
                />
                <button type="submit" class="button is-primary" disabled=move || sign_up.pending().get()>
                    {move || if sign_up.pending().get() { "Signing up…" } else { "Sign up" }}
                </button>
            </ActionForm>
            <p class="aside">
                "Have an account? " <a href=other_way>"Sign in"</a>
            </p>
        </section>
    }
}
