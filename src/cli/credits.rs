//! Credits by command: what someone has, grants, charges and clawbacks. Each change can have an idempotency key, so
//! that a script that is run twice changes nothing the second time.

use super::backfill::BackfillArgs;
use super::{
    CommandError, find_person, parse_amount, parse_email, parse_line, parse_moment, parse_words, said, said_or_missing,
};
use clap::{Args, Subcommand};
use scrip::domain::credits::{credit_count, group_digits};
use scrip::domain::identity::Email;
use scrip::domain::{
    Balance, Credits, FeatureId, GrantId, IdempotencyKey, NewGrant, Outcome, Receipt, Seq, Source, Timestamp,
    Transaction, TransactionType,
};
use scrip::server::ledger::{Answer, RequestKey};
use scrip::server::services::{Actor, GRANTABLE_SOURCES, Granting, Price, Services, Spending};
use scrip::server::store::{HistoryFilter, HistoryQuery, User};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Rows of history that are shown where nobody says otherwise, and the most; `export` has all.
const SHOWN: u32 = 10;
const MAX_SHOWN: i64 = 1_000;
/// The longest reference of a grant, in characters.
const MAX_REFERENCE_CHARS: usize = 200;

/// What can be done with credits.
#[derive(Subcommand)]
pub enum CreditsCommand {
    /// Give someone credits.
    Grant(GrantArgs),
    /// Spend someone's credits: so many, or what a feature costs.
    Charge(ChargeArgs),
    /// Show what someone has, what comes and ends next, and the last movements.
    Show {
        /// Who.
        #[arg(long, value_name = "EMAIL", value_parser = parse_email)]
        user: Email,
        /// How many of the last movements.
        #[arg(long, value_name = "N", default_value_t = SHOWN, value_parser = clap::value_parser!(u32).range(1..=MAX_SHOWN))]
        limit: u32,
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Bring every account to a number of credits, as for people who were there before there were credits: who has less
    /// gets what is missing. Every change is a grant or an adjustment in the history. Asks first; without a terminal it
    /// needs --yes.
    Backfill(BackfillArgs),
    /// Take a grant back whose payment was returned. What was spent of it is owed: the next credits pay it off.
    Clawback(ClawbackArgs),
}

/// The credits that come in.
#[derive(Args)]
pub struct GrantArgs {
    /// To whom.
    #[arg(long, value_name = "EMAIL", value_parser = parse_email)]
    user: Email,
    /// How many.
    #[arg(long, value_name = "N", value_parser = parse_amount, allow_negative_numbers = true)]
    amount: Credits,
    /// Where they come from: adjustment, promotion, referral or purchase. Bought credits are spent after free ones.
    #[arg(long, value_name = "SOURCE", value_parser = parse_source, default_value = "adjustment")]
    source: Source,
    /// Why, for the history; the source where absent.
    #[arg(long, value_name = "TEXT", value_parser = parse_words)]
    reason: Option<String>,
    /// What they are for, as an order's number. Each reference of a source is granted once.
    #[arg(long, value_name = "TEXT", value_parser = parse_reference)]
    reference: Option<String>,
    /// When they end, as in 2027-01-31T00:00:00Z; never where absent.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    expires_at: Option<Timestamp>,
    #[command(flatten)]
    manner: Manner,
}

/// The credits that are spent.
#[derive(Args)]
pub struct ChargeArgs {
    /// Whose.
    #[arg(long, value_name = "EMAIL", value_parser = parse_email)]
    user: Email,
    /// How many.
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_amount,
        allow_negative_numbers = true,
        required_unless_present = "feature",
        conflicts_with_all = ["feature", "units"]
    )]
    amount: Option<Credits>,
    /// What was used, by its name in the catalogue; the rates say what it costs.
    #[arg(long, value_name = "FEATURE", value_parser = parse_feature)]
    feature: Option<FeatureId>,
    /// How many units of it; 1 where absent.
    #[arg(long, value_name = "N", requires = "feature")]
    units: Option<u32>,
    /// One line for the history.
    #[arg(long, value_name = "TEXT", value_parser = parse_words)]
    description: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

/// The grant that is taken back.
#[derive(Args)]
pub struct ClawbackArgs {
    /// From whom.
    #[arg(long, value_name = "EMAIL", value_parser = parse_email)]
    user: Email,
    /// Which grant: the number of the transaction that granted it, as `credits show` has it.
    #[arg(long, value_name = "ID", value_parser = parse_grant)]
    grant: GrantId,
    /// How many of it; all that was not taken back yet, and did not end unspent, where absent.
    #[arg(long, value_name = "N", value_parser = parse_amount, allow_negative_numbers = true)]
    amount: Option<Credits>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", value_parser = parse_words)]
    reason: String,
    #[command(flatten)]
    manner: Manner,
}

