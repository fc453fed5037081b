//! Catalogues by command: which there are, what stands in one, and letting another one rule. Listing and showing a
//! preset, or a file of one's own, needs no database.

use super::{Care, CommandError, confirm, said, sentence};
use clap::{Args, Subcommand};
use scrip::domain::catalogue::Catalogue;
use scrip::domain::catalogue_changes::differences;
use scrip::domain::credits::credit_count;
use scrip::server::presets::{self, PresetError};
use scrip::server::services::{Actor, Services};
use serde_json::{Value, json};

/// What can be done with catalogues.
#[derive(Subcommand)]
pub enum PresetCommand {
    /// List the presets: catalogues that come with the program.
    List {
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Show a catalogue as TOML: a preset, a file of your own, or the one that rules in the database. A file of your
    /// own begins as a copy of this.
    Show {
        /// A preset's name, or the path of a file; the catalogue that rules where absent.
        #[arg(value_name = "NAME_OR_PATH")]
        name: Option<String>,
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Let another catalogue rule, as a new version: of it are the prices from then on. People keep their credits, and
    /// plans that they have paid. A running server notices within a second. Asks first; without a terminal it needs
    /// --yes.
    Apply(ApplyArgs),
}

/// Which catalogue.
#[derive(Args)]
pub struct ApplyArgs {
    /// A preset's name, or the path of a file, as in ./prices.toml.
    #[arg(value_name = "NAME_OR_PATH")]
    name: String,
    #[command(flatten)]
    care: Care,
}

/// Does what needs no database; gives back what does.
pub fn run_without_database(command: PresetCommand) -> Result<Option<PresetCommand>, CommandError> {
    match command {
        PresetCommand::List { json } => list(json).map(|()| None),
        PresetCommand::Show { name: Some(name), json } => {
            let (catalogue, text) = presets::load_with_text(&name).map_err(unusable)?;
            print_catalogue(&catalogue, &text, json);
            Ok(None)
        }
        // What cannot be used is refused before a database is opened for it.
        PresetCommand::Apply(args) => {
            presets::load(&args.name).map_err(unusable).map(|_| Some(PresetCommand::Apply(args)))
        }
        command @ PresetCommand::Show { name: None, .. } => Ok(Some(command)),
    }
}

/// Does the rest.
pub async fn run(services: &Services, command: PresetCommand) -> Result<(), CommandError> {
    match command {
        PresetCommand::Show { name: None, json } => show_current(services, json),
        PresetCommand::Apply(args) => apply(services, args).await,
        PresetCommand::List { .. } | PresetCommand::Show { .. } => Ok(()),
    }
}

fn list(json: bool) -> Result<(), CommandError> {
    let mut catalogues = Vec::new();
    for name in presets::NAMES {
        catalogues.push(presets::find(name).map_err(unusable)?);
    }
    if json {
        println!("{}", json!({ "presets": catalogues.iter().map(summary).collect::<Vec<_>>() }));
        return Ok(());
    }
    for catalogue in catalogues {
        let monthly = catalogue.free_plan().map(|plan| plan.credits_per_month).filter(|amount| !amount.is_zero());
        let monthly = monthly.map(|amount| format!(" and {amount} a month")).unwrap_or_default();
        println!(
            "{:<13} {} at sign-up{monthly}; plans: {}; packs: {}; features: {}. {}",
            catalogue.preset,
            credit_count(catalogue.signup_credits),
            catalogue.plans.len(),
            catalogue.packs.len(),
            catalogue.rates.len(),
            catalogue.promise
        );
    }
    Ok(())
}

fn summary(catalogue: &Catalogue) -> Value {
    let plans: Vec<_> = catalogue.plans.iter().map(|plan| &plan.id).collect();
    let packs: Vec<_> = catalogue.packs.iter().map(|pack| &pack.id).collect();
    let features: Vec<_> = catalogue.rates.iter().map(|rate| &rate.feature).collect();
    json!({
        "name": catalogue.preset, "promise": catalogue.promise, "signup_credits": catalogue.signup_credits,
        "plans": plans, "packs": packs, "features": features,
    })
}

fn show_current(services: &Services, json: bool) -> Result<(), CommandError> {
    let current = services.catalogue();
    let text = toml::to_string(&**current).map_err(|error| CommandError::Said(sentence(&error)))?;
    if json {
        println!("{}", json!({ "version": current.version, "catalogue": **current }));
    } else {
        println!("# Version {} of this database.", current.version);
        print_catalogue(&current, &text, false);
    }
    Ok(())
}

fn print_catalogue(catalogue: &Catalogue, text: &str, json: bool) {
    match json {
        true => println!("{}", json!({ "catalogue": catalogue })),
        false => print!("{text}"),
    }
}

async fn apply(services: &Services, args: ApplyArgs) -> Result<(), CommandError> {
    let new = presets::load(&args.name).map_err(unusable)?;
    let current = services.catalogue();
    let changes = differences(&current, &new);
    if changes.is_empty() {
        return tell(
            args.care.json,
            current.version,
            false,
            &changes,
            "This catalogue rules already. Nothing was changed.",
        );
    }
    if args.care.dry_run {
        return tell(args.care.json, current.version, false, &changes, "Nothing was changed.");
    }
    if !args.care.yes {
        for change in &changes {
            eprintln!("{change}");
        }
    }
    confirm("This changes what is sold and what things cost, from now on.", args.care.yes)?;
    let added = services.replace_catalogue(new, current.version, &Actor::system().name).await.map_err(said)?;
    match added {
        Some(version) => {
            let words = format!("This is version {version} of the catalogue, and rules from now on.");
            tell(args.care.json, version, true, &changes, &words)
        }
        None => Err(CommandError::Said(
            "Somebody else has changed the catalogue meanwhile. Nothing was changed; look again.".to_owned(),
        )),
    }
}

fn tell(json: bool, version: i64, applied: bool, changes: &[String], words: &str) -> Result<(), CommandError> {
    if json {
        println!("{}", json!({ "applied": applied, "version": version, "changes": changes }));
    } else {
        for change in changes {
            println!("{change}");
        }
        println!("{words}");
    }
    Ok(())
}

fn unusable(error: PresetError) -> CommandError {
    CommandError::Said(format!("The catalogue cannot be used: {error}."))
}
