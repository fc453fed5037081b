//! People by command: making them, finding them, making them administrators.

use super::{CommandError, find_person, parse_email, said, said_or_missing};
use clap::{Args, Subcommand};
use scrip::api::views::PersonLine;
use scrip::domain::credits::credit_count;
use scrip::domain::identity::{Email, Role};
use scrip::server::services::{Services, SignUpForm};
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};

/// The longest password that is read from standard input, in bytes; what follows is not looked at.
const MAX_PASSWORD_INPUT: u64 = 4_096;

/// What can be done with people.
#[derive(Subcommand)]
pub enum UsersCommand {
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
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Make someone an administrator who has signed up.
    Promote(Someone),
    /// Make an administrator an ordinary person again.
    Demote(Someone),
    /// Give someone another password, which ends their sessions. It is asked for, or read from standard input.
    SetPassword(Someone),
    /// List the people who came last, with what they have.
    List {
        /// Only those whose address, name or id contains this.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
}

/// Who is meant.
#[derive(Args)]
pub struct Someone {
    /// Their address.
    #[arg(long, value_parser = parse_email)]
    email: Email,
    /// Print one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub async fn run(services: &Services, command: UsersCommand) -> Result<(), CommandError> {
    match command {
        UsersCommand::Create { email, name, admin, json } => {
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            let role = if admin { Role::Admin } else { Role::User };
            let form = SignUpForm::parse(&email, &name, read_password()?).map_err(said)?;
            create(services, form, role, json).await
        }
        UsersCommand::Promote(who) => set_role(services, &who, Role::Admin).await,
        UsersCommand::Demote(who) => set_role(services, &who, Role::User).await,
        UsersCommand::SetPassword(who) => set_password(services, &who).await,
        UsersCommand::List { search, json } => list(services, &search.unwrap_or_default(), json).await,
    }
}

async fn create(services: &Services, form: SignUpForm, role: Role, json: bool) -> Result<(), CommandError> {
    let email = form.email.clone();
    let (_, id) = services.create_user(form, role).await.map_err(said)?;
    if json {
        println!("{}", json!({ "id": id, "email": email, "role": role }));
    } else {
        println!("{email} has an account now, as {}. Id: {id}", role.as_str());
    }
    Ok(())
}

async fn set_role(services: &Services, who: &Someone, role: Role) -> Result<(), CommandError> {
    let email = &who.email;
    let done = services.set_role(email, role).await;
    done.map_err(|error| said_or_missing(error, format!("Nobody has signed up as {email}.")))?;
    match (who.json, role) {
        (true, _) => println!("{}", json!({ "email": email, "role": role })),
        (false, Role::Admin) => println!("{email} is an administrator now."),
        (false, Role::User) => println!("{email} is no administrator any more."),
    }
    Ok(())
}

async fn set_password(services: &Services, who: &Someone) -> Result<(), CommandError> {
    let email = &who.email;
    find_person(services, email).await?;
    services.set_password(email, read_password()?).await.map_err(said)?;
    match who.json {
        true => println!("{}", json!({ "email": email, "password_changed": true })),
        false => println!("{email} has another password now, and is signed out everywhere."),
    }
    Ok(())
}

async fn list(services: &Services, search: &str, json: bool) -> Result<(), CommandError> {
    let people = services.search_people(search).await.map_err(said)?;
    if json {
        println!("{}", json!({ "users": people.iter().map(person_json).collect::<Vec<_>>() }));
        return Ok(());
    }
    if people.is_empty() {
        println!("Nobody was found.");
    }
    for person in people {
        let plan = person.plan_name.map(|plan| format!(", {plan}")).unwrap_or_default();
        let admin = if person.is_admin { ", administrator" } else { "" };
        let credits = credit_count(person.balance);
        println!("{}  {} ({}): {credits}{plan}{admin}", person.public_id, person.email, person.name);
    }
    Ok(())
}

fn person_json(person: &PersonLine) -> Value {
    let role = if person.is_admin { Role::Admin } else { Role::User };
    json!({
        "id": person.public_id, "email": person.email, "name": person.name, "role": role,
        "plan": person.plan_name, "balance": person.balance, "created_at": person.created_at.to_rfc3339(),
    })
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
