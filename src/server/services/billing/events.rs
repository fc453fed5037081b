//! Events of providers: checked, kept, answered, and processed from where they are kept. What fails is tried again
//! with growing pauses, and in the end put aside for a person to look at.

use super::super::{ServiceError, ServiceResult, Services};
use crate::api::views::DeadEventLine;
use crate::domain::billing::EventRef;
use crate::server::billing::{ProviderError, WebhookRefusal};
use crate::server::store::{AuditEntry, PaymentEvent, User};
use http::HeaderMap;

/// The first pause after a failed try, in seconds; each further one is twice as long.
const FIRST_PAUSE_SECONDS: i64 = 5;
/// The longest pause between two tries, in seconds: an hour.
const LONGEST_PAUSE_SECONDS: i64 = 3_600;
/// How often an event is tried that fails because something cannot be reached, or is not known yet.
const MAX_TRIES: u32 = 14;
/// How often an event is tried that a provider refuses for good.
const MAX_REFUSED: u32 = 3;
/// Events taken at once.
const BATCH: u32 = 50;
/// The longest error that is kept, in characters.
const MAX_ERROR_CHARS: usize = 300;
/// Dead events that are shown.
const SHOWN: u32 = 100;

/// What came of an event that was sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// It is kept now.
    Kept,
    /// It was kept before.
    KnownAlready,
    /// It is not taken.
    Refused(WebhookRefusal),
}

impl Services {
    /// Checks an event and keeps it. It is processed afterwards, so that the sender never waits for that.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where no such provider takes money here; where the database fails, the sender has
    /// to send it again.
    pub async fn receive_webhook(&self, provider: &str, headers: &HeaderMap, body: &[u8]) -> ServiceResult<Webhook> {
        let known = self.0.cashier.provider.as_deref().filter(|known| known.name() == provider);
        let known = known.ok_or(ServiceError::NotFound)?;
        let now = self.0.clock.now();
        let signed = match known.verify(headers, body, now) {
            Ok(signed) => signed,
            Err(refusal) => return Ok(Webhook::Refused(refusal)),
        };
        let text = std::str::from_utf8(body).ok().filter(|text| !text.contains('\0'));
        let Some(text) = text else { return Ok(Webhook::Refused(WebhookRefusal::Malformed)) };
        let event = PaymentEvent {
            provider: provider.to_owned(),
            id: signed.id,
            kind: signed.kind.chars().filter(|character| !character.is_control()).collect(),
            body: text.to_owned(),
            attempts: 0,
            last_error: None,
            received_at: now,
        };
        let is_new = self.0.store.add_event(&event).await?;
        self.0.payment_news.notify_one();
        Ok(if is_new { Webhook::Kept } else { Webhook::KnownAlready })
    }

    /// Waits until an event comes, or somebody says so.
    pub async fn payment_news(&self) {
        self.0.payment_news.notified().await;
    }

    /// Processes all events that are due, and gives their number.
    ///
    /// # Errors
    /// Where the database fails. What fails with one event is noted with it.
    pub async fn process_due_events(&self) -> ServiceResult<usize> {
        let mut processed = 0;
        loop {
            let due = self.0.store.list_due_events(self.0.clock.now(), BATCH).await?;
            let Some(first) = due.first() else { break };
            tracing::debug!(events = due.len(), first = %first.id, "processing");
            for event in &due {
                self.process_event(event).await?;
            }
            processed += due.len();
        }
        if processed > 0 {
            self.return_surplus().await?;
        }
        Ok(processed)
    }

    async fn process_event(&self, event: &PaymentEvent) -> ServiceResult<()> {
        match self.try_event(event).await {
            Ok(()) => {
                tracing::info!(event = %event.id, kind = event.kind, "processed");
                Ok(())
            }
            Err(error) => {
                let text: String = in_full(&error).chars().take(MAX_ERROR_CHARS).collect();
                let tries = event.attempts + 1;
                let is_dead = tries >= most_tries(&error);
                let pause = FIRST_PAUSE_SECONDS.saturating_mul(1 << event.attempts.min(20)).min(LONGEST_PAUSE_SECONDS);
                let next = (!is_dead).then(|| self.0.clock.now().plus_seconds(pause));
                tracing::warn!(event = %event.id, kind = event.kind, tries, is_dead, error = text, "an event failed");
                Ok(self.0.store.fail_event(event, &text, next).await?)
            }
        }
    }

    async fn try_event(&self, event: &PaymentEvent) -> ServiceResult<()> {
        let provider = self.provider()?;
        if provider.name() != event.provider {
            return Err(ServiceError::Unknown("who sent it: that provider takes no money here"));
        }
        let news = provider.interpret(&event.body).await?;
        self.book(news, Some(event.clone())).await
    }

    /// Hands in what the demo has to tell, as any provider would, and processes it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn deliver_demo_events(&self) -> ServiceResult<()> {
        let Some(demo) = &self.0.cashier.demo else { return Ok(()) };
        loop {
            let deliveries = demo.deliveries().await?;
            if deliveries.is_empty() {
                break;
            }
            for delivery in &deliveries {
                match self.receive_webhook("demo", &delivery.headers, delivery.body.as_bytes()).await? {
                    Webhook::Kept | Webhook::KnownAlready => demo.delivered(delivery).await?,
                    Webhook::Refused(refusal) => {
                        return Err(ServiceError::Internal(format!("the demo's own event was refused: {refusal}")));
                    }
                }
            }
        }
        self.process_due_events().await?;
        Ok(())
    }

    /// Events that were put aside, newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_dead_events(&self) -> ServiceResult<Vec<DeadEventLine>> {
        let dead = self.0.store.list_dead_events(SHOWN).await?;
        let line = |event: PaymentEvent| DeadEventLine {
            id: event.id.to_string(),
            provider: event.provider,
            kind: event.kind,
            received_at: event.received_at,
            attempts: i64::from(event.attempts),
            last_error: event.last_error.unwrap_or_default(),
        };
        Ok(dead.into_iter().map(line).collect())
    }

    /// Has an event tried again that was put aside.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where there is none of that name that was put aside.
    pub async fn retry_dead_event(&self, admin: &User, provider: &str, id: &str) -> ServiceResult<()> {
        let id = EventRef::parse(id).ok_or(ServiceError::NotFound)?;
        let entry = AuditEntry {
            account: None,
            seq: None,
            actor: format!("admin:{}", admin.public_id),
            action: "retry_event".into(),
            detail: serde_json::json!({ "provider": provider, "event": id, "by": admin.email.as_str() }),
            created_at: self.0.clock.now(),
        };
        if !self.0.store.revive_event(provider, &id, &entry).await? {
            return Err(ServiceError::NotFound);
        }
        self.0.payment_news.notify_one();
        Ok(())
    }
}

/// What is refused for good is not tried as often as what cannot be reached, or is not known yet.
fn most_tries(error: &ServiceError) -> u32 {
    match error {
        ServiceError::Provider(
            ProviderError::Refused(_)
            | ProviderError::Malformed(_)
            | ProviderError::NotFound(_)
            | ProviderError::Declined,
        )
        | ServiceError::Refused(_) => MAX_REFUSED,
        _ => MAX_TRIES,
    }
}

/// An error with its causes.
fn in_full(error: &ServiceError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
