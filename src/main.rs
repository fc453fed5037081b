//! The command line: one program that serves, migrates and looks after people.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use scrip::domain::identity::{Email, Role};
use scrip::server::config::{self, Config, ConfigError, LogFormat, Settings};
use scrip::server::services::{ServiceError, SignUpForm};
use scrip::server::start::{self, Core, Running, StartError};
use scrip::server::store::sqlite::SqliteStore;
use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The longest password that is read from standard input, in bytes; what follows is not looked at.
const MAX_PASSWORD_INPUT: u64 = 4_096;

/// A self-hosted credit system.
#[derive(Parser)]
#[command(name = "scrip", version, about)]
struct CommandLine {
    #[command(flatten)]
    settings: Settings,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the site; what happens without a command.
    Serve,
    /// Bring the database up to this version, and leave.
    Migrate,
    /// Look after people.
    #[command(subcommand)]
    Users(UsersCommand),
}

#[derive(Subcommand)]
enum UsersCommand {
    /// Make a person with an account and the first credits. The password is asked for, or read from
    /// standard input.
    Create {
        /// Their address.
        #[arg(long)]
        email: String,
        /// What they are called; the part of the address before the @ where absent.
        #[arg(long)]
        name: Option<String>,
        /// Make them an administrator.
        #[arg(long)]
        admin: bool,
        /// Print for programs.
        #[arg(long)]
        json: bool,
    },
    /// Make someone an administrator who has signed up.
    Promote {
        /// Their address.
        #[arg(long)]
        email: String,
    },
}

/// Why a command did not do its work; printed as it is.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Said(String),
}

#[tokio::main]
async fn main() -> ExitCode {
    let command_line = match read_command_line() {
        Ok(command_line) => command_line,
        Err(error) => return fail(&error.into()),
    };
    if let Err(error) = start_log(&command_line.settings) {
        return fail(&error.into());
    }
    match run(command_line).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &CommandError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

async fn run(command_line: CommandLine) -> Result<(), CommandError> {
    let config = command_line.settings.check()?;
    match command_line.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config).await,
        Command::Migrate => migrate(config).await,
        Command::Users(UsersCommand::Create { email, name, admin, json }) => {
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            let role = if admin { Role::Admin } else { Role::User };
            create_user(config, &email, &name, role, json).await
        }
        Command::Users(UsersCommand::Promote { email }) => promote(config, &email).await,
    }
}

/// Flags, then environment, then the file: the file's values become the defaults of the flags.
fn read_command_line() -> Result<CommandLine, ConfigError> {
    let mut command = CommandLine::command();
    let known: Vec<String> = command
        .get_arguments()
        .filter_map(|argument| argument.get_env())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    config::refuse_unknown_variables(&known, std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    if let Some(path) = settings_file(std::env::args_os()) {
        for (name, value) in config::read_settings_file(&path, &known)? {
            let of_that_name = |argument: &&clap::Arg| argument.get_env().is_some_and(|known| known == name.as_str());
            let Some(id) = command.get_arguments().find(of_that_name).map(|argument| argument.get_id().clone()) else {
                continue;
            };
            command = command.mut_arg(id, |argument| argument.default_value(value));
        }
    }
    let matches = command.get_matches();
    CommandLine::from_arg_matches(&matches).map_err(|error| ConfigError(error.to_string()))
}

/// The file of settings, which has to be known before the other flags are read.
fn settings_file(arguments: impl Iterator<Item = OsString>) -> Option<std::path::PathBuf> {
    let arguments: Vec<String> = arguments.filter_map(|argument| argument.into_string().ok()).collect();
    let after_flag = arguments.iter().position(|argument| argument == "--config").and_then(|at| arguments.get(at + 1));
    let with_equals = arguments.iter().find_map(|argument| argument.strip_prefix("--config="));
    let named = after_flag.map(String::as_str).or(with_equals).map(Into::into);
    named.or_else(|| std::env::var_os("SCRIP_CONFIG").map(Into::into))
}

fn start_log(settings: &Settings) -> Result<(), ConfigError> {
    let filter = tracing_subscriber::EnvFilter::try_new(&settings.log)
        .map_err(|error| ConfigError(format!("SCRIP_LOG cannot be understood: {error}.")))?;
    // To standard error: what a command prints for programs stays alone on standard output.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

async fn serve(config: Config) -> Result<(), CommandError> {
    let core = Core::open(&config).await?;
    let signup_credits = core.services.signup_credits();
    let running = Running::assemble(core, &config).await?;
    let listener = start::listen(&config).await?;
    let address = listener.local_addr().unwrap_or(config.site_addr);
    println!("{}", start::welcome(&config, address, signup_credits));
    let stop = CancellationToken::new();
    let told = tokio::spawn(wait_for_signal(stop.clone()));
    running.serve(listener, stop).await;
    told.abort();
    tracing::info!("stopped; everything that was under way is done");
    Ok(())
}

/// SIGTERM from a supervisor, SIGINT from a terminal.
async fn wait_for_signal(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received; stop the program by force");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
}

async fn migrate(config: Config) -> Result<(), CommandError> {
    let opened = SqliteStore::open(&config.database).await;
    let store = opened.map_err(|error| CommandError::Said(format!("The database cannot be migrated: {error}.")))?;
    store.close().await;
    println!("The database {} is up to date.", config.database.display());
    Ok(())
}

async fn create_user(config: Config, email: &str, name: &str, role: Role, json: bool) -> Result<(), CommandError> {
    let form = SignUpForm::parse(email, name, read_password()?).map_err(said)?;
    let core = Core::open(&config).await?;
    let created = core.services.create_user(form, role).await;
    core.close().await;
    let (_, id) = created.map_err(said)?;
    if json {
        println!("{}", serde_json::json!({ "id": id, "email": email.trim().to_lowercase(), "role": role }));
    } else {
        println!("{email} has an account now, as {}. Id: {id}", role.as_str());
    }
    Ok(())
}

async fn promote(config: Config, email: &str) -> Result<(), CommandError> {
    let email = Email::parse(email).ok_or_else(|| CommandError::Said(format!("{email} is not an e-mail address.")))?;
    let core = Core::open(&config).await?;
    let promoted = core.services.promote(&email).await;
    core.close().await;
    promoted.map_err(|error| match error {
        ServiceError::NotFound => CommandError::Said(format!("Nobody has signed up as {email}.")),
        other => said(other),
    })?;
    println!("{email} is an administrator now.");
    Ok(())
}

fn said(error: ServiceError) -> CommandError {
    let words = match error {
        ServiceError::Invalid { field, problem } => scrip::api::ApiError::Invalid { field, problem }.message(),
        ServiceError::AddressTaken => "This address has an account already.".to_owned(),
        other => format!("That did not work: {other}."),
    };
    CommandError::Said(words)
}

/// Asks at a terminal, else reads a line from standard input; never from an argument, which every user
/// of the machine could see.
fn read_password() -> Result<String, CommandError> {
    let unreadable = |error: std::io::Error| CommandError::Said(format!("The password cannot be read: {error}."));
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("Password (at least 8 characters): ").map_err(unreadable);
    }
    let mut text = String::new();
    std::io::stdin().take(MAX_PASSWORD_INPUT).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
