//! Which accounts have changed, for those who watch: within the program by a channel, between programs on
//! one PostgreSQL by its notifications.

use crate::domain::{AccountId, Seq};
use crate::server::store::database::{MAX_MESSAGE_BYTES, Notifications};
use crate::server::store::{BalanceChange, StoreResult};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Changes that a slow watcher may be behind; then it is told that it missed some.
const WATCHER_CAPACITY: usize = 4_096;
/// Batches that wait to be sent to other programs.
const OUTBOX_CAPACITY: usize = 1_024;
/// How long the end of the program waits until the others are told.
const FLUSH_TIME_LIMIT: Duration = Duration::from_secs(2);
/// How long to wait before the database is asked again after it could not be reached.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What goes out to other programs.
enum Mail {
    Changes(Vec<BalanceChange>),
    /// Answered when all that came before is sent.
    Flush(oneshot::Sender<()>),
}

/// The two ends of the news.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    watchers: broadcast::Sender<BalanceChange>,
    /// To the other programs, which includes ourselves.
    outbox: Option<mpsc::Sender<Mail>>,
    stop: CancellationToken,
    /// Stops the tasks when the last clone goes.
    _guard: Arc<DropGuard>,
}

impl Feed {
    /// Starts to tell and to listen. What is announced after this returns is heard.
    pub async fn start(notifications: Option<Notifications>) -> StoreResult<Self> {
        let (watchers, _) = broadcast::channel(WATCHER_CAPACITY);
        let stop = CancellationToken::new();
        let outbox = match notifications {
            None => None,
            Some(notifications) => {
                let listener = notifications.listen().await?;
                let (outbox, waiting) = mpsc::channel(OUTBOX_CAPACITY);
                tokio::spawn(stop.clone().run_until_cancelled_owned(hear(listener, watchers.clone())));
                tokio::spawn(stop.clone().run_until_cancelled_owned(tell(notifications, waiting)));
                Some(outbox)
            }
        };
        let guard = Arc::new(stop.clone().drop_guard());
        Ok(Self { watchers, outbox, stop, _guard: guard })
    }

    /// Tells of changes that are committed. Never waits: who watches also looks by itself now and then.
    pub fn announce(&self, changes: Vec<BalanceChange>) {
        match &self.outbox {
            Some(outbox) => {
                if outbox.try_send(Mail::Changes(changes)).is_err() {
                    let _ = self.watchers.send(BalanceChange::Unknown);
                }
            }
            None => publish(&self.watchers, changes),
        }
    }

    /// All changes from now on.
    pub fn watch(&self) -> broadcast::Receiver<BalanceChange> {
        self.watchers.subscribe()
    }

    /// Sends what waits, and ends the tasks.
    pub async fn close(&self) {
        if let Some(outbox) = &self.outbox {
            let (sent, all_sent) = oneshot::channel();
            let flushed = async {
                if outbox.send(Mail::Flush(sent)).await.is_ok() {
                    let _ = all_sent.await;
                }
            };
            if tokio::time::timeout(FLUSH_TIME_LIMIT, flushed).await.is_err() {
                tracing::warn!("other programs were not told of the last changes");
            }
        }
        self.stop.cancel();
    }
}

fn publish(watchers: &broadcast::Sender<BalanceChange>, changes: Vec<BalanceChange>) {
    for change in changes {
        // Without watchers there is nobody to tell.
        let _ = watchers.send(change);
    }
}

async fn tell(notifications: Notifications, mut waiting: mpsc::Receiver<Mail>) {
    while let Some(mail) = waiting.recv().await {
        match mail {
            Mail::Changes(changes) => tell_changes(&notifications, &changes).await,
            Mail::Flush(sent) => {
                let _ = sent.send(());
            }
        }
    }
}

async fn tell_changes(notifications: &Notifications, changes: &[BalanceChange]) {
    for message in messages(changes) {
        if let Err(error) = notifications.send(&message).await {
            tracing::warn!(%error, "other programs could not be told of new balances");
        }
    }
}

async fn hear(mut listener: sqlx::postgres::PgListener, watchers: broadcast::Sender<BalanceChange>) {
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) => publish(&watchers, parse(notification.payload())),
            // The connection was lost, and with it what was sent meanwhile.
            Ok(None) => publish(&watchers, vec![BalanceChange::Unknown]),
            Err(error) => {
                tracing::warn!(%error, "other programs cannot be heard");
                publish(&watchers, vec![BalanceChange::Unknown]);
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// `account:number` pairs, as many to a message as fit.
fn messages(changes: &[BalanceChange]) -> Vec<String> {
    let mut messages = vec![String::new()];
    for change in changes {
        let text = match change {
            BalanceChange::Account(account, seq) => format!("{}:{} ", account.0, seq.0),
            BalanceChange::Unknown => "? ".to_owned(),
        };
        match messages.last_mut() {
            Some(last) if last.len() + text.len() <= MAX_MESSAGE_BYTES => last.push_str(&text),
            Some(_) | None => messages.push(text),
        }
    }
    messages
}

fn parse(message: &str) -> Vec<BalanceChange> {
    let change = |text: &str| {
        let (account, seq) = text.split_once(':')?;
        Some(BalanceChange::Account(AccountId(account.parse().ok()?), Seq(seq.parse().ok()?)))
    };
    message.split_whitespace().map(|text| change(text).unwrap_or(BalanceChange::Unknown)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_what_it_was_given_and_no_more_than_fits() {
        let changes: Vec<_> = (0..2_000).map(|n| BalanceChange::Account(AccountId(n * 1_000_000), Seq(n))).collect();
        let messages = messages(&changes);
        assert!(messages.len() > 1 && messages.iter().all(|message| message.len() <= MAX_MESSAGE_BYTES));
        assert_eq!(messages.iter().flat_map(|message| parse(message)).collect::<Vec<_>>(), changes);
        assert_eq!(parse("nonsense"), [BalanceChange::Unknown]);
    }
}
