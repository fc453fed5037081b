//! `export`: the whole history of one account or of all, as CSV or as lines of JSON. It is written while it is read,
//! page by page, so that its size does not matter.

use super::{CommandError, find_person, parse_email, said};
use clap::{Args, ValueEnum};
use scrip::domain::identity::Email;
use scrip::domain::{Draw, HoldId, Seq, Transaction};
use scrip::server::services::Services;
use scrip::server::store::OwnedMovement;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Rows that are read at a time.
const PAGE: u32 = 1_000;

const COLUMNS: [&str; 18] = [
    "account",
    "email",
    "transaction",
    "type",
    "cause",
    "amount",
    "balance_before",
    "balance_after",
    "debt_after",
    "feature",
    "units",
    "rate_version",
    "description",
    "actor",
    "metadata",
    "hold",
    "refund_of",
    "created_at",
];

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table with a line of names. Texts that a spreadsheet would take for a formula begin with an apostrophe.
    Csv,
    /// One JSON object per line, with the grants that each movement drew from.
    Jsonl,
}

/// What is exported.
#[derive(Args)]
pub struct ExportArgs {
    /// Whose history; that of all accounts where absent.
    #[arg(long, value_name = "EMAIL", value_parser = parse_email)]
    user: Option<Email>,
    /// How it is written.
    #[arg(long, default_value = "csv")]
    format: Format,
    /// The same as --format jsonl.
    #[arg(long)]
    json: bool,
    /// A new file to write to; standard output where absent.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Does it.
pub async fn run(services: &Services, args: ExportArgs) -> Result<(), CommandError> {
    let of = match &args.user {
        Some(email) => {
            let person = find_person(services, email).await?;
            // Whoever looks at one account sees what time has made true of it.
            services.read_balance(person.account).await.map_err(said)?;
            Some(person.account)
        }
        None => {
            services.book_due_accounts().await.map_err(said)?;
            None
        }
    };
    let mut sheet = Sheet::begin(if args.json { Format::Jsonl } else { args.format }, open(args.output.as_deref())?)?;
    let mut after = None;
    loop {
        let page = services.list_all_movements(of, after, PAGE).await.map_err(said)?;
        for movement in &page {
            sheet.write(movement)?;
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after = Some((last.account, last.row.seq)),
            Some(_) | None => return sheet.end(),
        }
    }
}

fn open(path: Option<&Path>) -> Result<Box<dyn Write>, CommandError> {
    let Some(path) = path else { return Ok(Box::new(BufWriter::new(std::io::stdout()))) };
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let file = made.map_err(|error| CommandError::Said(format!("{} cannot be made: {error}.", path.display())))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// What is being written.
enum Sheet {
    Csv(Box<csv::Writer<Box<dyn Write>>>),
    Jsonl(Box<dyn Write>),
}

impl Sheet {
    fn begin(format: Format, output: Box<dyn Write>) -> Result<Self, CommandError> {
        match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(output);
                writer.write_record(COLUMNS).map_err(|error| unwritable(&error.into()))?;
                Ok(Self::Csv(Box::new(writer)))
            }
            Format::Jsonl => Ok(Self::Jsonl(output)),
        }
    }

    fn write(&mut self, movement: &OwnedMovement) -> Result<(), CommandError> {
        let written = match self {
            Self::Csv(writer) => writer.write_record(cells(movement)).map_err(Into::into),
            Self::Jsonl(output) => writeln!(output, "{}", line(movement)),
        };
        written.map_err(|error| unwritable(&error))
    }

    fn end(self) -> Result<(), CommandError> {
        let written = match self {
            Self::Csv(mut writer) => writer.flush(),
            Self::Jsonl(mut output) => output.flush(),
        };
        written.map_err(|error| unwritable(&error))
    }
}

fn unwritable(error: &std::io::Error) -> CommandError {
    match error.kind() {
        ErrorKind::BrokenPipe => CommandError::Said("Nobody reads on; the export was broken off.".to_owned()),
        _ => CommandError::Said(format!("The export cannot be written: {error}.")),
    }
}

fn cells(movement: &OwnedMovement) -> [String; COLUMNS.len()] {
    let row = &movement.row;
    let usage = row.usage.as_ref();
    let text = |value: Option<String>| value.unwrap_or_default();
    [
        movement.public_id.to_string(),
        harmless(movement.email.as_str()),
        row.seq.0.to_string(),
        row.kind.as_str().to_owned(),
        row.cause.as_str().to_owned(),
        row.amount.to_string(),
        row.balance_before.get().to_string(),
        row.balance_after.get().to_string(),
        row.debt_after.get().to_string(),
        text(usage.map(|usage| usage.feature.to_string())),
        text(usage.map(|usage| usage.units.to_string())),
        text(usage.map(|usage| usage.rate_version.to_string())),
        harmless(&row.description),
        harmless(&row.actor),
        text(row.metadata.as_ref().map(|metadata| json!(metadata).to_string())),
        text(row.hold.map(|HoldId(Seq(number))| number.to_string())),
        text(row.refund_of.map(|Seq(number)| number.to_string())),
        row.created_at.to_rfc3339(),
    ]
}

/// Spreadsheets run what begins like a formula (OWASP: CSV injection).
fn harmless(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn line(movement: &OwnedMovement) -> Value {
    let row: &Transaction = &movement.row;
    let usage = row.usage.as_ref();
    json!({
        "account": movement.public_id, "email": movement.email.as_str(), "transaction": row.seq, "type": row.kind,
        "cause": row.cause, "amount": row.amount, "balance_before": row.balance_before,
        "balance_after": row.balance_after, "debt_after": row.debt_after,
        "feature": usage.map(|usage| &usage.feature), "units": usage.map(|usage| usage.units),
        "rate_version": usage.map(|usage| usage.rate_version), "description": row.description, "actor": row.actor,
        "metadata": row.metadata, "hold": row.hold, "refund_of": row.refund_of,
        "created_at": row.created_at.to_rfc3339(), "draws": row.draws.iter().map(draw_json).collect::<Vec<_>>(),
    })
}

fn draw_json(draw: &Draw) -> Value {
    json!({
        "grant": draw.grant, "source": draw.source, "amount": draw.amount,
        "expires_at": draw.expires_at.map(|end| end.to_rfc3339()),
    })
}
