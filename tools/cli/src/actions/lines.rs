//! Lines of text as records: where the key ends, where headers stand, what means null.

use bytes::{Bytes, BytesMut};
use client::batch::{Header, Record};

/// How a line is cut into a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFormat {
    pub parse_key: bool,
    pub key_separator: String,
    pub parse_headers: bool,
    /// Between the headers and what follows.
    pub headers_delimiter: String,
    /// Between two headers.
    pub headers_separator: String,
    pub headers_key_separator: String,
    /// A key, value or header value of this text is null.
    pub null_marker: Option<String>,
    /// A line without a separator is a value without a key, and not an error.
    pub ignore_errors: bool,
}

impl Default for LineFormat {
    fn default() -> Self {
        Self {
            parse_key: false,
            key_separator: "\t".to_owned(),
            parse_headers: false,
            headers_delimiter: "\t".to_owned(),
            headers_separator: ",".to_owned(),
            headers_key_separator: ":".to_owned(),
            null_marker: None,
            ignore_errors: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("no {what} separator found on line number {line}: '{text}'")]
    NoSeparator { what: &'static str, line: u64, text: String },
    #[error("no header key separator found in pair '{pair}' on line number {line}")]
    NoHeaderKey { line: u64, pair: String },
    #[error("line number {line} has a header without a name")]
    NullHeaderKey { line: u64 },
}

impl LineFormat {
    /// The record of a line; its timestamp is for the caller to set.
    pub fn record(&self, line: &[u8], number: u64) -> Result<Record, LineError> {
        let mut rest = line;
        let mut headers = Vec::new();
        if self.parse_headers {
            let text = self.take(&mut rest, &self.headers_delimiter, "headers", number)?;
            if let Some(text) = text.filter(|text| !self.is_null(text)) {
                headers = self.headers(text, number)?;
            }
        }
        let mut key = None;
        if self.parse_key {
            let text = self.take(&mut rest, &self.key_separator, "key", number)?;
            key = text.and_then(|text| self.nullable(text));
        }
        Ok(Record { key, value: self.nullable(rest), headers, ..Record::default() })
    }

    /// What stands before a separator, and moves `rest` behind it.
    fn take<'a>(
        &self,
        rest: &mut &'a [u8],
        separator: &str,
        what: &'static str,
        line: u64,
    ) -> Result<Option<&'a [u8]>, LineError> {
        match split(rest, separator.as_bytes()) {
            Some((front, back)) => {
                *rest = back;
                Ok(Some(front))
            }
            None if self.ignore_errors => Ok(None),
            None => {
                let text = String::from_utf8_lossy(rest).into_owned();
                Err(LineError::NoSeparator { what, line, text })
            }
        }
    }

    fn headers(&self, text: &[u8], line: u64) -> Result<Vec<Header>, LineError> {
        let mut headers = Vec::new();
        let mut rest = Some(text);
        while let Some(left) = rest {
            let pair = match split(left, self.headers_separator.as_bytes()) {
                Some((pair, further)) => {
                    rest = Some(further);
                    pair
                }
                None => {
                    rest = None;
                    left
                }
            };
            let (key, value) = match split(pair, self.headers_key_separator.as_bytes()) {
                Some((key, value)) => (key, self.nullable(value)),
                None if self.ignore_errors => (pair, None),
                None => {
                    let pair = String::from_utf8_lossy(pair).into_owned();
                    return Err(LineError::NoHeaderKey { line, pair });
                }
            };
            if self.is_null(key) {
                return Err(LineError::NullHeaderKey { line });
            }
            headers.push(Header { key: String::from_utf8_lossy(key).into_owned(), value });
        }
        Ok(headers)
    }

    fn is_null(&self, text: &[u8]) -> bool {
        self.null_marker.as_ref().is_some_and(|marker| marker.as_bytes() == text)
    }

    fn nullable(&self, text: &[u8]) -> Option<Bytes> {
        if self.is_null(text) { None } else { Some(Bytes::copy_from_slice(text)) }
    }
}

/// The text before the first separator and the text after it.
fn split<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    if separator.is_empty() {
        return None;
    }
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    let (front, rest) = text.split_at_checked(at)?;
    Some((front, rest.get(separator.len()..)?))
}

/// Cuts what arrives piece by piece into lines. A carriage return before the line feed belongs to
/// the line's end.
#[derive(Debug, Default)]
pub struct LineSplitter {
    pending: BytesMut,
    /// Bytes at the front of `pending` that hold no line feed.
    searched: usize,
}

impl LineSplitter {
    pub fn push(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }

    /// The next whole line, without its end.
    pub fn next_line(&mut self) -> Option<Bytes> {
        let unsearched = self.pending.get(self.searched..)?;
        let Some(at) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.pending.len();
            return None;
        };
        let line = self.pending.split_to(self.searched.strict_add(at).strict_add(1)).freeze();
        self.searched = 0;
        let end = line.len().strict_sub(1);
        Some(trim_return(line.slice(..end)))
    }

    /// The last line, if nothing ended it.
    pub fn finish(&mut self) -> Option<Bytes> {
        self.searched = 0;
        let rest = self.pending.split().freeze();
        if rest.is_empty() { None } else { Some(trim_return(rest)) }
    }
}

fn trim_return(line: Bytes) -> Bytes {
    match line.strip_suffix(b"\r") {
        Some(trimmed) => line.slice(..trimmed.len()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Option<&Bytes>) -> Option<&str> {
        bytes.map(|bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_line_is_a_value() {
        let record = LineFormat::default().record(b"one\ttwo", 1).unwrap();
        assert_eq!((record.key, text(record.value.as_ref())), (None, Some("one\ttwo")));
    }

    #[test]
    fn a_key_ends_at_the_first_separator() {
        let format =
            LineFormat { parse_key: true, key_separator: "::".to_owned(), ..LineFormat::default() };
        let record = format.record(b"k::v::w", 1).unwrap();
        assert_eq!(text(record.key.as_ref()), Some("k"));
        assert_eq!(text(record.value.as_ref()), Some("v::w"));
        let error = format.record(b"k3", 3).unwrap_err();
        assert_eq!(error.to_string(), "no key separator found on line number 3: 'k3'");
    }

    #[test]
    fn headers_stand_before_the_key_and_null_has_a_marker() {
        let format = LineFormat {
            parse_key: true,
            parse_headers: true,
            null_marker: Some("NULL".to_owned()),
            ..LineFormat::default()
        };
        let record = format.record(b"a:1,b:NULL\tk\tNULL", 1).unwrap();
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|header| (header.key.as_str(), text(header.value.as_ref())))
            .collect();
        assert_eq!(headers, [("a", Some("1")), ("b", None)]);
        assert_eq!((text(record.key.as_ref()), record.value), (Some("k"), None));
        assert!(format.record(b"NULL\tk\tv", 1).unwrap().headers.is_empty());
        assert!(format.record(b"a\tk\tv", 1).is_err());
    }

    #[test]
    fn lines_are_found_across_pieces() {
        let mut splitter = LineSplitter::default();
        splitter.push(b"on");
        assert_eq!(splitter.next_line(), None);
        splitter.push(b"e\r\ntwo\n\nthr");
        let lines: Vec<_> = std::iter::from_fn(|| splitter.next_line()).collect();
        assert_eq!(lines, ["one", "two", ""]);
        splitter.push(b"ee");
        assert_eq!(splitter.next_line(), None);
        assert_eq!(splitter.finish().as_deref(), Some(b"three".as_slice()));
        assert_eq!(splitter.finish(), None);
    }
}
