//! The balance as it changes, as server-sent events: at once, and after every change by whichever program.

use super::call::Subject;
use super::views::BalanceView;
use super::{Problem, tags};
use crate::domain::{AccountId, Seq};
use crate::server::services::Services;
use crate::server::store::BalanceChange;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use http::{HeaderMap, HeaderName};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// How often a comment keeps the connection from being taken for dead.
const COMMENT_INTERVAL: Duration = Duration::from_secs(15);

/// The number that the reader has seen last, as browsers send it when they come back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Follow the balance.
///
/// Server-sent events: one at once, and one after every change. `event:` is `balance`, `id:` the number of the account's last
/// change, `data:` the balance as JSON. A comment every 15 s keeps the connection from being taken for dead. Who comes
/// back with `Last-Event-ID` is told at once only what is new. Ends when the program stops.
#[utoipa::path(
    get, path = "/credits/events", operation_id = "follow_balance", tag = tags::HISTORY,
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id:` of the last event that was seen.")),
    responses((status = 200, description = "Events until one side ends it.", body = String,
        content_type = "text/event-stream")))]
pub async fn follow(
    State(services): State<Services>,
    subject: Subject,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    // Watching begins before the first look, so that nothing falls between the two.
    let changes = services.watch_balances();
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let following = Following { services, account: subject.account(), changes, is_begun: false, seen: last.map(Seq) };
    let events = stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(COMMENT_INTERVAL)))
}

struct Following {
    services: Services,
    account: AccountId,
    changes: Receiver<BalanceChange>,
    is_begun: bool,
    seen: Option<Seq>,
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_begun && !self.wait_for_news().await {
                return None;
            }
            self.is_begun = true;
            match self.services.read_standing(self.account).await {
                Ok((seq, _)) if self.seen == Some(seq) => {}
                Ok((seq, balance)) => {
                    self.seen = Some(seq);
                    let event = Event::default().event("balance").id(seq.0.to_string());
                    return event.json_data(BalanceView::from(&balance)).ok();
                }
                // The reader comes back by itself, and is told then why not.
                Err(error) => {
                    tracing::warn!(%error, "a balance could not be followed");
                    return None;
                }
            }
        }
    }

    /// Waits until the account may have changed; `false` where the program stops.
    async fn wait_for_news(&mut self) -> bool {
        loop {
            let change = tokio::select! {
                () = self.services.closing() => return false,
                change = self.changes.recv() => change,
            };
            match change {
                Ok(BalanceChange::Account(account, seq)) if account == self.account && Some(seq) > self.seen => {
                    return true;
                }
                Ok(BalanceChange::Account(..)) => {}
                Ok(BalanceChange::Unknown) | Err(RecvError::Lagged(_)) => return true,
                Err(RecvError::Closed) => return false,
            }
        }
    }
}
