//! The program: it reads the command line and the settings, starts the log, and serves or hands over to `cli`.

mod cli;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use cli::CommandError;
use scrip::server::config::{self, Config, ConfigError, LogFormat, Settings};
use scrip::server::start::{self, Core, Running};
use scrip::server::store::SqlStore;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What scripts go by.
const EXIT_CODES: &str = "Exit codes: 0 where it is done; 1 where it was refused or failed, and where the books of \
    `reconcile` do not balance; 2 where the arguments cannot be used, or nobody has agreed to what asks first. Reasons go to \
    standard error. Commands work while the server runs.";

/// A self-hosted credit system.
#[derive(Parser)]
#[command(name = "scrip", version, about, after_help = EXIT_CODES)]
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
    /// Look after the chain that shows whether history was touched.
    #[command(subcommand)]
    Chain(cli::chain::ChainCommand),
    #[command(flatten)]
    Other(cli::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let command_line = match read_command_line() {
        Ok(command_line) => command_line,
        Err(error) => return fail(&error.into()),
    };
    let default_log = match command_line.command {
        None | Some(Command::Serve) => "info",
        // What a command did it says itself.
        Some(Command::Migrate | Command::Chain(_) | Command::Other(_)) => "warn",
    };
    if let Err(error) = start_log(&command_line.settings, default_log) {
        return fail(&error.into());
    }
    match run(command_line).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &CommandError) -> ExitCode {
    eprintln!("{error}");
    error.exit_code()
}

async fn run(command_line: CommandLine) -> Result<(), CommandError> {
    let config = command_line.settings.check()?;
    match command_line.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config).await,
        Command::Migrate => migrate(config).await,
        Command::Chain(command) => cli::chain::run(command, &config).await,
        Command::Other(command) => cli::run(command, &config).await,
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

fn start_log(settings: &Settings, default: &str) -> Result<(), ConfigError> {
    let filter = tracing_subscriber::EnvFilter::try_new(settings.log.as_deref().unwrap_or(default))
        .map_err(|error| ConfigError(format!("SCRIP_LOG cannot be understood: {error}.")))?;
    // To standard error: what a command prints for programs stays alone on standard output.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
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
    let opened = SqlStore::open(&config.database).await;
    let store = opened.map_err(|error| CommandError::Said(format!("The database cannot be migrated: {error}.")))?;
    store.close().await;
    println!("The database {} is up to date.", config.database.without_password());
    Ok(())
}
