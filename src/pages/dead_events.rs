//! `/admin/events`: what the payment provider told and could not be booked.

use crate::api::billing::{RetryDeadEvent, load_dead_events};
use crate::api::views::DeadEventLine;
use crate::components::{AdminTabs, FormError, Loaded, Moment, count_done};
use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;

/// Dead events, each with a way to try it again.
#[component]
pub fn DeadEventsPage() -> impl IntoView {
    let retry = ServerAction::<RetryDeadEvent>::new();
    let error = Signal::derive(move || retry.value().get().and_then(Result::err));
    let retried = count_done(retry.value().into());
    let events = Resource::new(move || retried.get(), |_| load_dead_events());
    view! {
        <Title text="Payment events" />
        <div class="page admin">
            <AdminTabs />
            <header>
                <h1>"Payment events"</h1>
                <p class="lead">"What the payment provider told, and could not be booked however often it was tried."</p>
            </header>
            <FormError error />
            <Loaded resource=events view={move |events: Vec<DeadEventLine>| view! { <Events events retry /> }} />
        </div>
    }
}

#[component]
fn Events(events: Vec<DeadEventLine>, retry: ServerAction<RetryDeadEvent>) -> impl IntoView {
    if events.is_empty() {
        return Either::Left(view! { <p class="empty">"Every event is booked."</p> });
    }
    Either::Right(view! {
        <table class="book-table event-table" role="table">
            <caption class="visually-hidden">"Events that could not be booked"</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col" role="columnheader">"Event"</th>
                    <th scope="col" role="columnheader">"Came"</th>
                    <th scope="col" role="columnheader" class="amount">"Tries"</th>
                    <th scope="col" role="columnheader">"The last time"</th>
                    <th scope="col" role="columnheader"><span class="visually-hidden">"Retry"</span></th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                {events
                    .into_iter()
                    .map(|event| view! { <EventRow event retry /> })
                    .collect_view()}
            </tbody>
        </table>
    })
}

#[component]
fn EventRow(event: DeadEventLine, retry: ServerAction<RetryDeadEvent>) -> impl IntoView {
    let DeadEventLine { id, provider, kind, received_at, attempts, last_error } = event;
    let row_name = id.clone();
    let name = format!("{provider} {id}");
    view! {
        <tr role="row" data-event=row_name>
            <td role="cell" data-label="Event" class="is-head">
                <strong>{kind}</strong>
                " "
                <small class="entry-number">{name}</small>
            </td>
            <td role="cell" data-label="Came">
                <Moment at=received_at />
            </td>
            <td role="cell" data-label="Tries" class="amount">{attempts.to_string()}</td>
            <td role="cell" data-label="The last time" class="wrap-anywhere">{last_error}</td>
            <td role="cell" data-label="" class="row-action">
                <ActionForm action=retry>
                    <input type="hidden" name="provider" value=provider />
                    <input type="hidden" name="event" value=id />
                    <button type="submit" class="button is-small" disabled=move || retry.pending().get()>
                        "Try again"
                    </button>
                </ActionForm>
            </td>
        </tr>
    }
}
