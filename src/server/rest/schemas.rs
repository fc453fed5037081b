//! How the core's types look in the interface's description. The core knows nothing of HTTP, so their schemas stand
//! here; the limits are the core's own constants.

use crate::domain::account::HoldStatus;
use crate::domain::billing::SubscriptionStatus;
use crate::domain::catalogue::Interval;
use crate::domain::credits::MAX_CREDITS;
use crate::domain::identity::Role;
use crate::domain::journal::Cause;
use crate::domain::metadata::Metadata;
use crate::domain::operation::Source;
use crate::domain::rates::Unit;
use crate::domain::{Credits, FeatureId, OrderId, PlanId, TransactionType, UserId};
use std::borrow::Cow;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Credits that have to change something: at least one.
#[derive(Debug)]
pub struct Amount;

/// A moment in RFC 3339.
#[derive(Debug)]
pub struct Moment;

/// One line of words that a person reads in the history.
#[derive(Debug)]
pub struct Words;

macro_rules! schemas {
    ($($type:ty as $name:literal: $schema:expr;)+) => {
        $(
            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    RefOr::T(Schema::Object($schema.build()))
                }
            }

            impl ToSchema for $type {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed($name)
                }
            }
        )+
    };
}

schemas! {
    Credits as "Credits": integer(0, MAX_CREDITS).description(Some("Whole credits, never negative."));
    Amount as "Amount": integer(1, MAX_CREDITS).description(Some("Whole credits, at least one."));
    Moment as "Moment": text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("A moment in RFC 3339; answers are in UTC."));
    Words as "Words": text().min_length(Some(1)).max_length(Some(super::credits::MAX_WORDS)).pattern(Some(ONE_LINE))
        .description(Some("One line of words."));
    FeatureId as "FeatureId": name(FeatureId::MAX_LENGTH, "A feature, by its name in lower case.")
        .examples(["text-to-image"]);
    PlanId as "PlanId": name(PlanId::MAX_LENGTH, "A plan or a pack, by its name in lower case.").examples(["basic"]);
    UserId as "AccountId": name(UserId::MAX_LENGTH, "An account, by its opaque id.");
    Metadata as "Metadata": ObjectBuilder::new().schema_type(Type::Object).max_properties(Some(Metadata::MAX_ENTRIES))
        .description(Some(format!("What the caller wants to find again; at most {} bytes as JSON.", Metadata::MAX_BYTES)));
    TransactionType as "TransactionType": one_of("What kind of movement it is.", &TransactionType::ALL.map(TransactionType::as_str));
    Cause as "Cause": one_of("Which operation made the row.", &Cause::ALL.map(Cause::as_str));
    Source as "Source": one_of("Where a grant came from.", &Source::ALL.map(Source::as_str));
    HoldStatus as "HoldStatus": one_of("How a hold stands.", &HOLD_STATUSES.map(HoldStatus::as_str));
    Role as "Role": one_of("What someone may do.", &[Role::User, Role::Admin].map(Role::as_str));
    Unit as "Unit": one_of("What a feature is counted in.", &UNITS.map(Unit::word));
    OrderId as "OrderId": name(OrderId::MAX_LENGTH, "A purchase, by its opaque id.");
    SubscriptionStatus as "SubscriptionStatus": one_of("How a subscription stands.", &SubscriptionStatus::ALL.map(SubscriptionStatus::as_str));
    Interval as "Interval": one_of("How often a plan is paid.", &[Interval::Month, Interval::Year].map(Interval::as_str));
}

const HOLD_STATUSES: [HoldStatus; 4] =
    [HoldStatus::Pending, HoldStatus::Captured, HoldStatus::Released, HoldStatus::Expired];
const UNITS: [Unit; 4] = [Unit::Image, Unit::Second, Unit::Message, Unit::Call];

/// No control characters, and not only blanks.
const ONE_LINE: &str = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$";

fn integer(minimum: i64, maximum: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(minimum))
        .maximum(Some(maximum))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn name(max_length: usize, words: &str) -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(max_length)).pattern(Some("^[a-z0-9-]+$")).description(Some(words))
}

fn one_of(words: &str, names: &[&'static str]) -> ObjectBuilder {
    text().enum_values(Some(names.iter().copied())).description(Some(words))
}
