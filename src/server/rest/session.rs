//! Who calls, and where they stand.

use super::call::Subject;
use super::views::BalanceView;
use super::{Problem, tags};
use crate::domain::identity::Role;
use crate::domain::{PlanId, UserId};
use crate::server::services::Services;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// A person, their role, their plan and their balance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    user: UserView,
    role: Role,
    /// The free plan where they bought none; `null` where there are no plans.
    plan: Option<PlanId>,
    balance: BalanceView,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
struct UserView {
    /// The account, for paths under `/api/accounts`.
    id: UserId,
    #[schema(format = Email)]
    email: String,
    name: String,
}

/// Ask who calls.
///
/// For personal keys and sessions; a service key is nobody's.
#[utoipa::path(
    get, path = "/session", operation_id = "read_session", tag = tags::HISTORY,
    responses((status = 200, description = "Who calls, and where they stand.", body = SessionView)))]
pub async fn read(State(services): State<Services>, subject: Subject) -> Result<Json<SessionView>, Problem> {
    let balance = services.read_balance(subject.account()).await?;
    let user = subject.user;
    Ok(Json(SessionView {
        user: UserView { id: user.public_id, email: user.email.to_string(), name: user.name },
        role: user.role,
        plan: services.plan_or_free(balance.plan.clone()),
        balance: BalanceView::from(&balance),
    }))
}
