//! Which address shows which page, and the frame around all of them.

use crate::components::{PageFrame, PurchaseDialog, Viewer};
use crate::pages::{
    AccountPage, AdminPage, BillingPage, BuyPage, ChangePage, CheckoutPage, DashboardPage, DeadEventsPage, HistoryPage,
    KeysPage, LandingPage, NotFoundPage, OrderPage, PlansPage, ServiceKeysPage, SignInPage, SignUpPage, StudioPage,
};
use leptos::prelude::*;
use leptos_meta::{Link, Meta, Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

/// The program as people see it.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let viewer = Viewer::provide();
    view! {
        <Title formatter=move |title: String| with_site_name(&title) />
        <Meta name="color-scheme" content="light dark" />
        <Meta name="theme-color" content="#f2eee1" {..} media="(prefers-color-scheme: light)" />
        <Meta name="theme-color" content="#0c1413" {..} media="(prefers-color-scheme: dark)" />
        <Link rel="icon" href="/favicon.svg" type_="image/svg+xml" />
        <Router>
            <PageFrame viewer>
                // Async: a page is whole in its first HTML, so it works without JavaScript.
                <Routes fallback=NotFoundPage>
                    <Route path=path!("/") view=LandingPage ssr=SsrMode::Async />
                    <Route path=path!("/signup") view=SignUpPage ssr=SsrMode::Async />
                    <Route path=path!("/signin") view=SignInPage ssr=SsrMode::Async />
                    <Route path=path!("/dashboard") view=DashboardPage ssr=SsrMode::Async />
                    <Route path=path!("/studio") view=StudioPage ssr=SsrMode::Async />
                    <Route path=path!("/plans") view=PlansPage ssr=SsrMode::Async />
                    <Route path=path!("/plans/change") view=ChangePage ssr=SsrMode::Async />
                    <Route path=path!("/billing") view=BillingPage ssr=SsrMode::Async />
                    <Route path=path!("/buy") view=BuyPage ssr=SsrMode::Async />
                    <Route path=path!("/checkout/:order") view=CheckoutPage ssr=SsrMode::Async />
                    <Route path=path!("/orders/:order") view=OrderPage ssr=SsrMode::Async />
                    <Route path=path!("/history") view=HistoryPage ssr=SsrMode::Async />
                    <Route path=path!("/settings/keys") view=KeysPage ssr=SsrMode::Async />
                    <Route path=path!("/admin") view=AdminPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/keys") view=ServiceKeysPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/events") view=DeadEventsPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/accounts/:user") view=AccountPage ssr=SsrMode::Async />
                </Routes>
            </PageFrame>
            <PurchaseDialog />
        </Router>
    }
}

fn with_site_name(title: &str) -> String {
    if title.is_empty() { "Scrip".to_owned() } else { format!("{title} · Scrip") }
}
