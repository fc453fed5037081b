//! Plans and packs: what there is, buying it, and what payment providers tell.

use super::call::{Call, Subject};
use super::problem::ProblemView;
use super::schemas::Moment;
use super::views::{BalanceView, PackView, PlanView};
use super::{Problem, tags};
use crate::api::views::{ChangeOutcome, SubscriptionView as Standing};
use crate::domain::billing::{SubscriptionStatus, Terms};
use crate::domain::catalogue::Interval;
use crate::domain::{OrderId, PlanId};
use crate::server::services::{Begun, Purchase, Services, Webhook};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A plan, and how often it is paid.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Terms)]
pub struct TermsView {
    #[schema(example = "basic")]
    plan: PlanId,
    interval: Interval,
}

impl From<Terms> for TermsView {
    fn from(terms: Terms) -> Self {
        Self { plan: terms.plan, interval: terms.interval }
    }
}

/// A subscription that is not over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscription)]
pub struct SubscriptionView {
    #[serde(flatten)]
    terms: TermsView,
    /// `past_due` where a renewal could not be collected.
    status: SubscriptionStatus,
    #[schema(value_type = Moment)]
    period_start: String,
    /// The next payment, or when it ends or changes.
    #[schema(value_type = Moment)]
    period_end: String,
    /// Whether it ends with the period.
    cancel_at_period_end: bool,
    /// What it changes to at the end of the period.
    scheduled: Option<TermsView>,
}

impl From<Standing> for SubscriptionView {
    fn from(known: Standing) -> Self {
        Self {
            terms: known.terms.into(),
            status: known.status,
            period_start: known.period_start.to_rfc3339(),
            period_end: known.period_end.to_rfc3339(),
            cancel_at_period_end: known.cancel_at_period_end,
            scheduled: known.scheduled.map(|(terms, _)| terms.into()),
        }
    }
}

/// What there is to buy, and how the account stands to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plans)]
pub struct PlansView {
    /// From the cheapest to the dearest; empty where nothing is for sale.
    plans: Vec<PlanView>,
    packs: Vec<PackView>,
    /// The free plan where they bought none; `null` where there are no plans.
    current_plan: Option<PlanId>,
    subscription: Option<SubscriptionView>,
    /// Whether anything can be bought now.
    for_sale: bool,
    balance: BalanceView,
}

/// List plans and packs.
///
/// With the current plan and the balance.
#[utoipa::path(
    get, path = "/plans", operation_id = "list_plans", tag = tags::BILLING,
    responses((status = 200, description = "What there is to buy.", body = PlansView)))]
pub async fn plans(State(services): State<Services>, subject: Subject) -> Result<Json<PlansView>, Problem> {
    let view = services.read_plans(Some(subject.account())).await?;
    let balance = services.read_balance(subject.account()).await?;
    Ok(Json(PlansView {
        plans: view.catalogue.plans.iter().map(PlanView::from).collect(),
        packs: view.catalogue.packs.iter().map(PackView::from).collect(),
        current_plan: view.current_plan,
        subscription: view.subscription.map(SubscriptionView::from),
        for_sale: view.for_sale,
        balance: BalanceView::from(&balance),
    }))
}

/// A purchase that was begun: a person pays it at the address.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Checkout)]
pub struct CheckoutView {
    order: OrderId,
    checkout_url: String,
}

/// A pack that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PurchaseRequest, example = json!({ "pack": "pack-500" }))]
pub struct PurchaseBody {
    pack: PlanId,
}

/// Begin the purchase of a pack.
///
/// Nothing is charged yet: a person pays at the address that is answered. The credits come once the provider says so.
#[utoipa::path(
    post, path = "/credits/purchase", operation_id = "purchase", tag = tags::BILLING, request_body = PurchaseBody,
    responses((status = 201, description = "The order is written down.", body = CheckoutView),
        (status = 502, description = "The payment provider did not answer as it should.", body = ProblemView,
            content_type = "application/problem+json")))]
