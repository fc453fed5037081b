//! Moments: milliseconds since 1970 in UTC, and the calendar arithmetic of billing months. No clock:
//! whoever asks passes the moment in.

use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Month, OffsetDateTime};

/// A moment in milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

const DAY: &[BorrowedFormatItem<'static>] = format_description!("[day padding:none] [month repr:short] [year]");
const MINUTE: &[BorrowedFormatItem<'static>] =
    format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute]");

impl Timestamp {
    /// From the stored form.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The stored form.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This moment and `seconds` more (or less, where negative); stops at the ends of the range.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000)))
    }

    /// Whole seconds from `earlier` to this moment, rounded down.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).div_euclid(1_000)
    }

    /// The same day of the month and time of day, `months` later; where that month is shorter, its last
    /// day. Always counted from the anchor, so that the 31st comes back after a February.
    pub fn plus_months(self, months: u32) -> Self {
        let Some(anchor) = self.to_calendar() else { return self };
        let month_index = i64::from(u8::from(anchor.month())) - 1 + i64::from(months);
        let year = anchor.year() + i32::try_from(month_index / 12).unwrap_or(i32::MAX / 2);
        let Ok(month) = Month::try_from(u8::try_from(month_index % 12 + 1).unwrap_or(1)) else { return self };
        let day = anchor.day().min(month.length(year));
        match time::Date::from_calendar_date(year, month, day) {
            Ok(date) => {
                let shifted = anchor.replace_date(date);
                Self(shifted.unix_timestamp() * 1_000 + i64::from(shifted.millisecond()))
            }
            // Past the year 9999 there is no calendar; such a moment never comes.
            Err(_) => Self(i64::MAX),
        }
    }

    /// RFC 3339 in UTC, for machines and `<time datetime>`.
    pub fn to_rfc3339(self) -> String {
        self.to_calendar().and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
    }

    /// Takes a moment from outside, in RFC 3339 with any offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self)
    }

    /// `21 Nov 2026`.
    pub fn to_day(self) -> String {
        self.to_calendar().and_then(|moment| moment.format(DAY).ok()).unwrap_or_default()
    }

    /// `21 Nov 2026, 14:05` (UTC).
    pub fn to_minute(self) -> String {
        self.to_calendar().and_then(|moment| moment.format(MINUTE).ok()).unwrap_or_default()
    }

    fn to_calendar(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_month_after_the_31st_is_the_last_day_and_the_31st_comes_back() {
        let anchor = moment("2027-01-31T10:00:00Z");
        assert_eq!(anchor.plus_months(1), moment("2027-02-28T10:00:00Z"));
        assert_eq!(anchor.plus_months(2), moment("2027-03-31T10:00:00Z"));
        assert_eq!(anchor.plus_months(13), moment("2028-02-29T10:00:00Z"));
        assert_eq!(anchor.plus_months(12), moment("2028-01-31T10:00:00Z"));
    }

    #[test]
    fn every_month_end_is_followed_by_a_later_moment_in_the_next_month() {
        for day in 1..=31 {
            let anchor = moment(&format!("2027-12-{day:02}T23:59:59.999Z"));
            for months in 0..48 {
                assert!(anchor.plus_months(months) < anchor.plus_months(months + 1));
            }
        }
    }

    #[test]
    fn a_moment_is_written_for_machines_and_for_people() {
        let moment = moment("2026-11-02T04:05:06Z");
        assert_eq!(moment.to_rfc3339(), "2026-11-02T04:05:06Z");
        assert_eq!(moment.to_day(), "2 Nov 2026");
        assert_eq!(moment.to_minute(), "2 Nov 2026, 04:05");
    }

    #[test]
    fn the_ends_of_the_range_do_not_panic() {
        for end in [Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX)] {
            let _ = (end.plus_months(1), end.to_day(), end.plus_seconds(i64::MAX));
        }
    }
}
