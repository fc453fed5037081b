//! The history as a table for spreadsheets: read page by page and sent while it is read, so that its length costs
//! no memory.

use super::call::Subject;
use super::query::Params;
use super::reading::ListQuery;
use super::views::{grant_id, hold_id, transaction_id};
use super::{Problem, tags};
use crate::domain::{AccountId, Timestamp, Transaction};
use crate::server::services::{ServiceError, Services};
use crate::server::store::HistoryQuery;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 500;

const COLUMNS: [&str; 17] = [
    "id",
    "created_at",
    "type",
    "cause",
    "amount",
    "balance_before",
    "balance_after",
    "debt_after",
    "feature",
    "units",
    "rate_version",
    "description",
    "actor",
    "metadata",
    "hold",
    "refund_of",
    "draws",
];

/// Export the history.
///
/// All of it as CSV (RFC 4180), newest first, or what the same filters as of the list leave; `limit` has no upper bound
/// here. A text that a spreadsheet would take for a formula begins with an apostrophe.
#[utoipa::path(
    get, path = "/credits/export.csv", operation_id = "export_transactions", tag = tags::HISTORY, params(ExportQuery),
    responses((status = 200, description = "The table, with a line of names.", body = String, content_type = "text/csv")))]
pub async fn export(
    State(services): State<Services>,
    subject: Subject,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let left = match query.limit() {
        Some(0) => return Err(Problem::invalid("limit", "At least one row is asked for.")),
        Some(limit) => u64::from(limit),
        None => u64::MAX,
    };
    let query = query.into_history_query(0)?;
    // What does not work is said before the first line goes out.
    services.read_balance(subject.account()).await?;
    let export = Export { services, account: subject.account(), query, left, is_begun: false };
    let lines = stream::try_unfold(export, |mut export| async move {
        Ok::<_, ServiceError>(export.next().await?.map(|lines| (lines, export)))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"credits.csv\"")),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// As [`ListQuery`], for the description: how many rows there may be is not limited.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; read as a ListQuery")]
struct ExportQuery {
    /// The most rows; all of them where absent.
    #[param(required = false, value_type = i64, minimum = 1, maximum = 4_294_967_295_u32)]
    limit: Option<u32>,
    /// Begin below this transaction, as `next_cursor` of a page.
    #[param(required = false, value_type = String, pattern = "^t[1-9][0-9]{0,18}$")]
    cursor: Option<String>,
    /// Only movements of this kind.
    #[param(required = false, value_type = crate::domain::TransactionType, rename = "type")]
    kind: Option<String>,
    /// Only uses of this feature.
    #[param(required = false, value_type = crate::domain::FeatureId)]
    feature: Option<String>,
    /// Not older than this.
    #[param(required = false, value_type = super::schemas::Moment)]
    from: Option<String>,
    /// Older than this.
    #[param(required = false, value_type = super::schemas::Moment)]
    to: Option<String>,
}

struct Export {
    services: Services,
    account: AccountId,
    query: HistoryQuery,
    left: u64,
    is_begun: bool,
}

impl Export {
    /// The next lines; `None` after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, ServiceError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut table = csv::Writer::from_writer(Vec::new());
        self.query.limit = u32::try_from(self.left).unwrap_or(u32::MAX).min(ROWS_AT_ONCE);
        let rows = self.services.list_movements(self.account, self.query.clone()).await?;
        if !self.is_begun {
            self.is_begun = true;
            table.write_record(COLUMNS).map_err(broken)?;
        } else if rows.is_empty() {
            return Ok(None);
        }
        for row in &rows {
            table.write_record(cells(row)).map_err(broken)?;
        }
        let is_last = rows.len() < self.query.limit as usize;
        self.left = if is_last { 0 } else { self.left - u64::from(self.query.limit) };
        self.query.before = rows.last().map(|row| row.seq).or(self.query.before);
        let lines = table.into_inner().map_err(|error| ServiceError::Internal(error.to_string()))?;
        Ok(Some(Bytes::from(lines)))
    }
}

fn broken(error: csv::Error) -> ServiceError {
    ServiceError::Internal(error.to_string())
}

fn cells(row: &Transaction) -> [String; COLUMNS.len()] {
    let usage = row.usage.as_ref();
    let text = |value: Option<String>| value.unwrap_or_default();
    let draw = |draw: &crate::domain::journal::Draw| format!("{} {:+}", grant_id(draw.grant), draw.amount);
    [
        transaction_id(row.seq),
        Timestamp::to_rfc3339(row.created_at),
        row.kind.as_str().to_owned(),
        row.cause.as_str().to_owned(),
        row.amount.to_string(),
        row.balance_before.get().to_string(),
        row.balance_after.get().to_string(),
        row.debt_after.get().to_string(),
        text(usage.map(|usage| usage.feature.to_string())),
        text(usage.map(|usage| usage.units.to_string())),
        text(usage.map(|usage| usage.rate_version.to_string())),
        harmless(row.description.clone()),
        harmless(row.actor.clone()),
        text(row.metadata.as_ref().map(|metadata| metadata.to_json())),
        text(row.hold.map(hold_id)),
        text(row.refund_of.map(transaction_id)),
        row.draws.iter().map(draw).collect::<Vec<_>>().join("; "),
    ]
}

/// A text that no spreadsheet takes for a formula (OWASP, CSV injection).
fn harmless(text: String) -> String {
    // Tabs and ends of lines do not get into the history. What is written with full width counts as the same.
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']) {
        format!("'{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_a_formula_is_taken_for_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\u{ff1d}1"] {
            assert_eq!(harmless(formula.to_owned()), format!("'{formula}"));
        }
        assert_eq!(harmless("two = 2".to_owned()), "two = 2");
    }
}
