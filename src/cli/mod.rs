//! Commands: what each is given, which one call of a service it makes, and what it prints. Here is what they
//! share: how arguments are taken, how a failure becomes a sentence, and the question before many accounts are
//! changed. No rule about credits comes in here.

mod backfill;
mod books;
pub mod chain;
mod credits;
mod export;
mod keys;
mod presets;
mod resets;
mod users;

use clap::{Args, Subcommand};
use scrip::api::ApiError;
use scrip::domain::identity::Email;
use scrip::domain::{Credits, CreditsError, Memo, Refusal, Timestamp};
use scrip::server::config::{Config, ConfigError};
use scrip::server::services::{ServiceError, Services};
use scrip::server::start::{Core, StartError};
use scrip::server::store::User;
use std::fmt::Display;
use std::io::IsTerminal;
use std::process::ExitCode;

/// The exit code of what was not confirmed; clap's own for arguments that it cannot use.
const NOT_CONFIRMED: u8 = 2;

/// Commands that work on the database and end. Those that print for programs write one JSON object to
/// standard output; the log and all else go to standard error.
#[derive(Subcommand)]
pub enum Command {
    /// See what is sold and what things cost, and let another catalogue rule.
    #[command(subcommand)]
    Preset(presets::PresetCommand),
    /// Look after people.
    #[command(subcommand)]
    Users(users::UsersCommand),
    /// Look after the keys with which programs call.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// See what someone has, give, spend and take back.
    #[command(subcommand)]
    Credits(credits::CreditsCommand),
    /// Begin monthly credits anew out of turn, and reverse that exactly.
    #[command(subcommand)]
    Reset(resets::ResetCommand),
    /// Write the whole history of one account, or of all, as CSV or as lines of JSON.
    Export(export::ExportArgs),
    /// Recompute every account from its history and compare. Exits with 1 where anything does not fit.
    Reconcile {
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
}

/// How carefully something is done to many accounts.
#[derive(Args)]
struct Care {
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

/// Opens the database, does what one command asks, and closes it whatever came of that.
pub async fn run(command: Command, config: &Config) -> Result<(), CommandError> {
    let command = match command {
        Command::Preset(command) => match presets::run_without_database(command)? {
            None => return Ok(()),
            Some(command) => Command::Preset(command),
        },
        other => other,
    };
    let core = Core::open(config).await?;
    let services = &core.services;
    let done = match command {
        Command::Preset(command) => presets::run(services, command).await,
        Command::Users(command) => users::run(services, command).await,
        Command::Keys(command) => keys::run(services, command).await,
        Command::Credits(command) => credits::run(services, command).await,
        Command::Reset(command) => resets::run(services, command).await,
        Command::Export(args) => export::run(services, args).await,
        Command::Reconcile { json } => books::reconcile(services, json).await,
    };
    core.close().await;
    done
}

/// Why a command did not do its work; printed as it is.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A setting is bad.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The program cannot be put together.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The work was not done, for this reason.
    #[error("{0}")]
    Said(String),
    /// Nobody agreed to it.
    #[error("{0}")]
    NotConfirmed(String),
}

impl CommandError {
    /// What the program exits with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Start(_) | Self::Said(_) => ExitCode::FAILURE,
            Self::NotConfirmed(_) => ExitCode::from(NOT_CONFIRMED),
        }
    }
}

/// A failure of a service, as a sentence for whoever has the machine.
fn said(error: ServiceError) -> CommandError {
    CommandError::Said(match error {
        ServiceError::Invalid { field, problem } => ApiError::Invalid { field, problem }.message(),
        ServiceError::Insufficient { feature, required, available } => {
            ApiError::Insufficient { feature, required, available }.message()
        }
        ServiceError::AddressTaken => "This address has an account already.".to_owned(),
        ServiceError::NotFound => "It is not there.".to_owned(),
        ServiceError::NoPrice { feature, why } => format!("The feature {feature} has no price: {why}."),
        ServiceError::Refused(Refusal::AlreadyGranted { first: Some(first) }) => {
            format!("This reference was granted already, as grant {} of this account. Nothing was changed.", first.0.0)
        }
        ServiceError::Refused(refusal) => sentence(&refusal),
        ServiceError::FormReused => {
            "This idempotency key was used for another request. Nothing was changed.".to_owned()
        }
        ServiceError::Busy => "Too much is waiting to be written. Please try again in a moment.".to_owned(),
        ServiceError::Unavailable(Some(cause)) => sentence(&cause),
        ServiceError::Unavailable(None) => "The database fails; the log says why.".to_owned(),
        other @ (ServiceError::WrongPassword
        | ServiceError::TooManyTries(_)
        | ServiceError::GenerationFailed(_)
        | ServiceError::HasSubscription
        | ServiceError::Change(_)
        | ServiceError::PlanChanged
        | ServiceError::PaymentDeclined
        | ServiceError::Provider(_)
        | ServiceError::Unknown(_)
        | ServiceError::NotForSale
        | ServiceError::Internal(_)) => format!("That did not work: {other}."),
    })
}

/// As [`said`], where the command knows better what is not there.
fn said_or_missing(error: ServiceError, missing: String) -> CommandError {
    match error {
        ServiceError::NotFound => CommandError::Said(missing),
        other => said(other),
    }
}

fn sentence(problem: &impl Display) -> String {
    let text = problem.to_string();
    let mut rest = text.chars();
    let first: String = rest.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}

async fn find_person(services: &Services, email: &Email) -> Result<User, CommandError> {
    let found = services.find_by_email(email).await;
    found.map_err(|error| said_or_missing(error, format!("Nobody has signed up as {email}.")))
}

/// Asks before many accounts are changed. Where nobody can be asked, only `--yes` is an answer.
fn confirm(what: &str, yes: bool) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(CommandError::NotConfirmed(format!(
            "{what} Nobody can be asked here, so it needs --yes; --dry-run shows what it would do. \
             Nothing was changed."
        )));
    }
    eprint!("{what} Go on? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    match read.map(|_| answer.trim()) {
        Ok("y" | "Y" | "yes") => Ok(()),
        Ok(_) | Err(_) => Err(CommandError::NotConfirmed("Nothing was changed.".to_owned())),
    }
}

fn account_count(count: usize) -> String {
    let noun = if count == 1 { "account" } else { "accounts" };
    format!("{count} {noun}")
}

fn parse_email(text: &str) -> Result<Email, String> {
    Email::parse(text).ok_or_else(|| "that is not an e-mail address".to_owned())
}

fn parse_amount(text: &str) -> Result<Credits, String> {
    let number: i64 = text.parse().map_err(|_| "a whole number is needed".to_owned())?;
    match Credits::new(number) {
        Ok(amount) if amount.is_zero() => Err(CreditsError::TooSmall.to_string()),
        Ok(amount) => Ok(amount),
        Err(error) => Err(error.to_string()),
    }
}

/// Words for the history.
fn parse_words(text: &str) -> Result<String, String> {
    parse_line(text, Memo::MAX_DESCRIPTION_CHARS)
}

fn parse_line(text: &str, max_chars: usize) -> Result<String, String> {
    let text = text.trim();
    let fits = (1..=max_chars).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("it has to be one line of 1 to {max_chars} characters")) }
}

fn parse_moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "a time looks like 2027-01-31T00:00:00Z".to_owned())
}
