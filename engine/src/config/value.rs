//! A setting's text becomes a value of its key's kind, or an error in the words that Kafka's users
//! know: a broker must not start, nor a topic be created, with a number that means nothing.

use thiserror::Error;

use crate::config::key::{Key, Valid, ValueKind};

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Boolean(bool),
    /// Short, int and long alike; the range of the kind has been checked.
    Integer(i64),
    Real(f64),
    /// Strings, classes and passwords.
    Text(String),
    List(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    Invalid { key: String, value: String, reason: String },
    #[error("Configuration '{key}' {reason}.")]
    List { key: String, reason: String },
}

impl Value {
    /// The text as DescribeConfigs prints it.
    pub fn text(&self) -> String {
        match self {
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Real(value) => real(*value),
            Self::Text(value) => value.clone(),
            Self::List(values) => values.join(","),
        }
    }

    pub const fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Boolean(_) | Self::Real(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    pub const fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Integer(_) | Self::Real(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    pub const fn real(&self) -> Option<f64> {
        match self {
            Self::Real(value) => Some(*value),
            Self::Integer(_) | Self::Boolean(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    pub fn list(&self) -> Option<&[String]> {
        match self {
            Self::List(values) => Some(values),
            Self::Integer(_) | Self::Boolean(_) | Self::Real(_) | Self::Text(_) => None,
        }
    }
}

impl Key {
    /// Reads `text` as this key's kind and checks it.
    pub fn check(&self, text: &str) -> Result<Value, ValueError> {
        let value = self.read(text)?;
        self.validate(&value)?;
        Ok(value)
    }

    fn read(&self, text: &str) -> Result<Value, ValueError> {
        let trimmed = text.trim();
        match self.kind {
            ValueKind::Boolean => match trimmed.to_ascii_lowercase().as_str() {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                _ => Err(self.invalid(text, "Expected value to be either true or false")),
            },
            ValueKind::Short => self.number(text, i16::MIN.into(), i16::MAX.into(), "SHORT"),
            ValueKind::Int => self.number(text, i32::MIN.into(), i32::MAX.into(), "INT"),
            ValueKind::Long => self.number(text, i64::MIN, i64::MAX, "LONG"),
            ValueKind::Double => match trimmed.parse::<f64>() {
                Ok(value) => Ok(Value::Real(value)),
                Err(_) => Err(self.invalid(text, "Not a number of type DOUBLE")),
            },
            ValueKind::String | ValueKind::Class => Ok(Value::Text(trimmed.to_owned())),
            ValueKind::Password => Ok(Value::Text(text.to_owned())),
            ValueKind::List if trimmed.is_empty() => Ok(Value::List(Vec::new())),
            // Kafka takes an element that is there twice as one.
            ValueKind::List => {
                let mut elements: Vec<String> = Vec::new();
                for part in trimmed.split(',').map(str::trim) {
                    if !elements.iter().any(|element| element == part) {
                        elements.push(part.to_owned());
                    }
                }
                Ok(Value::List(elements))
            }
        }
    }

    fn number(&self, text: &str, min: i64, max: i64, kind: &str) -> Result<Value, ValueError> {
        match text.trim().parse::<i64>() {
            Ok(value) if min <= value && value <= max => Ok(Value::Integer(value)),
            Ok(_) | Err(_) => Err(self.invalid(text, &format!("Not a number of type {kind}"))),
        }
    }

    fn validate(&self, value: &Value) -> Result<(), ValueError> {
        match (&self.valid, value) {
            (Valid::Integers { min, max }, Value::Integer(number)) => {
                self.within(number, min.as_ref(), max.as_ref(), value)
            }
            (Valid::Reals { min, max }, Value::Real(number)) => {
                if number.is_nan() {
                    return Err(self.invalid(&value.text(), "Value must be a number"));
                }
                self.within(number, min.as_ref(), max.as_ref(), value)
            }
            (Valid::OneOf(choices), Value::Text(text)) => {
                self.one_of(choices.iter().any(|choice| choice == text), choices, text, "")
            }
            (Valid::OneOfAnyCase(choices), Value::Text(text)) => {
                let found = choices.iter().any(|choice| choice.eq_ignore_ascii_case(text));
                self.one_of(found, choices, text, "(case insensitive) ")
            }
            (Valid::List { choices, may_be_empty, .. }, Value::List(values)) => {
                self.elements(choices, *may_be_empty, values)
            }
            (Valid::NonEmpty, Value::Text(text)) if text.is_empty() => {
                Err(self.invalid(text, "String must be non-empty"))
            }
            (Valid::GzipLevel, Value::Integer(level)) if *level != -1 => {
                if (1..=9).contains(level) {
                    return Ok(());
                }
                Err(self.invalid(&value.text(), "Value must be between 1 and 9 or equal to -1"))
            }
            (Valid::ThrottledReplicas, Value::List(values)) if !throttled(values) => Err(self
                .invalid(
                    &format!("[{}]", values.join(", ")),
                    &format!(
                        "{} must be the literal '*' or a list of replicas in the following \
                         format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                        self.name
                    ),
                )),
            (Valid::ShareOffsetReset, Value::Text(text)) if !share_offset_reset(text) => Err(self
                .invalid(
                    text,
                    "must be one of latest, earliest, or by_duration:PnDTnHnMn.nS with a \
                     duration above zero",
                )),
            _ => Ok(()),
        }
    }

    fn within<T: PartialOrd + std::fmt::Display>(
        &self,
        number: &T,
        min: Option<&T>,
        max: Option<&T>,
        value: &Value,
    ) -> Result<(), ValueError> {
        if let Some(min) = min
            && number < min
        {
            return Err(self.invalid(&value.text(), &format!("Value must be at least {min}")));
        }
        if let Some(max) = max
            && number > max
        {
            return Err(self.invalid(&value.text(), &format!("Value must be no more than {max}")));
        }
        Ok(())
    }

    fn one_of(
        &self,
        found: bool,
        choices: &[&str],
        text: &str,
        how: &str,
    ) -> Result<(), ValueError> {
        if found {
            return Ok(());
        }
        let choices = choices.join(", ");
        Err(self
            .invalid(text, &format!("String must be one of {how}: {choices}").replace(" :", ":")))
    }

    fn elements(
        &self,
        choices: &[&str],
        may_be_empty: bool,
        values: &[String],
    ) -> Result<(), ValueError> {
        let wrong = |reason: &str| {
            Err(ValueError::List { key: self.name.to_owned(), reason: reason.to_owned() })
        };
        if values.is_empty() && !may_be_empty {
            return wrong("must not be empty. Valid values include any non-empty list");
        }
        for value in values {
            if value.is_empty() {
                return wrong("values must not be empty");
            }
            self.one_of(
                choices.is_empty() || choices.contains(&value.as_str()),
                choices,
                value,
                "",
            )?;
        }
        Ok(())
    }

    pub(crate) fn invalid(&self, value: &str, reason: &str) -> ValueError {
        ValueError::Invalid {
            key: self.name.to_owned(),
            value: if self.sensitive() { "[hidden]".to_owned() } else { value.to_owned() },
            reason: reason.to_owned(),
        }
    }
}

fn throttled(values: &[String]) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pair = |value: &String| {
        value.split_once(':').is_some_and(|(partition, broker)| number(partition) && number(broker))
    };
    matches!(values, [only] if only == "*") || values.iter().all(pair)
}

/// `latest`, `earliest`, or `by_duration:` and a positive ISO-8601 duration of days and time.
fn share_offset_reset(text: &str) -> bool {
    match text.split_once(':') {
        None => text.eq_ignore_ascii_case("latest") || text.eq_ignore_ascii_case("earliest"),
        Some((how, duration)) => {
            how.eq_ignore_ascii_case("by_duration") && positive_duration(duration)
        }
    }
}

fn positive_duration(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix('P') else { return false };
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return false,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    let mut total = 0.0;
    let mut parts = 0;
    for (part, units) in [(days, "D"), (time, "HMS")] {
        let mut units = units.chars();
        let mut number = String::new();
        for letter in part.chars() {
            if letter.is_ascii_digit() || letter == '.' && part == time {
                number.push(letter);
                continue;
            }
            if !units.any(|unit| unit == letter) || (number.contains('.') && letter != 'S') {
                return false;
            }
            let Ok(value) = number.parse::<f64>() else { return false };
            total += value;
            parts += 1;
            number.clear();
        }
        if !number.is_empty() {
            return false;
        }
    }
    parts > 0 && total > 0.0
}

/// A real number as Java prints it: always with a fraction, and with an exponent where it is very
/// large or very small.
fn real(value: f64) -> String {
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    let text = if plain { value.to_string() } else { format!("{value:E}") };
    let (digits, exponent) = text.split_once('E').unwrap_or((&text, ""));
    let fraction = if digits.contains('.') { "" } else { ".0" };
    let mark = if exponent.is_empty() { "" } else { "E" };
    format!("{digits}{fraction}{mark}{exponent}")
}

#[cfg(test)]
mod tests {
    use crate::config::key::{Keys, Scope};

    fn check(name: &str, text: &str) -> Result<String, String> {
        let key = Keys::all().find(Scope::Topic, name).unwrap();
        key.check(text).map(|value| value.text()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_segment_below_one_mebibyte_is_refused_in_kafkas_words() {
        assert_eq!(
            check("segment.bytes", "14").unwrap_err(),
            "Invalid value 14 for configuration segment.bytes: Value must be at least 1048576"
        );
        assert_eq!(check("segment.bytes", " 1048576 ").unwrap(), "1048576");
    }

    #[test]
    fn an_unknown_cleanup_policy_is_refused_and_a_list_of_both_is_taken() {
        assert_eq!(check("cleanup.policy", "compact, delete").unwrap(), "compact,delete");
        assert_eq!(check("cleanup.policy", "").unwrap(), "");
        assert!(check("cleanup.policy", "nonsense").unwrap_err().contains("compact, delete"));
        assert_eq!(check("cleanup.policy", "compact,compact").unwrap(), "compact");
        assert!(check("cleanup.policy", "compact,").is_err());
    }

    #[test]
    fn a_number_outside_its_kind_is_not_a_number() {
        assert!(check("max.message.bytes", "2147483648").unwrap_err().contains("type INT"));
        assert!(check("retention.ms", "1h").unwrap_err().contains("type LONG"));
        assert!(check("preallocate", "yes").unwrap_err().contains("true or false"));
        assert_eq!(check("preallocate", "TRUE").unwrap(), "true");
    }

    #[test]
    fn a_real_number_prints_as_java_prints_it() {
        for (value, text) in [(1e7, "1.0E7"), (f64::MAX, "1.7976931348623157E308"), (0.0, "0.0")] {
            assert_eq!(super::real(value), text);
        }
        assert_eq!(super::real(0.00015), "1.5E-4");
        assert_eq!(check("min.cleanable.dirty.ratio", "1").unwrap(), "1.0");
        assert_eq!(check("min.cleanable.dirty.ratio", ".25").unwrap(), "0.25");
        assert!(check("min.cleanable.dirty.ratio", "NaN").is_err());
    }

    #[test]
    fn throttled_replicas_are_pairs_or_a_star() {
        let key = "leader.replication.throttled.replicas";
        assert!(check(key, "*").is_ok());
        assert!(check(key, "0:1,1:2").is_ok());
        assert!(check(key, "").is_ok());
        assert!(check(key, "0:1,x").is_err());
    }

    #[test]
    fn a_share_group_starts_at_an_end_or_at_a_positive_duration() {
        let key = Keys::all().find(Scope::Group, "share.auto.offset.reset").unwrap();
        for good in ["latest", "earliest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S"] {
            assert!(key.check(good).is_ok(), "{good}");
        }
        for bad in
            ["", "none", "by_duration:", "by_duration:PT", "by_duration:PT0S", "by_duration:P1H"]
        {
            assert!(key.check(bad).is_err(), "{bad}");
        }
    }
}
