//! Keys of programs by command: making them, listing them, taking them away.

use super::{CommandError, find_person, parse_email, parse_line, parse_moment, said, said_or_missing};
use clap::{Args, Subcommand};
use scrip::domain::access::{ApiKey, Scope, Scopes};
use scrip::domain::identity::Email;
use scrip::domain::{ApiKeyId, Timestamp};
use scrip::server::services::{Actor, KeyHolder, MAX_LABEL_CHARS, Services};
use serde_json::{Value, json};

const SECONDS_PER_DAY: i64 = 86_400;
/// The longest life of a key that has an end, in days: ten years.
const MAX_DAYS: i64 = 3_650;

/// What can be done with keys.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// Make a key, for a person or for another program. It is printed once; only its hash is kept.
    Create(NewKey),
    /// End a key for good.
    Revoke {
        /// Its id, as `keys list` shows it; not the key itself.
        #[arg(value_name = "ID", value_parser = parse_id)]
        id: ApiKeyId,
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
    /// List the keys of a person, or all service keys, ended ones too. The keys themselves are not kept.
    List {
        /// Whose; service keys where absent.
        #[arg(long, value_name = "EMAIL", value_parser = parse_email)]
        user: Option<Email>,
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
}

/// The key that is wanted.
#[derive(Args)]
pub struct NewKey {
    /// Whose it is: it acts for this person's account only.
    #[arg(
        long,
        value_name = "EMAIL",
        value_parser = parse_email,
        required_unless_present = "service",
        conflicts_with = "service"
    )]
    user: Option<Email>,
    /// Make a service key: it acts for any account, within its scopes.
    #[arg(long)]
    service: bool,
    /// What a service key may do: accounts:read, accounts:write, or both with a comma between.
    #[arg(
        long,
        value_name = "SCOPES",
        value_parser = parse_scopes,
        default_value = "accounts:read,accounts:write",
        conflicts_with = "user"
    )]
    scopes: Scopes,
    /// What it is for; shown where keys are listed.
    #[arg(long, value_name = "TEXT", value_parser = parse_label, default_value = "command line")]
    label: String,
    /// When it ends, as in 2027-01-31T00:00:00Z; never where absent.
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "expires_in_days")]
    expires: Option<Timestamp>,
    /// End it after so many days; never where absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_DAYS))]
    expires_in_days: Option<u32>,
    /// Print one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub async fn run(services: &Services, command: KeysCommand) -> Result<(), CommandError> {
    match command {
        KeysCommand::Create(wanted) => create(services, wanted).await,
        KeysCommand::Revoke { id, json } => revoke(services, &id, json).await,
        KeysCommand::List { user, json } => list(services, user.as_ref(), json).await,
    }
}

async fn create(services: &Services, wanted: NewKey) -> Result<(), CommandError> {
    let holder = match (wanted.user, wanted.service) {
        (Some(email), _) => KeyHolder::Person(find_person(services, &email).await?.email),
        (None, true) => KeyHolder::Service(wanted.scopes),
        // clap asks for one of the two; a key for any account is never what comes of a slip.
        (None, false) => return Err(CommandError::Said("Say whose it is: --user EMAIL, or --service.".to_owned())),
    };
    let now = services.clock().now();
    let in_days = wanted.expires_in_days.map(|days| now.plus_seconds(i64::from(days) * SECONDS_PER_DAY));
    let expires_at = wanted.expires.or(in_days);
    if expires_at.is_some_and(|end| end <= now) {
        return Err(CommandError::Said("A key ends in the future.".to_owned()));
    }
    let made = services.make_api_key(holder, &wanted.label, expires_at, &Actor::system().name).await;
    let (id, secret) = made.map_err(said)?;
    if wanted.json {
        println!("{}", json!({ "id": id, "key": secret }));
    } else {
        println!("{secret}");
        println!("This key is shown this once: only its hash is kept. `scrip keys revoke {id}` ends it.");
    }
    Ok(())
}

async fn revoke(services: &Services, id: &ApiKeyId, json: bool) -> Result<(), CommandError> {
    let revoked = services.revoke_api_key(id, &Actor::system().name).await;
    revoked.map_err(|error| said_or_missing(error, format!("There is no key {id}, or it was revoked before.")))?;
    if json {
        println!("{}", json!({ "id": id, "revoked": true }));
    } else {
        println!("The key {id} opens nothing any more.");
    }
    Ok(())
}

async fn list(services: &Services, user: Option<&Email>, json: bool) -> Result<(), CommandError> {
    if let Some(email) = user {
        find_person(services, email).await?;
    }
    let keys = services.list_api_keys(user).await.map_err(said)?;
    if json {
        println!("{}", json!({ "keys": keys.iter().map(key_json).collect::<Vec<_>>() }));
        return Ok(());
    }
    if keys.is_empty() {
        println!("There are no keys.");
    }
    for key in keys {
        println!("{}", key_line(&key));
    }
    Ok(())
}

fn key_json(key: &ApiKey) -> Value {
    json!({
        "id": key.id, "label": key.label, "scopes": key.scopes, "created_at": key.created_at.to_rfc3339(),
        "expires_at": key.expires_at.map(Timestamp::to_rfc3339),
        "last_used_at": key.last_used_at.map(Timestamp::to_rfc3339),
        "revoked_at": key.revoked_at.map(Timestamp::to_rfc3339),
    })
}

fn key_line(key: &ApiKey) -> String {
    let mut line = format!("{}  {}: made {}", key.id, key.label, key.created_at.to_day());
    if !key.scopes.is_empty() {
        line.push_str(&format!(", may {}", key.scopes));
    }
    let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", at.to_minute()));
    line.push_str(&format!(", {used}"));
    for (word, moment) in [("ends", key.expires_at), ("revoked", key.revoked_at)] {
        line.push_str(&moment.map(|at| format!(", {word} {}", at.to_minute())).unwrap_or_default());
    }
    line
}

fn parse_id(text: &str) -> Result<ApiKeyId, String> {
    ApiKeyId::parse(text).ok_or_else(|| "that is not the id of a key; `scrip keys list` shows them".to_owned())
}

fn parse_label(text: &str) -> Result<String, String> {
    parse_line(text, MAX_LABEL_CHARS)
}

fn parse_scopes(text: &str) -> Result<Scopes, String> {
    let known = || format!("the scopes are {}", Scope::ALL.map(Scope::as_str).join(" and "));
    Scopes::parse(text).filter(|scopes| !scopes.is_empty()).ok_or_else(known)
}
