//! The catalogues that a new database can be filled from, one TOML file each.

use crate::domain::catalogue::Catalogue;

/// Why a catalogue file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// There is none of that name.
    #[error("there is no preset `{0}`; there are {names}", names = names())]
    Unknown(String),
    /// It is not what it should be; the text names the line and the reason.
    #[error("{0}")]
    Bad(String),
}

/// Every preset by name.
const PRESETS: [(&str, &str); 5] = [
    ("creator", include_str!("creator.toml")),
    ("subscription", include_str!("subscription.toml")),
    ("dual", include_str!("dual.toml")),
    ("api", include_str!("api.toml")),
    ("mvp", include_str!("mvp.toml")),
];

/// The catalogue of that name.
///
/// # Errors
/// [`PresetError`] where there is none.
pub fn find(name: &str) -> Result<Catalogue, PresetError> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| PresetError::Unknown(name.to_owned()))?;
    parse(text)
}

/// Reads a catalogue from TOML.
///
/// # Errors
/// [`PresetError::Bad`] with the line and the reason.
pub fn parse(text: &str) -> Result<Catalogue, PresetError> {
    let catalogue: Catalogue = toml::from_str(text).map_err(|error| PresetError::Bad(error.to_string()))?;
    catalogue.validate().map_err(|flaw| PresetError::Bad(flaw.to_string()))?;
    Ok(catalogue)
}

fn names() -> String {
    PRESETS.map(|(name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalogue::Interval;
    use crate::domain::{Credits, PlanId};

    #[test]
    fn every_preset_can_be_used_and_grants_what_it_promises_at_signup() {
        let signup = PRESETS.map(|(name, _)| (name, find(name).unwrap().signup_credits.get()));
        assert_eq!(signup, [("creator", 60), ("subscription", 100), ("dual", 0), ("api", 5_000), ("mvp", 100)]);
    }

    #[test]
    fn creators_plans_cost_and_grant_what_they_should() {
        let creator = find("creator").unwrap();
        let plan = |id| creator.plan(&PlanId::parse(id).unwrap()).unwrap();
        let (basic, premium) = (plan("basic"), plan("premium"));
        assert_eq!((basic.price(Interval::Month).get(), basic.price(Interval::Year).get()), (1_500, 21_000));
        assert_eq!((premium.price(Interval::Month).get(), premium.price(Interval::Year).get()), (2_900, 29_000));
        assert_eq!((basic.credits_per_month.get(), premium.credits_per_month.get()), (500, 1_200));
        assert_eq!(basic.yearly_saving(), None, "a year of Basic costs more than twelve months");
        assert_eq!(premium.yearly_saving().unwrap().in_dollars(), "$58");
    }

    #[test]
    fn a_shortfall_is_covered_by_the_cheapest_pack_and_the_next_plan() {
        let creator = find("creator").unwrap();
        assert_eq!(creator.cheapest_pack_for(Credits::of(101)).unwrap().credits, Credits::of(500));
        assert!(creator.cheapest_pack_for(Credits::of(2_001)).is_none());
        assert_eq!(creator.next_plan(None).unwrap().name, "Basic");
        assert_eq!(creator.next_plan(PlanId::parse("basic").as_ref()).unwrap().name, "Premium");
        assert!(creator.next_plan(PlanId::parse("premium").as_ref()).is_none());
        assert!(find("mvp").unwrap().next_plan(None).is_none());
    }

    #[test]
    fn a_bad_file_is_refused_with_the_line_and_the_reason() {
        let creator = include_str!("creator.toml");
        let misspelt = creator.replacen("signup_credits", "signup_credit", 1);
        assert!(parse(&misspelt).unwrap_err().to_string().contains("signup_credit"));
        let negative = creator.replacen("signup_credits = 60", "signup_credits = -60", 1);
        assert!(parse(&negative).unwrap_err().to_string().contains("line 4"));
        let free = creator.replacen("cost = 5", "cost = 0", 1);
        assert!(parse(&free).unwrap_err().to_string().contains("text-to-image"));
        let twice = creator.replacen("id = \"basic\"", "id = \"free\"", 1);
        assert!(parse(&twice).unwrap_err().to_string().contains("plan free"));
    }
}
