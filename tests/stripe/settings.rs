//! The settings: what is needed, what is refused, and that no sentence quotes a key.

use clap::{CommandFactory, Parser};
use scrip::server::config::{Config, ConfigError, Mode, Payments, Settings};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

const KEY: &str = "--stripe-secret-key=sk_test_abcdefgh";
const SECRETS: &str = "--stripe-webhook-secrets= whsec_one , whsec_two,";

fn check(flags: &[&str]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("--database-url=sqlite://{}/scrip.db", folder.path().display());
    Line::parse_from(["scrip", &database].iter().chain(flags)).settings.check()
}

#[test]
fn with_keys_stripe_takes_the_money_unless_something_else_is_said() {
    let config = check(&[KEY, SECRETS]).unwrap();
    assert_eq!(config.payments, Payments::Stripe);
    let stripe = config.stripe.as_ref().unwrap();
    assert_eq!(stripe.webhook_secrets.len(), 2);
    assert_eq!(stripe.api_base.as_str(), "https://api.stripe.com/");
    assert!(!format!("{config:?}").contains("abcdefgh"), "{config:?}");
    let production = ["--mode=production", "--public-url=https://credits.example.com", KEY, SECRETS];
    let config = check(&production).unwrap();
    assert_eq!((config.payments, config.mode), (Payments::Stripe, Mode::Production));
    assert_eq!(check(&[KEY, SECRETS, "--payments=demo"]).unwrap().payments, Payments::Demo);
    assert_eq!(check(&[]).unwrap().payments, Payments::Demo);
    assert_eq!(check(&production[..2]).unwrap().payments, Payments::None);
}

#[test]
fn what_is_missing_or_unsafe_stops_the_start_and_quotes_no_key() {
    let far = "--stripe-api-base=http://stripe.example.com";
    for (flags, named) in [
        (&["--payments=stripe"][..], "SCRIP_STRIPE_SECRET_KEY"),
        (&["--payments=stripe", SECRETS], "SCRIP_STRIPE_SECRET_KEY"),
        (&[KEY], "SCRIP_STRIPE_WEBHOOK_SECRETS"),
        (&[KEY, "--stripe-webhook-secrets=sk_test_abcdefgh"], "whsec_"),
        (&["--stripe-secret-key=pk_test_abcdefgh", SECRETS], "SCRIP_STRIPE_SECRET_KEY"),
        (&[KEY, SECRETS, far], "SCRIP_STRIPE_API_BASE"),
        (&[KEY, SECRETS, "--stripe-api-base=nonsense"], "SCRIP_STRIPE_API_BASE"),
    ] {
        let said = check(flags).unwrap_err().to_string();
        assert!(said.contains(named), "{flags:?}: {said}");
        assert!(!said.contains("abcdefgh"), "{said}");
    }
    assert!(check(&[KEY, SECRETS, "--stripe-api-base=http://127.0.0.1:12111"]).is_ok());
}

#[test]
fn the_help_hides_keys_that_are_set() {
    for argument in Line::command().get_arguments() {
        let name = argument.get_long().unwrap_or_default();
        if name.starts_with("stripe-") && name != "stripe-api-base" {
            assert!(argument.is_hide_env_values_set() && argument.is_hide_default_value_set(), "{name}");
        }
    }
}
