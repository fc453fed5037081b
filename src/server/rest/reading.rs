//! Where an account stands, how it came there, and what things cost.

use super::call::Subject;
use super::query::Params;
use super::schemas::Moment;
use super::views::{BalanceView, DrawView, MovementView, parse_id, transaction_id};
use super::{Problem, tags};
use crate::domain::rates::{Rate, Rule, Unit};
use crate::domain::{Credits, FeatureId, Timestamp, TransactionType};
use crate::server::services::Services;
use crate::server::store::{HistoryFilter, HistoryQuery};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Rows on one page, unless more or fewer are asked for, and the most.
const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

/// Read the balance.
#[utoipa::path(
    get, path = "/credits/balance", operation_id = "read_balance", tag = tags::HISTORY,
    responses((status = 200, description = "Where the account stands now.", body = BalanceView)))]
pub async fn read_balance(State(services): State<Services>, subject: Subject) -> Result<Json<BalanceView>, Problem> {
    Ok(Json(BalanceView::from(&services.read_balance(subject.account()).await?)))
}

/// What is asked about.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuoteQuery {
    /// Which feature.
    #[param(example = "text-to-image")]
    feature: FeatureId,
    /// How many of its units.
    #[param(required = false, value_type = u32, minimum = 1, maximum = 86_400, default = 1)]
    units: Option<u32>,
}

/// What something would cost this account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quote)]
pub struct QuoteView {
    cost: Credits,
    /// Which version of the rates says so.
    rate_version: i64,
    available: Credits,
    /// What would be left; `null` where it does not reach.
    balance_after: Option<Credits>,
    enough: bool,
    /// What is missing.
    shortfall: Credits,
    /// From which grants it would come; none where it does not reach.
    draws: Vec<DrawView>,
}

/// Ask for a price.
///
/// Nothing is spent or reserved.
#[utoipa::path(
    get, path = "/credits/quote", operation_id = "quote", tag = tags::SPENDING, params(QuoteQuery),
    responses((status = 200, description = "What it would cost now.", body = QuoteView)))]
pub async fn quote(
    State(services): State<Services>,
    subject: Subject,
    Params(QuoteQuery { feature, units }): Params<QuoteQuery>,
) -> Result<Json<QuoteView>, Problem> {
    let quote = services.quote(subject.account(), &feature, units.unwrap_or(1)).await?;
    Ok(Json(QuoteView {
        cost: quote.cost,
        rate_version: quote.rate_version,
        available: quote.available,
        balance_after: quote.available.checked_sub(quote.cost),
        enough: quote.available >= quote.cost,
        shortfall: quote.cost.saturating_sub(quote.available),
        draws: quote.draws.iter().map(DrawView::from).collect(),
    }))
}

/// What all features cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Costs)]
pub struct CostsView {
    rate_version: i64,
    rates: Vec<RateView>,
}

/// A feature and its rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rate)]
struct RateView {
    feature: FeatureId,
    name: String,
    unit: Unit,
    /// The most units in one use.
    max_units: u32,
    rule: RuleView,
    /// The price in a line.
    #[schema(example = "5 credits per image")]
    words: String,
}

/// How units become credits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Rule)]
enum RuleView {
    /// So many credits for each unit.
    PerUnit { cost: Credits },
    /// So many credits for each started block of so many units.
    PerStarted { size: u32, cost: Credits },
    /// A fixed price by size; more units than the last step are refused.
    Steps(Vec<StepView>),
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Step)]
struct StepView {
    /// The last number of units that this price covers.
    up_to: u32,
    /// Credits for all of them together.
    cost: Credits,
}

impl From<&Rule> for RuleView {
    fn from(rule: &Rule) -> Self {
        match rule {
            Rule::PerUnit { cost } => Self::PerUnit { cost: *cost },
            Rule::PerStarted { size, cost } => Self::PerStarted { size: *size, cost: *cost },
            Rule::Steps(steps) => {
                Self::Steps(steps.iter().map(|step| StepView { up_to: step.up_to, cost: step.cost }).collect())
            }
        }
    }
}

