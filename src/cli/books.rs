//! The proof of the books by command.

use super::{CommandError, said};
use scrip::domain::credits::group_digits;
use scrip::server::services::Services;
use scrip::server::store::{Books, Totals};
use serde_json::json;

/// Recomputes every account and tells what came of it.
pub async fn reconcile(services: &Services, json: bool) -> Result<(), CommandError> {
    let books = services.check_books().await.map_err(said)?;
    if json {
        let (ok, totals) = (books.balance_out(), books.totals);
        let balance = totals.remaining;
        println!(
            "{}",
            json!({
                "ok": ok, "accounts": books.accounts, "rows": books.rows, "balance": balance, "totals": totals,
                "flaws": books.flaws,
            })
        );
    } else {
        print_for_people(&books);
    }
    match books.flaws.len() {
        0 => Ok(()),
        1 => Err(CommandError::Said("The books do not balance: one thing does not fit.".to_owned())),
        count => Err(CommandError::Said(format!("The books do not balance: {count} things do not fit."))),
    }
}

fn print_for_people(books: &Books) {
    for flaw in &books.flaws {
        println!("{flaw}");
    }
    let verdict = if books.balance_out() { "Everything fits." } else { "Not everything fits." };
    let (accounts, rows) = (group_digits(books.accounts), group_digits(books.rows));
    println!("{verdict} Accounts: {accounts}. Rows of history: {rows}.");
    println!("{}", equation(&books.totals));
    println!("{} owed", group_digits(books.totals.debt));
}

fn equation(totals: &Totals) -> String {
    let left = totals.granted + totals.restored;
    let right = totals.remaining + totals.consumed - totals.refunded + totals.expired + totals.taken_back;
    let sign = if left == right { "=" } else { "is not" };
    let [granted, restored, remaining, consumed, refunded, expired, taken_back] = [
        totals.granted,
        totals.restored,
        totals.remaining,
        totals.consumed,
        totals.refunded,
        totals.expired,
        totals.taken_back,
    ]
    .map(group_digits);
    format!(
        "{granted} granted + {restored} restored {sign} {remaining} remaining + {consumed} consumed \
         - {refunded} refunded + {expired} expired + {taken_back} taken back"
    )
}
