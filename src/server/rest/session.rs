//! Who calls, and where they stand.

use super::Problem;
use super::call::Subject;
use super::views::BalanceView;
use crate::server::services::Services;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

pub async fn read(State(services): State<Services>, subject: Subject) -> Result<Json<Value>, Problem> {
    let balance = services.read_balance(subject.account()).await?;
    let user = &subject.user;
    Ok(Json(json!({
        "user": { "id": user.public_id, "email": user.email.as_str(), "name": user.name },
        "role": user.role,
        "plan": services.plan_or_free(balance.plan.clone()),
        "balance": BalanceView::from(&balance),
    })))
}
