//! `/dashboard`: where one stands, what one did last, and what to do next.

use crate::api::error::ApiError;
use crate::api::history::load_history;
use crate::api::session::load_session;
use crate::api::views::{HistoryView, SessionView};
use crate::components::{BalanceCard, BuyLink, HistoryTable, Icon, Loaded};
use leptos::prelude::*;
use leptos_meta::Title;

/// Lines of history on the dashboard.
const SHOWN_LINES: usize = 5;

/// Balance, ways on, and the newest movements.
#[component]
pub fn DashboardPage() -> impl IntoView {
    let history = Resource::new(|| (), |()| load_history(None, None));
    let session = Resource::new(|| (), |()| load_own_session());
    view! {
        <Title text="Dashboard" />
        <div class="page dashboard">
            <Loaded resource=session view=|session: SessionView| view! { <Overview session /> } />
            <section class="recent">
                <header>
                    <h2>"Latest movements"</h2>
                    <a href="/history">"All of them"</a>
                </header>
                <Loaded
                    resource=history
                    view=|mut history: HistoryView| {
                        history.lines.truncate(SHOWN_LINES);
                        view! { <HistoryTable lines=history.lines paid=history.paid /> }
                    }
                />
            </section>
        </div>
    }
}

/// Asked for anew: the header's may be older than the sign-up that led here.
async fn load_own_session() -> Result<SessionView, ApiError> {
    let session = load_session().await?;
    if session.user.is_some() { Ok(session) } else { Err(ApiError::SignInRequired) }
}

#[component]
fn Overview(session: SessionView) -> impl IntoView {
    let for_sale = session.for_sale;
    session.user.map(|user| {
        view! {
            <h1>{format!("Hello, {}", user.name)}</h1>
            <div class="overview">
                <BalanceCard balance=user.balance plan_name=user.plan_name />
                <nav class="ways" aria-label="What to do next">
                    <a class="way" href="/studio?feature=text-to-image">
                        <Icon name="image" />
                        "Make an image"
                    </a>
                    <a class="way" href="/studio?feature=chat-message">
                        <Icon name="chat" />
                        "Ask the chat"
                    </a>
                    <a class="way" href="/studio?feature=audio">
                        <Icon name="sound" />
                        "Turn words into sound"
                    </a>
                    {for_sale.then(|| view! { <BuyLink class="way"><Icon name="coin" />"Add credits"</BuyLink> })}
                </nav>
            </div>
        }
    })
}
