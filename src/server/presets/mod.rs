//! The catalogues that a new database can be filled from, one TOML file each, and catalogue files of one's own.

use crate::domain::catalogue::{Catalogue, CatalogueFlaw, Section};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

/// The largest catalogue file in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Why a catalogue file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// There is none of that name.
    #[error("there is no preset `{0}`; there are {names}. A file of your own is named by its path, as in ./{0}.toml", names = NAMES.join(", "))]
    Unknown(String),
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, String),
    /// It is not what it should be.
    #[error("line {line}, column {column}: {reason}")]
    Bad {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The same, of a file of one's own.
    #[error("{0}, {1}")]
    InFile(String, Box<PresetError>),
}

/// Every preset by name, the usual one first.
const PRESETS: [(&str, &str); 5] = [
    ("creator", include_str!("creator.toml")),
    ("subscription", include_str!("subscription.toml")),
    ("dual", include_str!("dual.toml")),
    ("api", include_str!("api.toml")),
    ("mvp", include_str!("mvp.toml")),
];

/// The names of the presets, the usual one first.
pub const NAMES: [&str; 5] = [PRESETS[0].0, PRESETS[1].0, PRESETS[2].0, PRESETS[3].0, PRESETS[4].0];

/// The catalogue of that name.
///
/// # Errors
/// [`PresetError::Unknown`] where there is none.
pub fn find(name: &str) -> Result<Catalogue, PresetError> {
    parse(text_of(name)?)
}

/// The preset of that name, or the catalogue in the file of that path: what has a slash or ends in `.toml` is a path.
///
/// # Errors
/// [`PresetError`] with the line, the column and the reason.
pub fn load(name_or_path: &str) -> Result<Catalogue, PresetError> {
    Ok(load_with_text(name_or_path)?.0)
}

/// The same, with the text that it was read from.
///
/// # Errors
/// As [`load`].
pub fn load_with_text(name_or_path: &str) -> Result<(Catalogue, String), PresetError> {
    if !is_path(name_or_path) {
        return Ok((find(name_or_path)?, text_of(name_or_path)?.to_owned()));
    }
    let text = read_file(Path::new(name_or_path))
        .map_err(|reason| PresetError::Unreadable(name_or_path.to_owned(), reason))?;
    let catalogue = parse(&text).map_err(|error| PresetError::InFile(name_or_path.to_owned(), Box::new(error)))?;
    Ok((catalogue, text))
}

/// Reads a catalogue from TOML.
///
/// # Errors
/// [`PresetError::Bad`] with the line, the column and the reason.
pub fn parse(text: &str) -> Result<Catalogue, PresetError> {
    let catalogue: Catalogue =
        toml::from_str(text).map_err(|error| bad(text, error.span(), error.message().to_owned()))?;
    match catalogue.validate() {
        Ok(()) => Ok(catalogue),
        Err(flaw) => Err(bad(text, place_of(text, &flaw), flaw.to_string())),
    }
}

fn text_of(name: &str) -> Result<&'static str, PresetError> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| PresetError::Unknown(name.to_owned()))
}

fn is_path(text: &str) -> bool {
    text.contains('/') || text.ends_with(".toml")
}

fn read_file(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("it has {size} bytes, and a catalogue has at most {MAX_FILE_BYTES}"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

fn bad(text: &str, place: Option<Range<usize>>, reason: String) -> PresetError {
    let before = text.get(..place.map_or(0, |place| place.start)).unwrap_or_default();
    let in_line = before.rsplit('\n').next().unwrap_or_default();
    PresetError::Bad { line: before.matches('\n').count() + 1, column: in_line.chars().count() + 1, reason }
}

/// Where the entries of a catalogue stand in its text.
#[derive(Deserialize)]
struct Places {
    #[serde(default)]
    plans: Vec<Spanned<IgnoredAny>>,
    #[serde(default)]
    packs: Vec<Spanned<IgnoredAny>>,
    #[serde(default)]
    rates: Vec<Spanned<IgnoredAny>>,
}

fn place_of(text: &str, flaw: &CatalogueFlaw) -> Option<Range<usize>> {
    let (section, place) = flaw.entry?;
    let places: Places = toml::from_str(text).ok()?;
    let entries = match section {
        Section::Plans => places.plans,
        Section::Packs => places.packs,
        Section::Rates => places.rates,
    };
    entries.get(place).map(Spanned::span)
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
    fn a_bad_file_is_refused_with_line_column_and_reason() {
        let creator = include_str!("creator.toml");
        for (old, new, expected) in [
            ("signup_credits", "signup_credit", "line 4, column 1: unknown field `signup_credit`"),
            ("signup_credits = 60", "signup_credits = -60", "line 4, column 18: "),
            ("signup_credits = 60", "signup_credits = 60 credits", "line 4, column 18: "),
            ("month_cents = 1500", "month_cents = 15.5", "line 16, column 15: "),
            ("unit = \"image\"", "unit = \"picture\"", "line 45, column 8: unknown variant `picture`"),
            ("cost = 5", "cost = 0", "line 42, column 1: rate `text-to-image`: a cost has to be above zero"),
            ("id = \"basic\"", "id = \"free\"", "line 11, column 1: `plan free` stands there twice"),
            (
                "year_cents = 21000",
                "year_cents = 0",
                "line 11, column 1: plan `basic`: it costs something by the month",
            ),
            ("month_cents = 2900", "month_cents = 1400", "line 19, column 1: plan `premium`: plans stand from the"),
            ("credits = 500\n", "credits = 0\n", "line 32, column 1: pack `pack-500`: it has to hold credits"),
        ] {
            assert!(creator.contains(old), "{old}");
            let said = parse(&creator.replacen(old, new, 1)).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{new}: {said}");
        }
    }

    #[test]
    fn a_name_that_is_no_preset_and_no_path_is_refused_with_the_names() {
        let said = load("creators").unwrap_err().to_string();
        assert!(said.contains("no preset `creators`; there are creator, subscription, dual, api, mvp"), "{said}");
        assert!(load("./missing.toml").unwrap_err().to_string().starts_with("./missing.toml cannot be read: "));
    }

    #[test]
    fn what_a_catalogue_is_written_as_reads_as_the_same_catalogue() {
        for name in NAMES {
            let catalogue = find(name).unwrap();
            assert_eq!(parse(&toml::to_string(&catalogue).unwrap()).unwrap(), catalogue, "{name}");
        }
    }
}