/// How a change is protected and told.
#[derive(Args)]
struct Manner {
    /// A name for this very change: done again with the same one, it changes nothing and prints the same.
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    idempotency_key: Option<IdempotencyKey>,
    /// Print one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

impl Manner {
    /// Ties the key to all that makes the command what it is.
    fn request_key(&self, request: &Value) -> Option<RequestKey> {
        let key = self.idempotency_key.clone()?;
        Some(RequestKey::new(key, request.to_string().as_bytes(), movement_json))
    }

    /// Prints what came of it.
    fn tell(&self, answer: Answer, words: impl Fn(&Movement) -> String) {
        let (text, note) = match answer {
            Answer::Applied { outcome, .. } => (movement_json(&outcome), ""),
            Answer::Replayed { text } => (text, "\nThat was done before, with this key; nothing was changed now."),
        };
        match serde_json::from_str::<Movement>(&text) {
            Ok(movement) if !self.json => println!("{} {}{note}", words(&movement), movement.standing()),
            Ok(_) | Err(_) => println!("{text}"),
        }
    }
}

/// What a change is answered with. Its JSON is what an idempotency key keeps, so fields may be added to it, and
/// none may go.
#[derive(Serialize, Deserialize)]
struct Movement {
    transaction: Seq,
    #[serde(rename = "type")]
    kind: TransactionType,
    amount: i64,
    balance_before: Credits,
    balance_after: Credits,
    available: Credits,
    held: Credits,
    debt: Credits,
}

impl From<&Receipt> for Movement {
    fn from(receipt: &Receipt) -> Self {
        let (row, balance) = (&receipt.transaction, &receipt.balance);
        Self {
            transaction: row.seq,
            kind: row.kind,
            amount: row.amount,
            balance_before: row.balance_before,
            balance_after: row.balance_after,
            available: balance.available,
            held: balance.held,
            debt: balance.debt,
        }
    }
}

impl Movement {
    fn size(&self) -> String {
        credit_count(Credits::new(self.amount.abs()).unwrap_or_default())
    }

