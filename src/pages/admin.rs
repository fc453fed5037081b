//! `/admin`: finding people.

use crate::api::admin::search_people;
use crate::api::views::PersonLine;
use crate::components::{AdminTabs, Loaded, Moment};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;

/// A search, and who was found. What is searched for stands in the address.
#[component]
pub fn AdminPage() -> impl IntoView {
    let query = use_query_map();
    let text = Memo::new(move |_| query.read().get("q").unwrap_or_default());
    let people = Resource::new(move || text.get(), search_people);
    view! {
        <Title text="People" />
        <div class="page admin">
            <AdminTabs />
            <h1>"People"</h1>
            <Form method="GET" action="/admin" attr:class="search" attr:role="search">
                <label for="q">"Address, name or id"</label>
                <input id="q" name="q" type="search" value=text.get_untracked() />
                <button type="submit" class="button">"Search"</button>
            </Form>
            <Loaded resource=people view={move |people: Vec<PersonLine>| view! { <People people /> }} />
        </div>
    }
}

#[component]
fn People(people: Vec<PersonLine>) -> impl IntoView {
    let is_empty = people.is_empty();
    view! {
        {is_empty.then(|| view! { <p class="empty">"Nobody like that. Try a part of the address."</p> })}
        <table class="people-table" role="table" hidden=is_empty>
            <caption class="visually-hidden">"People, newest first"</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col" role="columnheader">"Person"</th>
                    <th scope="col" role="columnheader">"Plan"</th>
                    <th scope="col" role="columnheader" class="amount">"Credits"</th>
                    <th scope="col" role="columnheader">"Since"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">{people.into_iter().map(|person| view! { <PersonRow person /> }).collect_view()}</tbody>
        </table>
    }
}

#[component]
fn PersonRow(person: PersonLine) -> impl IntoView {
    view! {
        <tr role="row">
            <td role="cell" data-label="Person">
                <a href=format!("/admin/accounts/{}", person.public_id)>{person.email.clone()}</a>
                <small>{person.name.clone()} {person.is_admin.then(|| view! { <span class="tag">"Admin"</span> })}</small>
            </td>
            <td role="cell" data-label="Plan">{person.plan_name.unwrap_or_else(|| "–".to_owned())}</td>
            <td role="cell" data-label="Credits" class="amount">{person.balance.to_string()}</td>
            <td role="cell" data-label="Since">
                <Moment at=person.created_at day_only=true />
            </td>
        </tr>
    }
}
