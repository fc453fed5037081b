//! `credits backfill`: bringing every account to a number of credits, in a run that has a name.

use super::resets::parse_run;
use super::{Care, CommandError, confirm, said};
use clap::Args;
use scrip::domain::Credits;
use scrip::domain::credits::group_digits;
use scrip::server::random::random_name;
use scrip::server::services::{BackfillReport, BackfillTarget, ServiceError, Services};
use serde_json::{Value, json};

/// Characters of the name of a run that was given none.
const RUN_CHARS: usize = 12;

/// How many credits, and for whom.
#[derive(Args)]
pub struct BackfillArgs {
    /// How many credits every account shall have. Who has less gets what is missing; what they owe is paid with it.
    #[arg(long, value_name = "N", value_parser = parse_target, allow_negative_numbers = true)]
    amount: Credits,
    /// Look at accounts that have more, too. They are only counted, unless --lower is there as well.
    #[arg(long)]
    all: bool,
    /// Lower accounts that have more, from credits that nobody paid for. What was bought is never taken.
    #[arg(long, requires = "all")]
    lower: bool,
    /// The name of the run. With that of a run that was broken off it is gone on with: no account takes part in one run
    /// twice. A random one where absent.
    #[arg(long, value_name = "NAME", value_parser = parse_run)]
    run: Option<String>,
    #[command(flatten)]
    care: Care,
}

fn parse_target(text: &str) -> Result<Credits, String> {
    let number: i64 = text.parse().map_err(|_| "a whole number is needed".to_owned())?;
    Credits::new(number).map_err(|error| error.to_string())
}

/// Does it.
pub async fn run(services: &Services, args: BackfillArgs) -> Result<(), CommandError> {
    let BackfillArgs { amount, all, lower, run, care } = args;
    let target = BackfillTarget { amount, all, lower };
    let plan = services.plan_backfill(target).await.map_err(said)?;
    if care.dry_run {
        tell(care.json, run.as_deref(), target, true, &plan);
        return Ok(());
    }
    let what = format!("This brings accounts to {amount} credits: {}.", in_words(&plan));
    confirm(&what, care.yes)?;
    // Told before the work: whoever sees it broken off needs the name.
    let run = run.unwrap_or_else(|| random_name(RUN_CHARS));
    eprintln!("The run is called {run}.");
    let report = services.backfill(&run, target).await.map_err(|error| broken_off(&run, error))?;
    tell(care.json, Some(&run), target, false, &report);
    Ok(())
}

fn tell(as_json: bool, run: Option<&str>, target: BackfillTarget, dry_run: bool, report: &BackfillReport) {
    if as_json {
        println!("{}", report_json(run, target, dry_run, report));
        return;
    }
    let hint = match report.left_above {
        0 => "",
        _ if target.lower => " Those that have more and were left alone have nothing free to be taken.",
        _ => " --lower lowers those that have more, from free credits only.",
    };
    match dry_run {
        true => {
            println!("This would bring accounts to {}: {}.{hint} Nothing was changed.", target.amount, in_words(report))
        }
        false => println!("Accounts were brought to {}: {}.{hint}", target.amount, in_words(report)),
    }
}

fn report_json(run: Option<&str>, target: BackfillTarget, dry_run: bool, report: &BackfillReport) -> Value {
    json!({
        "run": run, "amount": target.amount, "dry_run": dry_run, "changed": if dry_run { 0 } else { report.changed() },
        "accounts": report.changed(), "raised": report.raised, "granted": report.granted, "lowered": report.lowered,
        "taken": report.taken, "left_above": report.left_above, "skipped": report.skipped,
    })
}

fn in_words(report: &BackfillReport) -> String {
    let mut parts = vec![format!("{} raised by {} in all", accounts(report.raised), group_digits(report.granted))];
    if report.lowered > 0 {
        parts.push(format!("{} lowered by {} in all", accounts(report.lowered), group_digits(report.taken)));
    }
    if report.left_above > 0 {
        parts.push(format!("{} with more left alone", accounts(report.left_above)));
    }
    if report.skipped > 0 {
        parts.push(format!(
            "{} skipped, as this run had been there or the balance would be too large",
            accounts(report.skipped)
        ));
    }
    parts.join(", ")
}

fn accounts(count: u64) -> String {
    let noun = if count == 1 { "account" } else { "accounts" };
    format!("{} {noun}", group_digits(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn broken_off(run: &str, error: ServiceError) -> CommandError {
    if let ServiceError::FormReused = error {
        return CommandError::Said(format!("The run {run} had another target. Use its own, or another name."));
    }
    let cause = said(error);
    CommandError::Said(format!(
        "{cause} The run {run} was broken off. The same command with --run {run} goes on with it."
    ))
}