pub async fn purchase(
    State(services): State<Services>,
    call: Call<Subject, PurchaseBody>,
) -> Result<Response, Problem> {
    let account = call.who.account();
    if let Some(answer) = call.first_answer(&services, account, |_| StatusCode::CREATED).await? {
        return Ok(answer);
    }
    let purchase = Purchase::Pack(call.body.pack.clone());
    let begun = services.begin_purchase_once(account, purchase, None, call.name()).await?;
    call.remember(&services, account, StatusCode::CREATED, checkout_text(&services, begun)?).await
}

fn checkout_text(services: &Services, begun: Begun) -> Result<String, Problem> {
    let checkout_url = services.absolute(&begun.url);
    text_of(&CheckoutView { order: begun.order, checkout_url })
}

fn text_of<T: Serialize>(view: &T) -> Result<String, Problem> {
    serde_json::to_string(view).map_err(|error| super::call::internal(&error))
}

/// A plan that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlanRequest, example = json!({ "plan": "premium", "interval": "year" }))]
pub struct UpgradeBody {
    plan: PlanId,
    /// By the month where absent.
    #[serde(default)]
    interval: Interval,
}

/// A change that costs nothing now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanChange)]
pub struct ChangeView {
    /// The subscription as it is now.
    change: Option<SubscriptionView>,
}

/// Change the plan.
///
/// A first plan and an upgrade are begun only: a person pays, or confirms, at the address that is answered. Less is
/// done at once, and takes effect at the end of the period; the free plan's name cancels.
#[utoipa::path(
    post, path = "/upgrade-plan", operation_id = "upgrade_plan", tag = tags::BILLING, request_body = UpgradeBody,
    responses((status = 201, description = "Something is to be paid: the order is written down.", body = CheckoutView),
        (status = 200, description = "Nothing is due: the change is scheduled.", body = ChangeView),
        (status = 409, description = "A payment is owed, or the plan was changed meanwhile.", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 502, description = "The payment provider did not answer as it should.", body = ProblemView,
            content_type = "application/problem+json")))]
pub async fn upgrade(State(services): State<Services>, call: Call<Subject, UpgradeBody>) -> Result<Response, Problem> {
    let account = call.who.account();
    let status_of = |text: &str| if text.contains("\"checkout_url\"") { StatusCode::CREATED } else { StatusCode::OK };
    if let Some(answer) = call.first_answer(&services, account, status_of).await? {
        return Ok(answer);
    }
    let terms = Terms { plan: call.body.plan.clone(), interval: call.body.interval };
    let text = match services.begin_change(account, &terms, call.name()).await? {
        ChangeOutcome::Pay { order, url } => checkout_text(&services, Begun { order, url })?,
        ChangeOutcome::Changed { subscription } => {
            text_of(&ChangeView { change: subscription.map(SubscriptionView::from) })?
        }
    };
    call.remember(&services, account, status_of(&text), text).await
}

/// An event was kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventKept)]
pub struct EventView {
    received: bool,
}

/// Take an event of a payment provider.
///
/// Signed by the provider. It is answered once it is safely kept; what follows from it comes afterwards.
#[utoipa::path(
    post, path = "/webhooks/{provider}", operation_id = "take_event", tag = tags::BILLING, security(()),
    params(("provider" = String, Path, description = "Who sends it: the provider that takes money here.",
        example = "stripe")),
    request_body(content = String, description = "The event as it was signed.", content_type = "application/json"),
    responses((status = 200, description = "The event is safely kept.", body = EventView)))]
pub async fn webhook(
    State(services): State<Services>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<EventView>, Problem> {
    match services.receive_webhook(&provider, &headers, &body).await? {
        Webhook::Kept | Webhook::KnownAlready => Ok(Json(EventView { received: true })),
        Webhook::Refused(refusal) => {
            tracing::warn!(provider, %refusal, "an event is not taken");
            Err(Problem::new(StatusCode::BAD_REQUEST, "bad_event", format!("This event is not taken: {refusal}.")))
        }
    }
}
