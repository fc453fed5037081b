//! Who is looking: sign up, sign in, sign out.

use crate::api::error::ApiError;
use crate::api::views::SessionView;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {
    crate::api::guard,
    crate::api::views::UserView,
    crate::domain::identity::Role,
    crate::domain::{AccountId, OwnPath},
    crate::server::identity::sessions,
    crate::server::services::{Services, SignUpForm},
    crate::server::store::User,
};

/// What every page needs: the site, the time, and who is looking.
#[server(prefix = "/fn", endpoint = "load_session", input = leptos::server_fn::codec::GetUrl)]
pub async fn load_session() -> Result<SessionView, ApiError> {
    let services = guard::services()?;
    guard::keep_signed_in().await?;
    let user = match guard::current_user().await? {
        Some(user) => Some(view_of(&services, user).await?),
        None => None,
    };
    let catalogue = services.catalogue();
    Ok(SessionView {
        site_name: catalogue.site_name.clone(),
        promise: catalogue.promise.clone(),
        signup_credits: services.signup_credits(),
        now: services.clock().now(),
        demo_payments: services.has_demo_payments(),
        for_sale: services.is_for_sale(),
        user,
    })
}

#[cfg(feature = "ssr")]
async fn view_of(services: &Services, user: User) -> Result<UserView, ApiError> {
    let balance = services.read_balance(user.account).await.map_err(guard::from_service)?;
    Ok(UserView {
        public_id: user.public_id,
        name: user.name,
        email: user.email.to_string(),
        is_admin: user.role == Role::Admin,
        plan_name: services.plan_name(balance.plan.as_ref()),
        balance,
    })
}

/// Makes an account with its first credits and signs in.
#[server(prefix = "/fn", endpoint = "sign_up")]
pub async fn sign_up(
    name: String,
    email: String,
    password: String,
    #[server(default)] next: String,
) -> Result<(), ApiError> {
    let result = async {
        let services = guard::services()?;
        let form = SignUpForm::parse(&email, &name, password).map_err(guard::from_service)?;
        let account = services.sign_up(form, guard::client_address()).await.map_err(guard::from_service)?;
        enter(account, &next).await
    };
    guard::answer_form::<SignUp, ()>(result.await, "/signup", &[("name", &name), ("email", &email), ("next", &next)])
}

/// Signs in with an address and a password.
#[server(prefix = "/fn", endpoint = "sign_in")]
pub async fn sign_in(email: String, password: String, #[server(default)] next: String) -> Result<(), ApiError> {
    let result = async {
        let services = guard::services()?;
        let signed_in = services.sign_in(&email, password, guard::client_address()).await;
        enter(signed_in.map_err(guard::from_service)?, &next).await
    };
    guard::answer_form::<SignIn, ()>(result.await, "/signin", &[("email", &email), ("next", &next)])
}

/// Signs out. Asked by nobody it does nothing.
#[server(prefix = "/fn", endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), ApiError> {
    sessions::sign_out(&guard::session()?).await.map_err(|_| ApiError::Unavailable)?;
    guard::go_to("/");
    Ok(())
}

#[cfg(feature = "ssr")]
async fn enter(account: AccountId, next: &str) -> Result<(), ApiError> {
    sessions::sign_in(&guard::session()?, account).await.map_err(|_| ApiError::Unavailable)?;
    guard::go_to(OwnPath::parse(next).as_ref().map_or("/dashboard", OwnPath::as_str));
    Ok(())
}
