//! Points and spans of time as people write them (ISO 8601), and back.

use crate::exit::Failure;

const MILLIS_PER_SECOND: i64 = 1000;
const MILLIS_PER_MINUTE: i64 = 60 * MILLIS_PER_SECOND;
const MILLIS_PER_HOUR: i64 = 60 * MILLIS_PER_MINUTE;
const MILLIS_PER_DAY: i64 = 24 * MILLIS_PER_HOUR;

/// Milliseconds since 1970 of `YYYY-MM-DDThh:mm[:ss[.sss]]`, with `Z` or an offset such as
/// `+02:00` behind it; without one it is UTC.
pub fn instant(text: &str) -> Result<i64, Failure> {
    parse_instant(text).ok_or_else(|| {
        Failure::usage(format!(
            "{text:?} is not a point in time; write it as 2026-07-28T14:30:00.000, with Z or \
             +02:00 behind it where it is not UTC"
        ))
    })
}

fn parse_instant(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (number(date.next()?)?, number(date.next()?)?, number(date.next()?)?);
    if !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day) {
        return None;
    }
    let (clock, zone) = match clock.find(['Z', '+', '-']) {
        Some(at) => (clock.get(..at)?, zone(clock.get(at..)?)?),
        None => (clock, 0),
    };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let (second, millis) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (number(seconds)?, 0),
            Some((seconds, fraction)) => (number(seconds)?, thousandths(fraction)?),
        },
    };
    if !(hour < 24 && minute < 60 && second < 60) {
        return None;
    }
    let of_day = hour * MILLIS_PER_HOUR + minute * MILLIS_PER_MINUTE;
    let of_day = of_day + second * MILLIS_PER_SECOND + millis;
    Some(days_since_1970(year, month, day) * MILLIS_PER_DAY + of_day - zone)
}

/// Milliseconds that a zone is ahead of UTC.
fn zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, digits) = match text.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, text.strip_prefix('-')?),
    };
    let digits = digits.replace(':', "");
    let hours = number(digits.get(..2)?)?;
    let minutes = if digits.len() == 2 { 0 } else { number(digits.get(2..)?)? };
    (digits.len() <= 4 && hours < 19 && minutes < 60)
        .then(|| sign * (hours * MILLIS_PER_HOUR + minutes * MILLIS_PER_MINUTE))
}

/// Milliseconds of `PnDTnHnMnS`.
pub fn span(text: &str) -> Result<i64, Failure> {
    parse_span(text).ok_or_else(|| {
        Failure::usage(format!("{text:?} is not a duration; write it as P1DT2H30M15S or PT10M"))
    })
}

fn parse_span(text: &str) -> Option<i64> {
    let rest = text.to_uppercase();
    let rest = rest.strip_prefix('P')?;
    let (days, clock) = match rest.split_once('T') {
        Some((days, clock)) if !clock.is_empty() => (days, clock),
        Some(_) => return None,
        None => (rest, ""),
    };
    let mut total: i64 = 0;
    if !days.is_empty() {
        total = number(days.strip_suffix('D')?)?.checked_mul(MILLIS_PER_DAY)?;
    }
    let mut rest = clock;
    for (unit, millis) in
        [('H', MILLIS_PER_HOUR), ('M', MILLIS_PER_MINUTE), ('S', MILLIS_PER_SECOND)]
    {
        let Some((amount, further)) = rest.split_once(unit) else { continue };
        let amount = match amount.split_once('.') {
            Some((whole, fraction)) if unit == 'S' => {
                number(whole)?.checked_mul(millis)?.checked_add(thousandths(fraction)?)?
            }
            Some(_) => return None,
            None => number(amount)?.checked_mul(millis)?,
        };
        total = total.checked_add(amount)?;
        rest = further;
    }
    (rest.is_empty() && !(days.is_empty() && clock.is_empty())).then_some(total)
}

/// `YYYY-MM-DDThh:mm:ss.sssZ`.
pub fn readable(millis: i64) -> String {
    let (days, of_day) = (millis.div_euclid(MILLIS_PER_DAY), millis.rem_euclid(MILLIS_PER_DAY));
    let (year, month, day) = date_of(days);
    let (hour, minute) = (of_day / MILLIS_PER_HOUR, of_day / MILLIS_PER_MINUTE % 60);
    let (second, millis) = (of_day / MILLIS_PER_SECOND % 60, of_day % MILLIS_PER_SECOND);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn number(text: &str) -> Option<i64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Nine digits leave room to multiply by the milliseconds of a day.
    if is_plain && text.len() <= 9 { text.parse().ok() } else { None }
}

/// The first three digits after the point.
fn thousandths(fraction: &str) -> Option<i64> {
    number(fraction)?;
    let padded = format!("{fraction:0<3}");
    number(padded.get(..3)?)
}

const fn is_leap_year(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The Gregorian calendar repeats every 400 years of 146,097 days. Counting years from March puts
/// the leap day last, so that the months before it have fixed lengths.
const DAYS_PER_ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970
}

const fn date_of(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970 + DAYS_TO_1970;
    let (era, of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_and_without_a_zone() {
        assert_eq!(parse_instant("1970-01-01T00:00:00.000"), Some(0));
        assert_eq!(parse_instant("2026-11-21T17:20:50.887Z"), Some(1_795_281_650_887));
        assert_eq!(parse_instant("2026-11-21T19:20:50.887+02:00"), Some(1_795_281_650_887));
        assert_eq!(parse_instant("2024-02-29T12:00"), Some(1_709_208_000_000));
        for wrong in
            ["2026-11-21", "2026-02-29T00:00:00", "2026-13-01T00:00", "T", "2026-1-1T25:00"]
        {
            assert_eq!(parse_instant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for millis in [0, 1, -1, 951_782_400_000, 1_795_281_650_887, 253_402_300_799_999] {
            assert_eq!(parse_instant(&readable(millis)), Some(millis), "{}", readable(millis));
        }
    }

    #[test]
    fn spans_are_days_hours_minutes_and_seconds() {
        assert_eq!(parse_span("P1DT2H3M4.5S"), Some(93_784_500));
        assert_eq!(parse_span("PT10M"), Some(600_000));
        assert_eq!(parse_span("P2D"), Some(172_800_000));
        for wrong in ["", "P", "PT", "10M", "PT10", "PT1M1H", "P1H"] {
            assert_eq!(parse_span(wrong), None, "{wrong}");
        }
    }
}
