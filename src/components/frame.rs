//! The frame: header with the credit badge, the page, the footer.

use crate::api::session::SignOut;
use crate::api::views::{SessionView, UserView};
use crate::components::{CreditBadge, Icon, Menu, Viewer};
use leptos::either::Either;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// Header, page and footer.
#[component]
pub fn PageFrame(
    /// Who is looking.
    viewer: Viewer,
    /// The page.
    children: Children,
) -> impl IntoView {
    viewer.refresh_on_each_page();
    view! {
        <a class="skip-link" href="#main">"Skip to the content"</a>
        <Header viewer />
        <main id="main" tabindex="-1">{children()}</main>
        <Footer viewer />
    }
}

#[component]
fn Header(viewer: Viewer) -> impl IntoView {
    let sign_out = ServerAction::<SignOut>::new();
    viewer.refresh_after(sign_out.value().into());
    view! {
        <header class="site-header">
            <Transition fallback=|| view! { <Brand name="Scrip".to_owned() /> }>
                {move || Suspend::new(async move {
                    let session = viewer.session().await.ok();
                    let name = session.as_ref().map_or_else(|| "Scrip".to_owned(), |session| session.site_name.clone());
                    let tools = session.map(|session| view! { <Navigation session sign_out /> });
                    view! {
                        <Brand name />
                        {tools}
                    }
                })}
            </Transition>
        </header>
    }
}

#[component]
fn Brand(name: String) -> impl IntoView {
    view! {
        <a class="brand" href="/">
            <Icon name="scrip" />
            <span>{name}</span>
        </a>
    }
}

#[component]
fn Navigation(session: SessionView, sign_out: ServerAction<SignOut>) -> impl IntoView {
    let for_sale = session.for_sale;
    match session.user {
        None => Either::Left(view! {
            <nav class="site-nav" aria-label="Main">
                {for_sale.then(|| view! { <NavigationLink path="/plans" name="Plans" /> })}
                <NavigationLink path="/signin" name="Sign in" />
                <a class="button is-primary" href="/signup">"Sign up"</a>
            </nav>
        }),
        Some(user) => Either::Right(view! {
            <nav class="site-nav" aria-label="Main">
                <NavigationLink path="/studio" name="Studio" />
                <NavigationLink path="/history" name="History" />
                {for_sale.then(|| view! { <NavigationLink path="/plans" name="Plans" /> })}
                {user.is_admin.then(|| view! { <NavigationLink path="/admin" name="Admin" /> })}
            </nav>
            <div class="site-tools">
                <CreditBadge user=user.clone() for_sale />
                <UserMenu user for_sale sign_out />
            </div>
        }),
    }
}

/// A link that says when it leads to the page that is open, or to one above it.
#[component]
fn NavigationLink(path: &'static str, name: &'static str) -> impl IntoView {
    let pathname = use_location().pathname;
    let is_here =
        move || pathname.read().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    view! {
        <a href=path aria-current=move || is_here().then_some("page")>
            {name}
        </a>
    }
}

#[component]
fn UserMenu(user: UserView, for_sale: bool, sign_out: ServerAction<SignOut>) -> impl IntoView {
    let initial: String = user.name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let button = Box::new(move || view! { <span class="avatar" aria-hidden="true">{initial}</span> }.into_any());
    view! {
        <Menu class="menu user-menu" label=format!("Account of {}", user.name) button>
                <p class="menu-title">{user.name.clone()} <small>{user.email.clone()}</small></p>
                <a href="/dashboard">"Dashboard"</a>
                {for_sale.then(|| view! { <a href="/billing">"Billing"</a> })}
                <a href="/settings/keys">"API keys"</a>
                <ActionForm action=sign_out>
                    <button type="submit" class="link-button">"Sign out"</button>
                </ActionForm>
        </Menu>
    }
}

#[component]
fn Footer(viewer: Viewer) -> impl IntoView {
    let demo_note = move || {
        Suspend::new(async move {
            let is_demo = viewer.session().await.is_ok_and(|session| session.demo_payments);
            is_demo.then(|| view! { <span>"Payments are a demonstration: no money moves."</span> })
        })
    };
    view! {
        <footer class="site-footer">
            <span>"Kept by Scrip: every credit accounted for."</span>
            <Transition>{demo_note}</Transition>
        </footer>
    }
}
