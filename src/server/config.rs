//! Settings: flags, then environment, then a file; checked once at the start. An unknown or bad one
//! stops the start with a sentence.

use crate::domain::Credits;
use crate::domain::identity::Email;
use crate::server::billing::stripe::{API_BASE, StripeSettings};
use crate::server::generators::GenerationKind;
use crate::server::generators::outside::{self, OutsideSettings};
use crate::server::secret::Secret;
use crate::server::store::DatabaseUrl;
use crate::server::upstreams::{Upstream, read_gateway_file};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// Where the data lies unless something else is said.
const DEFAULT_DATA_DIR: &str = "data";

/// How careful the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// For trying out: demo payments, failures on purpose.
    Development,
    /// For real people: no demo payments, a public address that is known, no failures on purpose.
    Production,
}

/// Who takes the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Payments {
    /// A checkout page of our own, where no money moves.
    Demo,
    /// Stripe, with the account that the key belongs to.
    Stripe,
    /// Nothing can be bought.
    None,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// Lines for programs.
    Json,
}

/// The settings as they are given.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// The database: sqlite:///path/to/file.db or postgres://user@host:port/name. Without it, scrip.db in the data folder.
    #[arg(long, env = "DATABASE_URL", global = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// The folder for the database and for what people make. Without it, the folder of the named
    /// database, else ./data.
    #[arg(long, env = "SCRIP_DATA_DIR", global = true, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// The file with the key of the chain that shows whether history was touched. Without it, chain.key in the data
    /// folder. It is made at the first start.
    #[arg(long, env = "SCRIP_CHAIN_KEY_FILE", global = true, value_name = "FILE")]
    pub chain_key_file: Option<PathBuf>,

    /// Address and port to listen on.
    #[arg(long, env = "LEPTOS_SITE_ADDR", global = true, default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    pub site_addr: SocketAddr,

    /// The folder with the browser's files. Without it, `site` beside the program, else `../site`.
    #[arg(long, env = "LEPTOS_SITE_ROOT", global = true, value_name = "FOLDER")]
    pub site_root: Option<PathBuf>,

    /// How careful to be.
    #[arg(long, env = "SCRIP_MODE", global = true, default_value = "development")]
    pub mode: Mode,

    /// The address under which people reach the site, as in https://credits.example.com.
    #[arg(long, env = "SCRIP_PUBLIC_URL", global = true, value_name = "URL")]
    pub public_url: Option<String>,

    /// Which catalogue fills a new database: a preset's name, or the path of a file, as in ./prices.toml. `scrip preset`
    /// changes one that is in use.
    #[arg(long, env = "SCRIP_PRESET", global = true, default_value = "creator", value_name = "NAME_OR_PATH")]
    pub preset: String,

    /// Credits for a new account, instead of the catalogue's.
    #[arg(long, env = "SCRIP_SIGNUP_CREDITS", global = true, value_parser = parse_credits, value_name = "N")]
    pub signup_credits: Option<Credits>,

    /// Who takes the money. Without it, stripe where its keys are set, else demo in development and none in production.
    #[arg(long, env = "SCRIP_PAYMENTS", global = true)]
    pub payments: Option<Payments>,

    /// Calls of the machine interface that one person's keys and sessions may make in a second, over time; ten times as many at once.
    #[arg(long, env = "SCRIP_CALLS_PER_SECOND", global = true, default_value = "100", value_name = "N")]
    pub calls_per_second: NonZeroU32,

    /// The same for each service key. Without it, service keys have no limit.
    #[arg(long, env = "SCRIP_SERVICE_CALLS_PER_SECOND", global = true, value_name = "N")]
    pub service_calls_per_second: Option<NonZeroU32>,

    /// How many days a subscription goes on whose renewal could not be collected, 0 to 60.
    #[arg(long, env = "SCRIP_GRACE_DAYS", global = true, default_value_t = 7, value_name = "N",
        value_parser = clap::value_parser!(u32).range(0..=60))]
    pub grace_days: u32,

    /// The secret key of the Stripe account. Set it in the environment or the settings file: others on the machine can
    /// read flags.
    #[arg(
        long,
        env = "SCRIP_STRIPE_SECRET_KEY",
        global = true,
        value_name = "KEY",
        hide_env_values = true,
        hide_default_value = true
    )]
    pub stripe_secret_key: Option<Secret>,

    /// What Stripe signs its events with; several with commas between them while one is being replaced.
    #[arg(
        long,
        env = "SCRIP_STRIPE_WEBHOOK_SECRETS",
        global = true,
        value_name = "SECRETS",
        hide_env_values = true,
        hide_default_value = true
    )]
    pub stripe_webhook_secrets: Option<Secret>,

    /// Where Stripe is; another address only to try out what stands in for it.
    #[arg(long, env = "SCRIP_STRIPE_API_BASE", global = true, value_name = "URL")]
    pub stripe_api_base: Option<String>,

    /// An administrator that is made at the start where the address is free.
    #[arg(long, env = "SCRIP_ADMIN_EMAIL", global = true, value_parser = parse_email, value_name = "ADDRESS")]
    pub admin_email: Option<Email>,

    /// The file that holds the password of that administrator.
    #[arg(long, env = "SCRIP_ADMIN_PASSWORD_FILE", global = true, value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,

    /// What to log: error, warn, info, debug, or per module as in `info,scrip::server::ledger=debug`. Without it,
    /// info for `serve` and warn for all other commands.
    #[arg(long, env = "SCRIP_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,

    /// How to log.
    #[arg(long, env = "SCRIP_LOG_FORMAT", global = true, default_value = "text")]
    pub log_format: LogFormat,

    /// The file of the upstreams that /api/gateway/{name}/ leads to; see docs/metering.md.
    #[arg(long, env = "SCRIP_GATEWAY_FILE", global = true, value_name = "FILE")]
    pub gateway_file: Option<PathBuf>,

    /// The address of a service that makes things in the studio in place of the built-in generators.
    #[arg(long, env = "SCRIP_GENERATOR_URL", global = true, value_name = "URL")]
    pub generator_url: Option<String>,

    /// The file that holds the secret which that service is told.
    #[arg(long, env = "SCRIP_GENERATOR_SECRET_FILE", global = true, value_name = "FILE")]
    pub generator_secret_file: Option<PathBuf>,

    /// What that service makes, as in text-to-image,video. Without it, everything.
    #[arg(long, env = "SCRIP_GENERATOR_FEATURES", global = true, value_name = "NAMES")]
    pub generator_features: Option<String>,

    /// How long that service may take for one thing, in seconds, at most 290. Without it, 120.
    #[arg(long, env = "SCRIP_GENERATOR_SECONDS", global = true, value_name = "N")]
    pub generator_seconds: Option<u64>,

    /// A file of settings: lines like SCRIP_MODE = "production". Flags and environment go before it.
    #[arg(long, env = "SCRIP_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