impl From<&Rate> for RateView {
    fn from(rate: &Rate) -> Self {
        Self {
            feature: rate.feature.clone(),
            name: rate.name.clone(),
            unit: rate.unit,
            max_units: rate.max_units(),
            rule: RuleView::from(&rate.rule),
            words: rate.in_words(),
        }
    }
}

/// List what features cost.
///
/// No secret, so nobody has to say who they are.
#[utoipa::path(
    get, path = "/credit-costs", operation_id = "list_costs", tag = tags::SPENDING, security(()),
    responses((status = 200, description = "The rates that rule now.", body = CostsView)))]
pub async fn list_costs(State(services): State<Services>) -> Json<CostsView> {
    let catalogue = services.catalogue();
    Json(CostsView { rate_version: catalogue.version, rates: catalogue.rates.iter().map(RateView::from).collect() })
}

/// Which rows of history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The most rows on this page.
    #[param(required = false, value_type = u32, minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(required = false, value_type = String, pattern = "^t[1-9][0-9]{0,18}$")]
    cursor: Option<String>,
    /// Only movements of this kind.
    #[serde(rename = "type")]
    #[param(required = false, value_type = TransactionType)]
    kind: Option<TransactionType>,
    /// Only uses of this feature.
    #[param(required = false, value_type = FeatureId)]
    feature: Option<FeatureId>,
    /// Not older than this.
    #[param(required = false, value_type = Moment)]
    from: Option<String>,
    /// Older than this.
    #[param(required = false, value_type = Moment)]
    to: Option<String>,
}

const _: () = assert!(MAX_PAGE == 200 && DEFAULT_PAGE == 50);

impl ListQuery {
    /// One more row than is shown tells whether there is another page.
    fn check(self) -> Result<(HistoryQuery, u32), Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Problem::invalid("limit", format!("A page has 1 to {MAX_PAGE} rows.")));
        }
        Ok((self.into_history_query(limit + 1)?, limit))
    }

    /// The rows that are meant, so many at once.
    pub(super) fn into_history_query(self, limit: u32) -> Result<HistoryQuery, Problem> {
        let before = self.cursor.map(|cursor| parse_id('t', &cursor).ok_or_else(unknown_cursor));
        Ok(HistoryQuery {
            filter: self.kind.map_or(HistoryFilter::Movements, HistoryFilter::Only),
            feature: self.feature,
            from: moment("from", self.from.as_deref())?,
            to: moment("to", self.to.as_deref())?,
            before: before.transpose()?,
            limit,
        })
    }

    /// How many rows were asked for.
    pub(super) fn limit(&self) -> Option<u32> {
        self.limit
    }
}

fn unknown_cursor() -> Problem {
    Problem::invalid("cursor", "A cursor is the `next_cursor` of an earlier page.")
}

/// Takes a moment in RFC 3339.
pub(super) fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let parse = |text| {
        let words = format!("{field} is a moment as in 2026-11-21T10:00:00Z.");
        Timestamp::parse_rfc3339(text).ok_or_else(|| Problem::invalid(field, words))
    };
    text.map(parse).transpose()
}

/// A page of history, with the balance beside it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryPage)]
pub struct PageView {
    balance: BalanceView,
    /// Newest first.
    transactions: Vec<MovementView>,
    /// What the next page begins with; `null` on the last one.
    #[schema(example = "t7")]
    next_cursor: Option<String>,
}

/// List the history.
///
/// Newest first, in pages, with the balance beside it.
#[utoipa::path(
    get, path = "/credits", operation_id = "list_transactions", tag = tags::HISTORY, params(ListQuery),
    responses((status = 200, description = "A page of history.", body = PageView)))]
pub async fn list(
    State(services): State<Services>,
    subject: Subject,
    Params(query): Params<ListQuery>,
) -> Result<Json<PageView>, Problem> {
    let (query, limit) = query.check()?;
    let balance = services.read_balance(subject.account()).await?;
    let mut rows = services.list_movements(subject.account(), query).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| transaction_id(row.seq));
    let transactions = rows.iter().map(MovementView::from).collect();
    Ok(Json(PageView { balance: BalanceView::from(&balance), transactions, next_cursor }))
}
