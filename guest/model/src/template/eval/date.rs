//! `strftime_now`: a date in the C locale and in UTC.

use alloc::format;
use alloc::string::String;

use super::super::meter::Meter;
use super::super::value::Value;
use super::super::{Construct, Fault};

const DIRECTIVES: &str = "aAbBcdDeFHIjmMpSTuUwWxXyYzZ%hnRt";
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAY_S: i64 = 86_400;
/// Last second that is written with four digits of the year.
const LATEST_S: i64 = 253_402_300_799;

/// A point in time, taken apart.
struct Date {
    year: i64,
    /// From 0.
    month: usize,
    /// From 1.
    day: i64,
    day_of_year: i64,
    /// From Sunday, 0.
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

/// Checks that every directive of a format is known.
pub(in super::super) fn check(format: &str) -> Result<(), Fault> {
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            continue;
        }
        match characters.next() {
            Some('-') if characters.next().is_some_and(|kind| "dHIjmMSy".contains(kind)) => {}
            Some(kind) if DIRECTIVES.contains(kind) => {}
            kind => {
                let name = kind.map_or_else(|| "%".into(), |kind| format!("%{kind}"));
                return Err(Fault::Unknown { kind: Construct::Directive, name });
            }
        }
    }
    Ok(())
}

/// The date of `now_s`, seconds since 1970, by a format.
pub(super) fn strftime(format: &str, now_s: i64, meter: &Meter) -> Result<Value, Fault> {
    check(format)?;
    let date = Date::at(now_s);
    let mut out = meter.writer();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character.encode_utf8(&mut [0; 4]))?;
            continue;
        }
        match characters.next() {
            Some('-') => {
                let padded = characters.next().map(|kind| date.written(kind)).unwrap_or_default();
                let plain = padded.trim_start_matches('0');
                out.push(if plain.is_empty() { "0" } else { plain })?;
            }
            kind => out.push(&kind.map(|kind| date.written(kind)).unwrap_or_default())?,
        }
    }
    Ok(out.done())
}

impl Date {
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    fn at(now_s: i64) -> Self {
        let now_s = now_s.clamp(0, LATEST_S);
        let (days, seconds) = (now_s / DAY_S, now_s % DAY_S);
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let from_march = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * from_march + 2) / 153;
        let day = from_march - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12;
        let year = year_of_era + era * 400 + i64::from(month < 2);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let day_of_year = if month < 2 { from_march - 305 } else { from_march + 60 + i64::from(is_leap) };
        Self {
            year,
            month: usize::try_from(month).unwrap_or(0),
            day,
            day_of_year,
            weekday: usize::try_from((days + 4) % 7).unwrap_or(0),
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    fn weekday(&self) -> &'static str {
        DAYS.get(self.weekday).unwrap_or(&"")
    }

    fn month(&self) -> &'static str {
        MONTHS.get(self.month).unwrap_or(&"")
    }

    /// Weeks of the year, where `since` days have gone since the week began.
    fn week_from(&self, since: usize) -> i64 {
        (self.day_of_year + 6 - i64::try_from(since).unwrap_or(0)) / 7
    }

    fn written(&self, kind: char) -> String {
        let month = self.month + 1;
        match kind {
            'a' => self.weekday()[..3].into(),
            'A' => self.weekday().into(),
            'b' | 'h' => self.month()[..3].into(),
            'B' => self.month().into(),
            'd' => format!("{:02}", self.day),
            'e' => format!("{:2}", self.day),
            'j' => format!("{:03}", self.day_of_year),
            'm' => format!("{month:02}"),
            'y' => format!("{:02}", self.year % 100),
            'Y' => format!("{}", self.year),
            'D' | 'x' => format!("{month:02}/{:02}/{:02}", self.day, self.year % 100),
            'F' => format!("{}-{month:02}-{:02}", self.year, self.day),
            'u' => format!("{}", if self.weekday == 0 { 7 } else { self.weekday }),
            'w' => format!("{}", self.weekday),
            'U' => format!("{:02}", self.week_from(self.weekday)),
            'W' => format!("{:02}", self.week_from((self.weekday + 6) % 7)),
            'c' => format!(
                "{} {} {:2} {} {}",
                self.written('a'),
                self.written('b'),
                self.day,
                self.written('T'),
                self.year
            ),
            '%' => "%".into(),
            'n' => "\n".into(),
            't' => "\t".into(),
            _ => self.time(kind),
        }
    }

    fn time(&self, kind: char) -> String {
        let hour = (self.hour + 11) % 12 + 1;
        match kind {
            'H' => format!("{:02}", self.hour),
            'I' => format!("{hour:02}"),
            'M' => format!("{:02}", self.minute),
            'S' => format!("{:02}", self.second),
            'p' => if self.hour < 12 { "AM" } else { "PM" }.into(),
            'R' => format!("{:02}:{:02}", self.hour, self.minute),
            'T' | 'X' => format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second),
            // A date without a zone has none of these.
            _ => String::new(),
        }
    }
}