fn refuse<T>(sentence: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(sentence.into()))
}

fn parse_credits(text: &str) -> Result<Credits, String> {
    let number: i64 = text.parse().map_err(|_| "a whole number is needed".to_owned())?;
    Credits::new(number).map_err(|error| error.to_string())
}

fn parse_email(text: &str) -> Result<Email, String> {
    Email::parse(text).ok_or_else(|| "that is not an e-mail address".to_owned())
}

/// The settings after they were checked and completed.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which database.
    pub database: DatabaseUrl,
    /// The folder for what people make.
    pub media_dir: PathBuf,
    /// The key of the chain of history.
    pub chain_key_file: PathBuf,
    /// Where to listen.
    pub site_addr: SocketAddr,
    /// The browser's files.
    pub site_root: PathBuf,
    /// How careful to be.
    pub mode: Mode,
    /// Who takes the money.
    pub payments: Payments,
    /// How many days a subscription goes on whose renewal could not be collected.
    pub grace_days: u32,
    /// How to reach the Stripe account, where it takes the money.
    pub stripe: Option<StripeSettings>,
    /// The address under which people reach the site.
    pub public_url: Option<String>,
    /// Which catalogue fills a new database.
    pub preset: String,
    /// Credits for a new account, instead of the catalogue's.
    pub signup_credits: Option<Credits>,
    /// Calls that one person may make in a second.
    pub calls_per_second: NonZeroU32,
    /// Calls that a service key may make in a second; no limit where absent.
    pub service_calls_per_second: Option<NonZeroU32>,
    /// An administrator to be made, and the file with the password.
    pub first_admin: Option<(Email, PathBuf)>,
    /// Where the gateway leads to.
    pub gateway: Vec<Upstream>,
    /// Who makes things in place of the built-in generators.
    pub generator: Option<OutsideSettings>,
}

impl Config {
    /// The address under which people reach the site, without a slash at its end.
    pub fn site_url(&self) -> String {
        let listening = || format!("http://{}", self.site_addr);
        self.public_url.clone().unwrap_or_else(listening).trim_end_matches('/').to_owned()
    }

