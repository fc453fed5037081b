//! `/settings/keys`: keys with which one's own programs spend from one's account.

use super::query_at_start;
use crate::api::error::Field;
use crate::api::keys::{MakeKey, RevokeKey, load_keys};
use crate::api::views::KeysView;
use crate::components::{FormError, KeyTable, LIFETIMES, Loaded, MadeKey, SelectField, TextField, count_done};
use leptos::prelude::*;
use leptos_meta::Title;

/// Making, seeing and ending keys of one's own.
#[component]
pub fn KeysPage() -> impl IntoView {
    let (make, revoke) = (ServerAction::<MakeKey>::new(), ServerAction::<RevokeKey>::new());
    let made = count_done(make.value().into());
    let revoked = count_done(revoke.value().into());
    let keys = Resource::new(move || (made.get(), revoked.get()), |_| load_keys());
    let revoke_error = Signal::derive(move || revoke.value().get().and_then(Result::err));
    view! {
        <Title text="API keys" />
        <div class="page keys">
            <header>
                <h1>"API keys"</h1>
                <p class="lead">"With a key your own programs see your balance and spend from your account."</p>
            </header>
            <FormError error=revoke_error />
            <Loaded
                resource=keys
                view=move |view: KeysView| {
                    let shown = move || make.value().get().and_then(Result::ok).or_else(|| view.made.clone());
                    view! {
                        {move || shown().map(|made| view! { <MadeKey made /> })}
                        <KeyTable
                            keys=view.keys.clone()
                            revoke=move |id: String| {
                                view! {
                                    <ActionForm action=revoke>
                                        <input type="hidden" name="key" value=id />
                                        <button type="submit" class="button is-danger" disabled=move || revoke.pending().get()>
                                            "Revoke for good"
                                        </button>
                                    </ActionForm>
                                }
                            }
                        />
                    }
                }
            />
            // Made anew, and so empty again, after each key.
            <For each=move || [made.get()] key=|count| *count let:_count>
                <NewKey make />
            </For>
            <p class="note">
                "What programs can do is described in "
                <a href="/api/docs" rel="external">"the interface's own pages"</a>
                "."
            </p>
        </div>
    }
}

#[component]
fn NewKey(make: ServerAction<MakeKey>) -> impl IntoView {
    let error = Signal::derive(move || make.value().get().and_then(Result::err));
    view! {
        <ActionForm action=make attr:class="panel form new-key" attr:novalidate=true>
            <h2>"Make a key"</h2>
            <FormError error />
            <TextField
                name="label"
                label="Name"
                hint="Where it is used, like “Blog” or “Import script”."
                value=query_at_start("label")
                field=Field::Label
                error
            />
            <SelectField
                name="days"
                label="Lasts"
                options=LIFETIMES
                value=query_at_start("days")
                field=Field::Expiry
                error
            />
            <button type="submit" class="button is-primary" disabled=move || make.pending().get()>
                "Make the key"
            </button>
        </ActionForm>
    }
}
