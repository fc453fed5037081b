//! `/admin/keys`: keys of programs that act for any account.

use super::query_at_start;
use crate::api::error::{ApiError, Field};
use crate::api::keys::{MakeServiceKey, RevokeServiceKey, load_service_keys};
use crate::api::views::KeysView;
use crate::components::{
    AdminTabs, FormError, KeyTable, LIFETIMES, Loaded, MadeKey, SelectField, TextField, count_done,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// Making, seeing and ending service keys.
#[component]
pub fn ServiceKeysPage() -> impl IntoView {
    let (make, revoke) = (ServerAction::<MakeServiceKey>::new(), ServerAction::<RevokeServiceKey>::new());
    let made = count_done(make.value().into());
    let revoked = count_done(revoke.value().into());
    let keys = Resource::new(move || (made.get(), revoked.get()), |_| load_service_keys());
    let revoke_error = Signal::derive(move || revoke.value().get().and_then(Result::err));
    view! {
        <Title text="Service keys" />
        <div class="page keys">
            <AdminTabs />
            <header>
                <h1>"Service keys"</h1>
                <p class="lead">"With a service key another program acts for any account, within what it may do."</p>
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
                        // Made anew, and so empty again, after each key.
                        <For each=move || [made.get()] key=|count| *count let:_count>
                            <NewServiceKey make />
                        </For>
                    }
                }
            />
        </div>
    }
}

#[component]
fn NewServiceKey(make: ServerAction<MakeServiceKey>) -> impl IntoView {
    let error = Signal::derive(move || make.value().get().and_then(Result::err));
    view! {
        <ActionForm action=make attr:class="panel form new-key" attr:novalidate=true>
            <h2>"Make a service key"</h2>
            <FormError error />
            <TextField
                name="label"
                label="Name"
                hint="Which program uses it."
                value=query_at_start("label")
                field=Field::Label
                error
            />
            <ScopeBoxes error />
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

#[component]
fn ScopeBoxes(#[prop(into)] error: Signal<Option<ApiError>>) -> impl IntoView {
    let message = move || error.get().filter(|error| error.field() == Some(Field::Scopes)).map(|error| error.message());
    let tick = |name: &'static str, label: &'static str, scope: &'static str| {
        let is_ticked = !query_at_start(name).is_empty();
        view! {
            <label class="tick">
                <input type="checkbox" name=name value="yes" checked=is_ticked aria-describedby="scopes-error" />
                <span>{label} " " <code>{scope}</code></span>
            </label>
        }
    };
    view! {
        <fieldset class="field ticks">
            <legend>"May"</legend>
            {tick("read", "see any account", "accounts:read")}
            {tick("write", "make accounts, and change any account", "accounts:write")}
            <strong class="error" id="scopes-error" role="alert">
                {message}
            </strong>
        </fieldset>
    }
}