    fn standing(&self) -> String {
        let part = |amount: Credits, word: &str| match amount.is_zero() {
            true => String::new(),
            false => format!(", {amount} {word}"),
        };
        let (held, debt) = (part(self.held, "held"), part(self.debt, "owed"));
        format!(
            "The balance went from {} to {}; now {} to spend{held}{debt}.",
            self.balance_before, self.balance_after, self.available
        )
    }
}

fn movement_json(outcome: &Outcome) -> String {
    match outcome {
        // A plain structure with text keys; serde_json has no reason to refuse it.
        Outcome::Receipt(receipt) => serde_json::to_string(&Movement::from(&**receipt)).unwrap_or_default(),
        // What is asked for here moves credits or is refused.
        Outcome::Hold { .. } | Outcome::Rolled { .. } => json!({}).to_string(),
    }
}

/// Does it.
pub async fn run(services: &Services, command: CreditsCommand) -> Result<(), CommandError> {
    match command {
        CreditsCommand::Grant(args) => grant(services, args).await,
        CreditsCommand::Charge(args) => charge(services, args).await,
        CreditsCommand::Show { user, limit, json } => show(services, &user, limit, json).await,
        CreditsCommand::Backfill(args) => super::backfill::run(services, args).await,
        CreditsCommand::Clawback(args) => clawback(services, args).await,
    }
}

async fn grant(services: &Services, args: GrantArgs) -> Result<(), CommandError> {
    let GrantArgs { user, amount, source, reason, reference, expires_at, manner } = args;
    let person = find_person(services, &user).await?;
    let reason = reason.unwrap_or_else(|| source.label().to_owned());
    let key = manner.request_key(&json!(["credits grant", amount, source, reason, reference, expires_at]));
    let granting = Granting { grant: NewGrant { source, amount, expires_at, reference }, reason };
    let answer = services.grant(person.account, &Actor::system(), granting, key).await.map_err(said)?;
    manner.tell(answer, |movement| format!("Gave {user} {}, as grant {}.", movement.size(), movement.transaction.0));
    Ok(())
}

async fn charge(services: &Services, args: ChargeArgs) -> Result<(), CommandError> {
    let ChargeArgs { user, amount, feature, units, description, manner } = args;
    let units = units.unwrap_or(1);
    let request = json!(["credits charge", amount, feature, units, description]);
    let price = match (amount, feature) {
        (Some(amount), _) => Price::Amount(amount),
        (None, Some(feature)) => Price::Feature { feature, units },
        (None, None) => return Err(CommandError::Said("Name an --amount, or a --feature.".to_owned())),
    };
    let person = find_person(services, &user).await?;
    let (key, spending) = (manner.request_key(&request), Spending { price, description, metadata: None });
    let answer = services.charge(person.account, &Actor::system(), spending, key).await.map_err(said)?;
    let words =
        |movement: &Movement| format!("Charged {user} {}, as transaction {}.", movement.size(), movement.transaction.0);
    manner.tell(answer, words);
    Ok(())
}

async fn clawback(services: &Services, args: ClawbackArgs) -> Result<(), CommandError> {
    let ClawbackArgs { user, grant, amount, reason, manner } = args;
    let person = find_person(services, &user).await?;
    let key = manner.request_key(&json!(["credits clawback", grant, amount, reason]));
    let done = services.clawback(person.account, &Actor::system(), grant, amount, reason, key).await;
    let missing = || format!("{user} has no grant {}.", grant.0.0);
    let answer = done.map_err(|error| said_or_missing(error, missing()))?;
    let words = |movement: &Movement| {
        format!("Took {} back from {user}, as transaction {}.", movement.size(), movement.transaction.0)
    };
    manner.tell(answer, words);
    Ok(())
}

async fn show(services: &Services, email: &Email, limit: u32, json: bool) -> Result<(), CommandError> {
    let person = find_person(services, email).await?;
    let balance = services.read_balance(person.account).await.map_err(said)?;
    let query = HistoryQuery { filter: HistoryFilter::Movements, limit, ..HistoryQuery::default() };
    let rows = services.list_movements(person.account, query).await.map_err(said)?;
    if json {
        println!("{}", standing_json(&person, &balance, &rows));
    } else {
        print_standing(email, &balance);
        for row in &rows {
            println!("{}", row_line(row));
        }
    }
    Ok(())
}

fn standing_json(person: &User, balance: &Balance, rows: &[Transaction]) -> Value {
    let coming = |(at, amount): (Timestamp, Credits)| json!({ "at": at.to_rfc3339(), "amount": amount });
    let part = |(source, amount): &(Source, Credits)| (source.as_str().to_owned(), json!(amount));
    let by_source: Map<String, Value> = balance.by_source.iter().map(part).collect();
    json!({
        "id": person.public_id, "email": person.email, "plan": balance.plan,
        "balance": balance.total, "available": balance.available, "held": balance.held, "debt": balance.debt,
        "by_source": by_source,
        "next_reset": balance.next_reset.map(coming), "next_expiry": balance.next_expiry.map(coming),
        "transactions": rows.iter().map(row_json).collect::<Vec<_>>(),
    })
}

fn row_json(row: &Transaction) -> Value {
    json!({
        "transaction": row.seq, "type": row.kind, "amount": row.amount,
        "balance_before": row.balance_before, "balance_after": row.balance_after, "debt_after": row.debt_after,
        "feature": row.usage.as_ref().map(|usage| &usage.feature), "units": row.usage.as_ref().map(|usage| usage.units),
        "description": row.description, "actor": row.actor, "created_at": row.created_at.to_rfc3339(),
    })
}

fn print_standing(email: &Email, balance: &Balance) {
    println!(
        "{email} has {}: {} to spend, {} held, {} owed.",
        credit_count(balance.total),
        balance.available,
        balance.held,
        balance.debt
    );
    for (source, amount) in &balance.by_source {
        let (amount, source) = (amount.to_string(), source.label());
        println!("{amount:>12}  {source}");
    }
    if let Some((at, amount)) = balance.next_reset {
        println!("Next monthly credits: {amount} on {} UTC.", at.to_minute());
    }
    if let Some((at, amount)) = balance.next_expiry {
        println!("Next to end: {amount} on {} UTC.", at.to_minute());
    }
    println!("The last movements, with the balance after each (UTC):");
}

fn row_line(row: &Transaction) -> String {
    let sign = if row.amount > 0 { "+" } else { "" };
    let (amount, after) = (format!("{sign}{}", group_digits(row.amount)), row.balance_after.to_string());
    format!("{:>6}  {:<18}  {amount:>10}  {after:>10}  {}", row.seq.0, row.created_at.to_minute(), row.description)
}

fn parse_source(text: &str) -> Result<Source, String> {
    let known = || format!("the sources are {}", GRANTABLE_SOURCES.map(Source::as_str).join(", "));
    Source::parse(text).filter(|source| GRANTABLE_SOURCES.contains(source)).ok_or_else(known)
}

fn parse_reference(text: &str) -> Result<String, String> {
    parse_line(text, MAX_REFERENCE_CHARS)
}

fn parse_feature(text: &str) -> Result<FeatureId, String> {
    FeatureId::parse(text).ok_or_else(|| "a feature is named in lower case, like `text-to-image`".to_owned())
}

/// The number of a grant, or its id as programs see it: a g before the number.
fn parse_grant(text: &str) -> Result<GrantId, String> {
    let number = text.strip_prefix('g').unwrap_or(text).parse::<i64>();
    number.map(|number| GrantId(Seq(number))).map_err(|_| "the number of a grant is needed".to_owned())
}

fn parse_key(text: &str) -> Result<IdempotencyKey, String> {
    let problem = || format!("a key has 1 to {} characters of ASCII", IdempotencyKey::MAX_LENGTH);
    IdempotencyKey::parse(text).ok_or_else(problem)
}