    /// Whether people reach the site over HTTPS.
    pub fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

impl Settings {
    /// Checks the settings, and makes the default data folder where it is wanted and missing.
    ///
    /// # Errors
    /// [`ConfigError`] with a sentence on what to change.
    pub fn check(self) -> Result<Config, ConfigError> {
        if self.admin_email.is_some() != self.admin_password_file.is_some() {
            return refuse("SCRIP_ADMIN_EMAIL and SCRIP_ADMIN_PASSWORD_FILE are only used together.");
        }
        let gateway = self.gateway_file.as_deref().map_or(Ok(Vec::new()), read_gateway_file)?;
        let generator = self.outside_generator()?;
        let (database, data_dir) = self.database_and_folder()?;
        let payments = self.payments.unwrap_or(match self.mode {
            _ if self.stripe_secret_key.as_ref().is_some_and(|key| !key.is_empty()) => Payments::Stripe,
            Mode::Development => Payments::Demo,
            Mode::Production => Payments::None,
        });
        let stripe = if payments == Payments::Stripe { Some(self.stripe_settings()?) } else { None };
        if self.mode == Mode::Production {
            check_production(payments, self.public_url.as_deref())?;
        }
        Ok(Config {
            database,
            media_dir: data_dir.join("media"),
            chain_key_file: self.chain_key_file.unwrap_or_else(|| data_dir.join("chain.key")),
            site_addr: self.site_addr,
            site_root: self.site_root.unwrap_or_else(default_site_root),
            mode: self.mode,
            payments,
            grace_days: self.grace_days,
            stripe,
            public_url: self.public_url,
            preset: self.preset,
            signup_credits: self.signup_credits,
            calls_per_second: self.calls_per_second,
            service_calls_per_second: self.service_calls_per_second,
            first_admin: self.admin_email.zip(self.admin_password_file),
            gateway,
            generator,
        })
    }

    fn outside_generator(&self) -> Result<Option<OutsideSettings>, ConfigError> {
        let others =
            [self.generator_secret_file.is_some(), self.generator_features.is_some(), self.generator_seconds.is_some()];
        let Some(url) = &self.generator_url else {
            let words = "The SCRIP_GENERATOR_ settings need SCRIP_GENERATOR_URL.";
            return if others.contains(&true) { refuse(words) } else { Ok(None) };
        };
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url else {
            return refuse("SCRIP_GENERATOR_URL has to be an address that begins with https:// or http://.");
        };
        let seconds = self.generator_seconds.unwrap_or(outside::DEFAULT_SECONDS);
        if !(1..=outside::MAX_SECONDS).contains(&seconds) {
            return refuse(format!("SCRIP_GENERATOR_SECONDS is 1 to {}.", outside::MAX_SECONDS));
        }
        let secret = self.generator_secret_file.as_deref().map(read_secret).transpose()?;
        let kinds = parse_kinds(self.generator_features.as_deref())?;
        Ok(Some(OutsideSettings { url, secret, kinds, limit: Duration::from_secs(seconds) }))
    }

    /// No sentence here quotes a key.
    fn stripe_settings(&self) -> Result<StripeSettings, ConfigError> {
        let given = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.is_empty());
        let Some(secret_key) = given(&self.stripe_secret_key) else {
            return refuse(
                "SCRIP_PAYMENTS=stripe needs SCRIP_STRIPE_SECRET_KEY, the secret key of the account (sk_...).",
            );
        };
        if !["sk_", "rk_"].iter().any(|start| secret_key.reveal().starts_with(start)) {
            return refuse("SCRIP_STRIPE_SECRET_KEY has to be a secret key (sk_...) or a restricted one (rk_...).");
        }
        let all = given(&self.stripe_webhook_secrets);
        let all = all.iter().flat_map(|all| all.reveal().split(',')).map(Secret::new);
        let webhook_secrets: Vec<Secret> = all.filter(|secret| !secret.is_empty()).collect();
        if webhook_secrets.is_empty() {
            return refuse(
                "Stripe needs SCRIP_STRIPE_WEBHOOK_SECRETS (whsec_...): without it no payment can be believed. \
                 docs/stripe.md says where it is found.",
            );
        }
        if !webhook_secrets.iter().all(|secret| secret.reveal().starts_with("whsec_")) {
            return refuse("Each of SCRIP_STRIPE_WEBHOOK_SECRETS has to start with whsec_.");
        }
        Ok(StripeSettings { secret_key, webhook_secrets, api_base: self.stripe_address()? })
    }

    /// The key goes there: over HTTPS, or not off this machine.
    fn stripe_address(&self) -> Result<Url, ConfigError> {
        let url = Url::parse(self.stripe_api_base.as_deref().unwrap_or(API_BASE)).ok();
        let is_this_machine = |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let is_safe = |url: &Url| url.scheme() == "https" || url.scheme() == "http" && is_this_machine(url);
        match url.filter(is_safe) {
            Some(url) => Ok(url),
            None => refuse("SCRIP_STRIPE_API_BASE has to start with https://, or with http:// on this machine."),
        }
    }

