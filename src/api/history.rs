//! The history of one's own account.

use crate::api::error::ApiError;
use crate::api::views::HistoryView;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {crate::api::guard, crate::domain::Seq, crate::domain::TransactionType, crate::server::store::HistoryFilter};

/// A page of history: `only` is a type of movement, or `hold`; `before` the number to begin below.
#[server(prefix = "/fn", endpoint = "load_history", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_history(
    #[server(default)] only: Option<String>,
    #[server(default)] before: Option<i64>,
) -> Result<HistoryView, ApiError> {
    let user = guard::require_user().await?;
    let filter = match only.as_deref() {
        None | Some("") => HistoryFilter::Everything,
        Some("hold") => HistoryFilter::Holds,
        Some(kind) => HistoryFilter::Only(TransactionType::parse(kind).ok_or(ApiError::NotFound)?),
    };
    guard::services()?.list_history(user.account, filter, before.map(Seq)).await.map_err(guard::from_service)
}
