//! Putting the program together: database, catalogue, writer, services; and ending it in the right order.

use crate::domain::identity::Role;
use crate::domain::{Credits, Timestamp};
use crate::server::billing::stripe::{Stripe, StripeSettings};
use crate::server::billing::{Cashier, DemoProvider};
use crate::server::chain_key::{self, ChainKeyError};
use crate::server::clock::{Clock, SystemClock};
use crate::server::config::{Config, Mode, Payments};
use crate::server::current_catalogue::CurrentCatalogue;
use crate::server::generators::outside::OutsideGenerator;
use crate::server::generators::{BuiltInGenerators, Generator};
use crate::server::identity::passwords::Passwords;
use crate::server::identity::sessions::{self, Sessions};
use crate::server::identity::throttle::{CallLimit, Throttle};
use crate::server::ledger::Ledger;
use crate::server::services::{Gates, Memory, Parts, ServiceError, Services, SignUpForm};
use crate::server::store::{AuditEntry, ChainRenewal, DatabaseUrl, Shop, SqlStore, StoreError};
use crate::server::upstreams::Gateway;
use crate::server::{jobs, presets, web};
use axum::Router;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened.
    #[error("The database {database} cannot be opened: {source}.")]
    Database {
        /// Which.
        database: String,
        /// Why.
        source: StoreError,
    },
    /// The catalogue cannot be read or filled.
    #[error("The catalogue cannot be read: {0}.")]
    Catalogue(#[from] StoreError),
    /// It was filled by another program, and is empty all the same.
    #[error("The database has no catalogue.")]
    NoCatalogue,
    /// The preset is not known or not sound.
    #[error("The preset cannot be used: {0}.")]
    Preset(#[from] presets::PresetError),
    /// The chain of history cannot go on.
    #[error(transparent)]
    ChainKey(#[from] ChainKeyError),
    /// Passwords cannot be hashed.
    #[error(transparent)]
    Passwords(#[from] crate::server::identity::passwords::PasswordError),
    /// No client for other services can be made.
    #[error("Other services cannot be called: {0}.")]
    Client(String),
    /// An upstream of the gateway has no price.
    #[error("The gateway's upstream {0} cannot be charged for: the catalogue has no rate for {1}.")]
    NoRate(String, String),
    /// The first administrator cannot be made.
    #[error("The first administrator cannot be made: {0}.")]
    FirstAdmin(String),
    /// The address cannot be listened on.
    #[error(
        "{address} cannot be listened on: {source}. Another program may use it; name another with LEPTOS_SITE_ADDR."
    )]
    Listen {
        /// Which.
        address: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The program without its doors: what commands need too.
pub struct Core {
    /// The use cases.
    pub services: Services,
    store: SqlStore,
    clock: Arc<dyn Clock>,
    writers: TaskTracker,
    stop: CancellationToken,
}

impl Core {
    /// Opens the database, fills a new one from the preset, and starts the writer.
    ///
    /// # Errors
    /// [`StartError`] with a sentence on what to change.
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        Self::open_with_clock(config, Arc::new(SystemClock)).await
    }

    /// As [`Core::open`], by another clock.
    ///
    /// # Errors
    /// As there.
    pub async fn open_with_clock(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let for_cashier = (config.clone(), clock.clone());
        Self::open_with(config, clock, move |store| choose_cashier(&for_cashier.0, store, &for_cashier.1)).await
    }

    /// As [`Core::open`], by another clock and with another way to take money.
    ///
    /// # Errors
    /// As there.
    pub async fn open_with(
        config: &Config,
        clock: Arc<dyn Clock>,
        cashier: impl FnOnce(&SqlStore) -> Cashier,
    ) -> Result<Self, StartError> {
        let store = open_database(&config.database).await?;
        let key = chain_key::unlock(&store, &config.chain_key_file, clock.now()).await?;
        let store = store.with_chain_key(key);
        let catalogue = read_or_fill_catalogue(&store, &config.preset, clock.now()).await?;
        let stop = CancellationToken::new();
        let (ledger, writers) = Ledger::start(Arc::new(store.clone()), clock.clone(), stop.clone());
        let services = Services::new(Parts {
            store: Arc::new(store.clone()),
            ledger,
            clock: clock.clone(),
            catalogue,
            generator: generator(config)?,
            passwords: Passwords::new(cores())?,
            throttle: Throttle::default(),
            call_limit: CallLimit::new(config.calls_per_second),
            service_call_limit: config.service_calls_per_second.map(CallLimit::new),
            media_dir: config.media_dir.clone(),
            signup_credits: config.signup_credits,
            mode: config.mode,
            payments: config.payments,
            cashier: cashier(&store),
            site_url: config.site_url(),
            grace_days: config.grace_days,
            payment_news: Notify::new(),
            gates: Gates::default(),
            running: TaskTracker::new(),
            closing: CancellationToken::new(),
            memory: Memory::default(),
        });
        Ok(Self { services, store, clock, writers, stop })
    }

    /// Lets all work finish, answers everything that waits, and closes the database.
    pub async fn close(self) {
        self.services.finish().await;
        self.stop.cancel();
        self.writers.wait().await;
        self.store.close().await;
    }
}

/// The built-in generators, and in front of them the service of the settings where there is one.
fn generator(config: &Config) -> Result<Arc<dyn Generator>, StartError> {
    let built_in = Arc::new(BuiltInGenerators::new(cores(), config.mode == Mode::Development));
    match &config.generator {
        None => Ok(built_in),
        Some(settings) => Ok(Arc::new(OutsideGenerator::new(settings.clone(), built_in).map_err(no_client)?)),
    }
}

fn no_client(error: reqwest::Error) -> StartError {
    StartError::Client(error.to_string())
}

/// The gateway, where every upstream has a feature with a price.
fn open_gateway(services: &Services, config: &Config) -> Result<Gateway, StartError> {
    let without = config.gateway.iter().find(|upstream| services.catalogue().rate(&upstream.feature).is_none());
    match without {
        Some(upstream) => Err(StartError::NoRate(upstream.name.clone(), upstream.feature.to_string())),
        None => Gateway::new(config.gateway.clone()).map_err(no_client),
    }
}

/// How many passwords are hashed, and things made, at the same time: one per core.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Who takes the money.
fn choose_cashier(config: &Config, store: &SqlStore, clock: &Arc<dyn Clock>) -> Cashier {
    match config.payments {
        Payments::Demo => Cashier::demo(DemoProvider::with_own_secret(Arc::new(store.clone()), clock.clone())),
        Payments::Stripe => match &config.stripe {
            Some(settings) => choose_stripe(settings, store),
            None => Cashier::default(),
        },
        Payments::None => Cashier::default(),
    }
}

fn choose_stripe(settings: &StripeSettings, store: &SqlStore) -> Cashier {
    match Stripe::new(settings, Arc::new(store.clone())) {
        Ok(stripe) => Cashier::other(Arc::new(stripe)),
        Err(error) => {
            tracing::error!(%error, "nothing can be bought: the payment provider cannot be spoken to");
            Cashier::default()
        }
    }
}

async fn open_database(url: &DatabaseUrl) -> Result<SqlStore, StartError> {
    SqlStore::open(url).await.map_err(|source| StartError::Database { database: url.without_password(), source })
}

/// Begins a new chain of history with the key of the settings' file, which is made where there is none.
///
/// # Errors
/// [`StartError`] where the database or the file fails.
pub async fn renew_chain(config: &Config) -> Result<ChainRenewal, StartError> {
    let store = open_database(&config.database).await?;
    let key = chain_key::read_or_make(&config.chain_key_file)?;
    let renewed = store.renew_chain(&key, "system", SystemClock.now()).await;
    store.close().await;
    renewed.map_err(|source| StartError::Database { database: config.database.without_password(), source })
}

async fn read_or_fill_catalogue(
    store: &SqlStore,
    preset: &str,
    now: Timestamp,
) -> Result<CurrentCatalogue, StartError> {
    if let Some((version, catalogue)) = store.read_catalogue().await? {
        return Ok(CurrentCatalogue::new(version, catalogue));
    }
    let catalogue = presets::load(preset)?;
    let entry = AuditEntry {
        account: None,
        seq: None,
        actor: "system".to_owned(),
        action: "fill_catalogue".to_owned(),
        detail: serde_json::json!({ "preset": catalogue.preset }),
        created_at: now,
    };
    if let Some(version) = store.add_catalogue(&catalogue, 0, &entry).await? {
        return Ok(CurrentCatalogue::new(version, catalogue));
    }
    // Another program on the same new database was faster.
    let (version, catalogue) = store.read_catalogue().await?.ok_or(StartError::NoCatalogue)?;
    Ok(CurrentCatalogue::new(version, catalogue))
}

/// A server that is running.
pub struct Running {
    core: Core,
    /// Its routes, for tests that need no socket.
    pub app: Router,
    jobs: JoinHandle<((), ())>,
    stop: CancellationToken,
}

impl Running {
    /// Puts the doors on.
    ///
    /// # Errors
    /// [`StartError`] with a sentence on what to change.
    pub async fn assemble(core: Core, config: &Config) -> Result<Self, StartError> {
        if let Some((email, password_file)) = &config.first_admin {
            make_first_admin(&core.services, email.as_str(), password_file).await?;
        }
        let gateway = open_gateway(&core.services, config)?;
        let stop = CancellationToken::new();
        let (services, payments) = (core.services.clone(), stop.clone());
        let checked = core.services.clone();
        tokio::spawn(async move { checked.check_payments().await });
        let jobs = jobs::run(core.services.clone(), stop.clone());
        let jobs = tokio::spawn(async move { tokio::join!(jobs, jobs::attend_payments(services, payments)) });
        let (services, told) = (core.services.clone(), stop.clone());
        tokio::spawn(async move { services.follow_changes(told).await });
        let sessions = Sessions::new(Arc::new(core.store.clone()), core.clock.clone());
        let app = web::router::build(core.services.clone(), sessions::layer(sessions, config), config, &gateway);
        Ok(Self { core, app, jobs, stop })
    }

    /// Serves until told to stop; then answers what is under way, and closes.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let (services, told) = (self.core.services.clone(), stop.clone());
        tokio::spawn(async move {
            told.cancelled().await;
            services.begin_closing();
        });
        web::serve::serve(listener, self.app, stop).await;
        self.stop.cancel();
        if let Err(error) = self.jobs.await {
            tracing::error!(%error, "the jobs ended badly");
        }
        self.core.close().await;
    }
}

/// Takes the address to listen on.
///
/// # Errors
/// [`StartError::Listen`] where it is in use, or not this machine's.
pub async fn listen(config: &Config) -> Result<TcpListener, StartError> {
    let address = config.site_addr.to_string();
    TcpListener::bind(config.site_addr).await.map_err(|source| StartError::Listen { address, source })
}

/// Makes the administrator of the settings where the address is free; where it is taken, nothing happens.
async fn make_first_admin(services: &Services, email: &str, password_file: &Path) -> Result<(), StartError> {
    let failed = |reason: String| StartError::FirstAdmin(reason);
    let password = tokio::fs::read_to_string(password_file)
        .await
        .map_err(|error| failed(format!("{} cannot be read: {error}", password_file.display())))?;
    let form = SignUpForm::parse(email, "Administrator", password.trim_end_matches(['\r', '\n']).to_owned())
        .map_err(|_| failed("the password needs at least 8 characters".to_owned()))?;
    match services.create_user(form, Role::Admin).await {
        Ok(_) | Err(ServiceError::AddressTaken) => Ok(()),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// What the start tells: nothing that is not so.
pub fn welcome(config: &Config, address: SocketAddr, signup_credits: Credits) -> String {
    format!(
        "Scrip is at http://{address}\n  New accounts start with {signup_credits} credits. Data: {data}\n  \
         To become an administrator, sign up and then run:\n    {program} users promote --email you@example.com{database}",
        data = config.database.without_password(),
        program = std::env::args().next().unwrap_or_else(|| "scrip".to_owned()),
        database = database_flag(config),
    )
}

fn database_flag(config: &Config) -> String {
    match &config.database {
        DatabaseUrl::Sqlite(path) if path == Path::new("data/scrip.db") => String::new(),
        DatabaseUrl::Sqlite(path) => format!(" --database-url sqlite://{}", path.display()),
        DatabaseUrl::Postgres(_) => format!(" --database-url {}", config.database.without_password()),
    }
}
