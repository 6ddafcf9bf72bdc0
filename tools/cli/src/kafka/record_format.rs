//! A consumed record as the console consumer writes it, with Kafka's own `print.*` properties.

use bytes::Buf;
use client::consumer::ConsumedRecord;

use crate::actions::properties::boolean;
use crate::exit::Failure;

/// How bytes become text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deserializer {
    #[default]
    Text,
    Short,
    Integer,
    Long,
    Float,
    Double,
}

impl Deserializer {
    /// By the name of Kafka's class, with or without its package.
    pub fn from_class(class: &str) -> Result<Self, Failure> {
        match class.strip_prefix("org.apache.kafka.common.serialization.").unwrap_or(class) {
            "StringDeserializer" | "ByteArrayDeserializer" => Ok(Self::Text),
            "ShortDeserializer" => Ok(Self::Short),
            "IntegerDeserializer" => Ok(Self::Integer),
            "LongDeserializer" => Ok(Self::Long),
            "FloatDeserializer" => Ok(Self::Float),
            "DoubleDeserializer" => Ok(Self::Double),
            _ => Err(Failure::usage(format!(
                "there is no deserializer {class}; known are the String, ByteArray, Short, \
                 Integer, Long, Float and Double ones of Kafka"
            ))),
        }
    }

    fn write(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut rest = bytes;
        let text = match self {
            Self::Text => {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            Self::Short => rest.try_get_i16().map(|number| number.to_string()),
            Self::Integer => rest.try_get_i32().map(|number| number.to_string()),
            Self::Long => rest.try_get_i64().map(|number| number.to_string()),
            Self::Float => {
                rest.try_get_f32().map(|number| as_java_writes(f64::from(number), number))
            }
            Self::Double => rest.try_get_f64().map(|number| as_java_writes(number, number)),
        };
        match text {
            Ok(text) if rest.is_empty() => {
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            _ => Err(Failure::failed(format!(
                "{} bytes are not a number of the kind that the deserializer reads",
                bytes.len()
            ))),
        }
    }
}

/// Java writes numbers from a thousandth to ten million plainly and all others with an exponent, always
/// with a digit behind the point. `value` has the size of the number, `number` its own digits.
fn as_java_writes<N: std::fmt::Debug + std::fmt::UpperExp>(value: f64, number: N) -> String {
    if value.is_infinite() {
        return if value < 0.0 { "-Infinity".to_owned() } else { "Infinity".to_owned() };
    }
    if value.is_nan() || value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// A number of Java's type `double`.
pub fn java_double(value: f64) -> String {
    as_java_writes(value, value)
}

/// What is written of a record, and between what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFormat {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null_literal: Vec<u8>,
    pub key_deserializer: Deserializer,
    pub value_deserializer: Deserializer,
    headers_deserializer: Deserializer,
}

impl Default for RecordFormat {
    fn default() -> Self {
        Self {
            timestamp: false,
            partition: false,
            offset: false,
            delivery: false,
            epoch: false,
            headers: false,
            key: false,
            value: true,
            key_separator: b"\t".to_vec(),
            line_separator: b"\n".to_vec(),
            headers_separator: b",".to_vec(),
            null_literal: b"null".to_vec(),
            key_deserializer: Deserializer::Text,
            value_deserializer: Deserializer::Text,
            headers_deserializer: Deserializer::Text,
        }
    }
}

impl RecordFormat {
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        match key {
            "print.timestamp" => self.timestamp = boolean(key, value)?,
            "print.partition" => self.partition = boolean(key, value)?,
            "print.offset" => self.offset = boolean(key, value)?,
            "print.delivery" => self.delivery = boolean(key, value)?,
            "print.epoch" => self.epoch = boolean(key, value)?,
            "print.headers" => self.headers = boolean(key, value)?,
            "print.key" => self.key = boolean(key, value)?,
            "print.value" => self.value = boolean(key, value)?,
            "key.separator" => self.key_separator = value.into(),
            "line.separator" => self.line_separator = value.into(),
            "headers.separator" => self.headers_separator = value.into(),
            "null.literal" => self.null_literal = value.into(),
            "key.deserializer" => self.key_deserializer = Deserializer::from_class(value)?,
            "value.deserializer" => self.value_deserializer = Deserializer::from_class(value)?,
            "headers.deserializer" | "header.deserializer" => {
                self.headers_deserializer = Deserializer::from_class(value)?;
            }
            _ => {
                return Err(Failure::usage(format!(
                    "the formatter has no property {key}; it has print.timestamp, print.key, \
                     print.offset, print.partition, print.headers, print.value, key.separator, \
                     line.separator, headers.separator, null.literal and the deserializers"
                )));
            }
        }
        Ok(())
    }

    pub fn write(&self, consumed: &ConsumedRecord, out: &mut Vec<u8>) -> Result<(), Failure> {
        let record = &consumed.record;
        let start = out.len();
        if self.timestamp {
            let text = match record.timestamp {
                -1 => "NO_TIMESTAMP".to_owned(),
                timestamp => format!("{}:{timestamp}", consumed.timestamp_type.name()),
            };
            self.field(start, text.as_bytes(), out);
        }
        if self.partition {
            let text = format!("Partition:{}", consumed.partition.partition);
            self.field(start, text.as_bytes(), out);
        }
        if self.offset {
            self.field(start, format!("Offset:{}", record.offset).as_bytes(), out);
        }
        if self.delivery {
            self.field(start, b"Delivery:NOT_PRESENT", out);
        }
        if self.epoch {
            // Kafka's tool does not pass the epoch on to its formatter.
            self.field(start, b"Epoch:NOT_PRESENT", out);
        }
        if self.headers {
            self.field(start, b"", out);
            if record.headers.is_empty() {
                out.extend_from_slice(b"NO_HEADERS");
            }
            for (index, header) in record.headers.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(&self.headers_separator);
                }
                out.extend_from_slice(header.key.as_bytes());
                out.push(b':');
                self.nullable(header.value.as_deref(), self.headers_deserializer, out)?;
            }
        }
        if self.key {
            self.field(start, b"", out);
            self.nullable(record.key.as_deref(), self.key_deserializer, out)?;
        }
        if self.value {
            self.field(start, b"", out);
            self.nullable(record.value.as_deref(), self.value_deserializer, out)?;
        }
        out.extend_from_slice(&self.line_separator);
        Ok(())
    }

    /// Text, with a separator before it if it is not the record's first.
    fn field(&self, start: usize, text: &[u8], out: &mut Vec<u8>) {
        if start < out.len() {
            out.extend_from_slice(&self.key_separator);
        }
        out.extend_from_slice(text);
    }

    fn nullable(
        &self,
        bytes: Option<&[u8]>,
        deserializer: Deserializer,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match bytes {
            None => {
                out.extend_from_slice(&self.null_literal);
                Ok(())
            }
            Some(bytes) => deserializer.write(bytes, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use client::batch::{Header, Record};
    use client::{TimestampType, TopicPartition};

    use super::*;

    fn written(properties: &[(&str, &str)], record: Record) -> String {
        written_of(properties, record, TimestampType::CreateTime)
    }

    fn written_of(
        properties: &[(&str, &str)],
        record: Record,
        timestamp_type: TimestampType,
    ) -> String {
        let mut format = RecordFormat::default();
        for (key, value) in properties {
            format.set(key, value).ok().unwrap();
        }
        let partition = TopicPartition::new("lab", 2);
        let consumed = ConsumedRecord { partition, record, timestamp_type, leader_epoch: Some(7) };
        let mut out = Vec::new();
        format.write(&consumed, &mut out).ok().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn record() -> Record {
        let header = |key: &str, value: &'static str| Header {
            key: key.to_owned(),
            value: Some(Bytes::from(value)),
        };
        Record {
            offset: 1,
            timestamp: 1_795_281_762_840,
            key: Some(Bytes::from("k1")),
            value: Some(Bytes::from("v1")),
            headers: vec![header("a", "1"), header("b", "2")],
        }
    }

    const ALL: [(&str, &str); 5] = [
        ("print.key", "true"),
        ("print.timestamp", "true"),
        ("print.headers", "true"),
        ("print.offset", "true"),
        ("print.partition", "true"),
    ];

    /// The expected lines are recorded from Kafka 4.3.1's own tool.
    #[test]
    fn a_record_is_written_as_kafka_writes_it() {
        assert_eq!(
            written(&ALL, record()),
            "CreateTime:1795281762840\tPartition:2\tOffset:1\ta:1,b:2\tk1\tv1\n"
        );
        let plain = Record { headers: Vec::new(), ..record() };
        assert_eq!(
            written(&ALL, plain),
            "CreateTime:1795281762840\tPartition:2\tOffset:1\tNO_HEADERS\tk1\tv1\n"
        );
        let appended = [("print.timestamp", "true")];
        assert_eq!(
            written_of(&appended, record(), TimestampType::LogAppendTime),
            "LogAppendTime:1795281762840\tv1\n"
        );
        let more = [
            ("print.key", "true"),
            ("print.epoch", "true"),
            ("print.delivery", "true"),
            ("print.value", "false"),
            ("key.separator", ":"),
        ];
        assert_eq!(written(&more, record()), "Delivery:NOT_PRESENT:Epoch:NOT_PRESENT:k1\n");
    }

    /// As `Double.toString` and `Float.toString` give them.
    #[test]
    fn numbers_with_a_point_are_written_as_java_writes_them() {
        for (number, text) in [
            (1.030_084_365_620_140_8e-71, "1.0300843656201408E-71"),
            (1e16, "1.0E16"),
            (1e7, "1.0E7"),
            (-9_999_999.0, "-9999999.0"),
            (0.001, "0.001"),
            (0.000_1, "1.0E-4"),
            (-0.0, "-0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(as_java_writes(number, number), text);
        }
        let float = 1.1e-5_f32;
        assert_eq!(as_java_writes(f64::from(float), float), "1.1E-5");
    }

    #[test]
    fn nulls_and_numbers_are_written_as_asked() {
        let record = Record {
            key: None,
            value: Some(Bytes::copy_from_slice(&7_i64.to_be_bytes())),
            ..Record::default()
        };
        let class = "org.apache.kafka.common.serialization.LongDeserializer";
        let properties =
            [("print.key", "true"), ("null.literal", "-"), ("value.deserializer", class)];
        assert_eq!(written(&properties, record), "-\t7\n");
    }
}
