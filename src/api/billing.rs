//! Plans, payments and changes of them: the doors for the pages.

use crate::api::error::ApiError;
use crate::api::views::{BillingPageView, ChangePreviewView, DeadEventLine, PersonPaymentsView, PlansView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {
    crate::api::guard, crate::api::views::ChangeOutcome, crate::domain::UserId, crate::domain::billing::Terms,
    crate::server::services::Refunding,
};

/// Plans and packs, and how whoever is signed in stands to them; for everyone.
#[server(prefix = "/fn", endpoint = "load_plans", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_plans() -> Result<PlansView, ApiError> {
    let account = guard::current_user().await?.map(|user| user.account);
    guard::services()?.read_plans(account).await.map_err(guard::from_service)
}

/// What a change of plan would cost and bring; the free plan's name stands for a cancellation.
#[server(prefix = "/fn", endpoint = "preview_change", input = leptos::server_fn::codec::GetUrl)]
pub async fn preview_change(plan: String, interval: String) -> Result<ChangePreviewView, ApiError> {
    let user = guard::require_user().await?;
    let terms = Terms::parse(&plan, &interval).ok_or(ApiError::NotForSale)?;
    guard::services()?.preview_change(user.account, &terms).await.map_err(guard::from_service)
}

/// Does the change that was shown, and goes on to its order where something was due, else to the payments.
#[server(prefix = "/fn", endpoint = "confirm_change")]
pub async fn confirm_change(
    plan: String,
    interval: String,
    seen: String,
    #[server(default)] return_to: String,
) -> Result<(), ApiError> {
    let result = async {
        let user = guard::require_user().await?;
        let terms = Terms::parse(&plan, &interval).ok_or(ApiError::NotForSale)?;
        let back = (!return_to.is_empty()).then(|| return_to.clone());
        let outcome = guard::services()?.change_plan(user.account, &terms, Some(&seen), back).await;
        follow(outcome.map_err(guard::from_service)?);
        Ok(())
    };
    let typed = [("plan", plan.as_str()), ("interval", &interval), ("return_to", &return_to)];
    guard::answer_form::<ConfirmChange, ()>(result.await, "/plans/change", &typed)
}

/// Takes back whatever is scheduled, a change or an end.
#[server(prefix = "/fn", endpoint = "take_back_change")]
pub async fn take_back_change() -> Result<(), ApiError> {
    let result = async {
        let user = guard::require_user().await?;
        follow(guard::services()?.take_back_change(user.account).await.map_err(guard::from_service)?);
        Ok(())
    };
    guard::answer_form::<TakeBackChange, ()>(result.await, "/billing", &[])
}

#[cfg(feature = "ssr")]
fn follow(outcome: ChangeOutcome) {
    match outcome {
        ChangeOutcome::Pay { url, order } => guard::go_out(&url, &format!("/pay/{order}")),
        ChangeOutcome::Changed { .. } => guard::go_to("/billing"),
    }
}

/// One's payments and subscription.
#[server(prefix = "/fn", endpoint = "load_billing", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_billing() -> Result<BillingPageView, ApiError> {
    let user = guard::require_user().await?;
    guard::services()?.read_billing(user.account).await.map_err(guard::from_service)
}

/// Goes on to the provider's page where people change how they pay.
#[server(prefix = "/fn", endpoint = "open_portal")]
pub async fn open_portal() -> Result<(), ApiError> {
    let result = async {
        let user = guard::require_user().await?;
        let url = guard::services()?.portal_url(user.account).await.map_err(guard::from_service)?;
        guard::go_out(&url, "/billing/portal");
        Ok(())
    };
    guard::answer_form::<OpenPortal, ()>(result.await, "/billing", &[])
}

/// In the demo: has the card decline from now on, or no more.
#[server(prefix = "/fn", endpoint = "set_demo_card")]
pub async fn set_demo_card(#[server(default)] declines: bool) -> Result<(), ApiError> {
    let result = async {
        let user = guard::require_user().await?;
        guard::services()?.set_demo_card(user.account, declines).await.map_err(guard::from_service)?;
        guard::go_to("/billing");
        Ok(())
    };
    guard::answer_form::<SetDemoCard, ()>(result.await, "/billing", &[])
}

/// Someone's payments, for administrators.
#[server(prefix = "/fn", endpoint = "load_person_payments", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_person_payments(person: String) -> Result<PersonPaymentsView, ApiError> {
    guard::require_admin().await?;
    let person = UserId::parse(&person).ok_or(ApiError::NotFound)?;
    guard::services()?.read_person_payments(&person).await.map_err(guard::from_service)
}

/// Gives money of someone's payment back, for administrators: so much, or all that is left where nothing is typed.
#[server(prefix = "/fn", endpoint = "refund_payment")]
pub async fn refund_payment(
    person: String,
    payment: String,
    #[server(default)] amount: String,
    reason: String,
    #[server(default)] form_key: String,
) -> Result<(), ApiError> {
    let result = async {
        let admin = guard::require_admin().await?;
        let person = UserId::parse(&person).ok_or(ApiError::NotFound)?;
        let refunding = Refunding::parse(&payment, &amount, &reason, &form_key).map_err(guard::from_service)?;
        guard::services()?.refund_payment(&admin, &person, refunding).await.map_err(guard::from_service)
    };
    let page = format!("/admin/accounts/{person}");
    let typed = [("payment", payment.as_str()), ("amount", &amount), ("reason", &reason)];
    guard::answer_form::<RefundPayment, ()>(result.await, &page, &typed)
}

/// Events of payments that were put aside, for administrators.
#[server(prefix = "/fn", endpoint = "load_dead_events", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_dead_events() -> Result<Vec<DeadEventLine>, ApiError> {
    guard::require_admin().await?;
    guard::services()?.list_dead_events().await.map_err(guard::from_service)
}

/// Has an event tried again that was put aside, for administrators.
#[server(prefix = "/fn", endpoint = "retry_dead_event")]
pub async fn retry_dead_event(provider: String, event: String) -> Result<(), ApiError> {
    let result = async {
        let admin = guard::require_admin().await?;
        guard::services()?.retry_dead_event(&admin, &provider, &event).await.map_err(guard::from_service)
    };
    guard::answer_form::<RetryDeadEvent, ()>(result.await, "/admin/events", &[])
}
