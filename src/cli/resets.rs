//! Resets of monthly credits by command. They change many accounts, so they ask first, can be tried without
//! changing anything, and have a name by which they are gone on with and reversed.

use super::{Care, CommandError, account_count, confirm, find_person, parse_email, said, said_or_missing};
use clap::{Args, Subcommand};
use scrip::domain::identity::Email;
use scrip::domain::{AccountId, PlanId};
use scrip::server::random::random_name;
use scrip::server::services::{ResetReport, ServiceError, Services};
use serde_json::json;

/// Characters of the name of a run that was given none.
const RUN_CHARS: usize = 12;
/// The longest name of a run, in characters.
const MAX_RUN_CHARS: usize = 40;

/// What can be done with resets.
#[derive(Subcommand)]
pub enum ResetCommand {
    /// Begin the month's credits anew: what is left of them ends, the new ones last as long as the old ones would
    /// have. Bought credits and the day of the next month stay. Asks first; without a terminal it needs --yes.
    Run(RunArgs),
    /// Reverse a run exactly: its credits are taken back, with what was spent of them, and what it had ended comes
    /// back, as long as that month lasts. Asks first; without a terminal it needs --yes.
    Undo(UndoArgs),
}

/// Which accounts.
#[derive(Args)]
pub struct RunArgs {
    /// Only accounts with this plan; all that have monthly credits where absent.
    #[arg(long, value_name = "PLAN", value_parser = parse_plan, conflicts_with = "user")]
    plan: Option<PlanId>,
    /// Only this person's account.
    #[arg(long, value_name = "EMAIL", value_parser = parse_email)]
    user: Option<Email>,
    /// The name of the run. With that of a run that was broken off it is gone on with: no account is reset twice
    /// in one run. A random one where absent.
    #[arg(long, value_name = "NAME", value_parser = parse_run)]
    run: Option<String>,
    #[command(flatten)]
    care: Care,
}

/// Which run.
#[derive(Args)]
pub struct UndoArgs {
    /// The name of the run.
    #[arg(value_name = "RUN", value_parser = parse_run)]
    run: String,
    #[command(flatten)]
    care: Care,
}

/// Does it.
pub async fn run(services: &Services, command: ResetCommand) -> Result<(), CommandError> {
    match command {
        ResetCommand::Run(args) => begin_anew(services, args).await,
        ResetCommand::Undo(args) => undo(services, args).await,
    }
}

async fn begin_anew(services: &Services, args: RunArgs) -> Result<(), CommandError> {
    let accounts = find_accounts(services, &args).await?;
    let count = match &args.run {
        Some(run) => services.count_waiting_for_reset(run, &accounts).await.map_err(said)?,
        None => accounts.len(),
    };
    let whose = account_count(count);
    if args.care.dry_run {
        let words = format!("This would begin the monthly credits of {whose} anew.");
        tell_dry_run(args.care.json, args.run.as_deref(), count, &words);
        return Ok(());
    }
    confirm(&format!("This begins the monthly credits of {whose} anew."), args.care.yes)?;
    // Told before the work: whoever sees it broken off needs the name.
    let run = args.run.unwrap_or_else(|| random_name(RUN_CHARS));
    eprintln!("The run is called {run}.");
    let done = services.reset_accounts(Some(run.clone()), &accounts).await;
    let report = done.map_err(|error| broken_off(&run, error))?;
    if args.care.json {
        println!("{}", json!(report));
    } else {
        println!("The monthly credits of {} were begun anew.{}", account_count(report.changed), left_alone(&report));
        println!("`scrip reset undo {run}` reverses it.");
    }
    Ok(())
}

async fn find_accounts(services: &Services, args: &RunArgs) -> Result<Vec<AccountId>, CommandError> {
    if let Some(email) = &args.user {
        let person = find_person(services, email).await?;
        let balance = services.read_balance(person.account).await.map_err(said)?;
        return match balance.next_reset {
            Some(_) => Ok(vec![person.account]),
            None => Err(CommandError::Said(format!("{email} has no monthly credits."))),
        };
    }
    let accounts = services.list_resettable(args.plan.as_ref()).await.map_err(said)?;
    match &args.plan {
        // Somebody may still have a plan that is no longer on offer; a plan that nobody has is a slip.
        Some(plan) if accounts.is_empty() && services.catalogue().plan(plan).is_none() => {
            Err(CommandError::Said(format!("There is no plan {plan}.")))
        }
        Some(_) | None => Ok(accounts),
    }
}

async fn undo(services: &Services, args: UndoArgs) -> Result<(), CommandError> {
    let run = &args.run;
    let missing = || format!("There was no reset run {run}, or it changed no account.");
    let count = services.count_reset(run).await.map_err(said)?;
    if count == 0 {
        return Err(CommandError::Said(missing()));
    }
    let whose = account_count(count);
    if args.care.dry_run {
        let words = format!("This would reverse the run {run}, which reset {whose}.");
        tell_dry_run(args.care.json, Some(run), count, &words);
        return Ok(());
    }
    confirm(&format!("This reverses the run {run}, which reset {whose}."), args.care.yes)?;
    let report = services.undo_reset(run).await.map_err(|error| said_or_missing(error, missing()))?;
    if args.care.json {
        println!("{}", json!(report));
    } else {
        println!("The run {run} was reversed in {}.{}", account_count(report.changed), left_alone(&report));
    }
    Ok(())
}

fn tell_dry_run(json: bool, run: Option<&str>, count: usize, words: &str) {
    if json {
        println!("{}", json!({ "run": run, "changed": 0, "skipped": 0, "dry_run": true, "accounts": count }));
    } else {
        println!("{words} Nothing was changed.");
    }
}

fn left_alone(report: &ResetReport) -> String {
    match report.skipped {
        0 => String::new(),
        skipped => format!(" Left as it was: {}.", account_count(skipped)),
    }
}

fn broken_off(run: &str, error: ServiceError) -> CommandError {
    let cause = said(error);
    CommandError::Said(format!(
        "{cause} The run {run} was broken off. The same command with --run {run} goes on with it, and \
         `scrip reset undo {run}` reverses what it did."
    ))
}

fn parse_plan(text: &str) -> Result<PlanId, String> {
    PlanId::parse(text).ok_or_else(|| "a plan is named in lower case, like `basic`".to_owned())
}

/// The accounts of a run are found by its name and a colon, so a name holds none.
pub fn parse_run(text: &str) -> Result<String, String> {
    let is_plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let fits = is_plain && (1..=MAX_RUN_CHARS).contains(&text.len());
    let problem = || format!("a name has 1 to {MAX_RUN_CHARS} lower-case letters, digits and hyphens");
    fits.then(|| text.to_owned()).ok_or_else(problem)
}