    fn database_and_folder(&self) -> Result<(DatabaseUrl, PathBuf), ConfigError> {
        let default_folder = || -> Result<PathBuf, ConfigError> {
            let folder = self.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
            make_folder(&folder)?;
            Ok(folder)
        };
        let database = match self.database_url.as_deref() {
            None => {
                let folder = default_folder()?;
                return Ok((DatabaseUrl::Sqlite(folder.join("scrip.db")), folder));
            }
            Some(url) if is_postgres(url) => return Ok((DatabaseUrl::Postgres(url.to_owned()), default_folder()?)),
            Some(url) => sqlite_path(url)?,
        };
        let folder = match database.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        if !folder.is_dir() {
            return refuse(format!(
                "The database {} cannot be opened: there is no folder {}. Make it, or name another path in DATABASE_URL.",
                database.display(),
                folder.display()
            ));
        }
        let data_dir = self.data_dir.clone().unwrap_or(folder);
        make_folder(&data_dir)?;
        Ok((DatabaseUrl::Sqlite(database), data_dir))
    }
}

fn read_secret(path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("The secret {} cannot be read: {error}.", path.display())))?;
    let secret = text.trim();
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse(format!("The secret {} has to be one line of visible ASCII characters.", path.display()));
    }
    Ok(secret.to_owned())
}

fn parse_kinds(names: Option<&str>) -> Result<Vec<GenerationKind>, ConfigError> {
    let Some(names) = names else { return Ok(outside::ALL_KINDS.to_vec()) };
    let find = |name: &str| {
        let found = outside::ALL_KINDS.into_iter().find(|kind| outside::name_of(*kind) == name.trim());
        found.ok_or_else(|| {
            let known = outside::ALL_KINDS.map(outside::name_of).join(", ");
            ConfigError(format!("SCRIP_GENERATOR_FEATURES are some of {known}; it names {name}."))
        })
    };
    names.split(',').map(find).collect()
}

fn make_folder(folder: &Path) -> Result<(), ConfigError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| ConfigError(format!("The folder {} cannot be made: {error}.", folder.display())))
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn sqlite_path(url: &str) -> Result<PathBuf, ConfigError> {
    match url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
        Some("") => refuse("DATABASE_URL names no file. Write sqlite:///path/to/scrip.db."),
        Some(path) => Ok(PathBuf::from(path)),
        None => refuse(format!(
            "DATABASE_URL has to start with sqlite:// or postgres://, as in sqlite:///path/to/scrip.db; it is {}.",
            url.split(':').next().unwrap_or_default()
        )),
    }
}

fn check_production(payments: Payments, public_url: Option<&str>) -> Result<(), ConfigError> {
    if payments == Payments::Demo {
        return refuse("SCRIP_PAYMENTS=demo gives credits away. In production it has to be none.");
    }
    match public_url {
        None => refuse("In production SCRIP_PUBLIC_URL has to be set, as in https://credits.example.com."),
        Some(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
            refuse("SCRIP_PUBLIC_URL has to start with https:// (or http:// behind a private network).")
        }
        Some(_) => Ok(()),
    }
}

fn default_site_root() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let beside = beside.unwrap_or_default();
    let site = beside.join("site");
    if site.is_dir() { site } else { beside.join("../site") }
}

/// The first SCRIP_ variable of the environment that is no setting.
///
/// # Errors
/// [`ConfigError`] that names it.
pub fn refuse_unknown_variables(
    known: &[String],
    environment: impl Iterator<Item = String>,
) -> Result<(), ConfigError> {
    match environment.into_iter().find(|name| name.starts_with("SCRIP_") && !known.contains(name)) {
        None => Ok(()),
        Some(name) => refuse(format!("{name} is not a setting of Scrip. `scrip --help` lists them.")),
    }
}

/// Reads a file of settings as pairs of name and value.
///
/// # Errors
/// [`ConfigError`] where it cannot be read, or holds something else.
pub fn read_settings_file(path: &Path, known: &[String]) -> Result<Vec<(String, String)>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("The settings file {} cannot be read: {error}.", path.display())))?;
    let table: toml::Table =
        text.parse().map_err(|error| ConfigError(format!("The settings file {}: {error}", path.display())))?;
    let mut pairs = Vec::new();
    for (name, value) in table {
        if !known.contains(&name) {
            return refuse(format!("{name} in {} is not a setting of Scrip.", path.display()));
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(_)
            | toml::Value::Float(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => {
                return refuse(format!("{name} in {} has to be a text or a whole number.", path.display()));
            }
        };
        pairs.push((name, value));
    }
    Ok(pairs)
}
