//! Java's properties syntax, because `server.properties` is written in it: comments, three
//! separators, continuation lines and escapes all occur in files that people have.
//!
//! ```text
//! # or ! first   comment
//! key=value  key:value  key value  key      whitespace around the separator does not count
//! …\             the line goes on with the next one's first letter that is not white
//! \t \n \r \f \uXXXX \x → x                 escapes, in keys and values
//! ```
//!
//! Text that is UTF-8 is read as UTF-8; anything else as Latin-1, which is what Java reads.

use thiserror::Error;

/// One assignment, with the number of the line (from 1) that it starts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub number: usize,
    pub key: String,
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PropertiesError {
    #[error("line {number}: \\u is not followed by four hexadecimal digits")]
    Escape { number: usize },
}

/// Every assignment in the file's order; a key may occur twice, and then the last one counts.
pub fn parse(bytes: &[u8]) -> Result<Vec<Line>, PropertiesError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let mut lines = Vec::new();
    let mut natural = natural_lines(&text).into_iter().enumerate().map(|(at, line)| (at + 1, line));
    while let Some((number, first)) = natural.next() {
        let first = first.trim_start_matches(white);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = first.to_owned();
        while goes_on(&whole) {
            whole.pop();
            match natural.next() {
                Some((_, next)) => whole.push_str(next.trim_start_matches(white)),
                None => break,
            }
        }
        if !whole.is_empty() {
            lines.push(assignment(number, &whole)?);
        }
    }
    Ok(lines)
}

const fn white(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\u{c}')
}

/// Lines end with a line feed, a carriage return, or both.
fn natural_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        lines.extend(line.strip_suffix('\r').unwrap_or(line).split('\r'));
    }
    lines
}

/// An odd number of backslashes at the end escapes the line's end.
fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn assignment(number: usize, line: &str) -> Result<Line, PropertiesError> {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, letter)| {
        let ends = !escaped && (white(*letter) || matches!(letter, '=' | ':'));
        escaped = !escaped && *letter == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.map_or(line.len(), |(at, _)| at));
    let rest = rest.trim_start_matches(white);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(white);
    Ok(Line { number, key: unescape(number, key)?, value: unescape(number, value)? })
}

fn unescape(number: usize, text: &str) -> Result<String, PropertiesError> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut letters = text.chars();
    let mut pair = [0; 2];
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            units.extend_from_slice(letter.encode_utf16(&mut pair));
            continue;
        }
        match letters.next() {
            Some('u') => {
                let mut unit = 0;
                for _ in 0..4 {
                    let digit = letters.next().and_then(|letter| letter.to_digit(16));
                    let digit = digit.and_then(|digit| u16::try_from(digit).ok());
                    unit = unit << 4 | digit.ok_or(PropertiesError::Escape { number })?;
                }
                units.push(unit);
            }
            Some('t') => units.push(u16::from(b'\t')),
            Some('n') => units.push(u16::from(b'\n')),
            Some('r') => units.push(u16::from(b'\r')),
            Some('f') => units.push(0xc),
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut pair)),
            None => {}
        }
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        let lines = parse(text.as_bytes()).unwrap();
        lines.into_iter().map(|line| (line.number, line.key, line.value)).collect()
    }

    fn one(text: &str) -> (String, String) {
        let (_, key, value) = pairs(text).pop().unwrap();
        (key, value)
    }

    #[test]
    fn three_separators_and_white_space_around_them_are_the_same() {
        for text in ["a=b", "a:b", "a b", "  a  =  b", "a\t:b", "a  b"] {
            assert_eq!(one(text), ("a".into(), "b".into()), "{text}");
        }
        assert_eq!(one("a==b"), ("a".into(), "=b".into()));
        assert_eq!(one("a"), ("a".into(), String::new()));
        assert_eq!(one("a= b "), ("a".into(), "b ".into()), "trailing space belongs to the value");
    }

    #[test]
    fn comments_and_empty_lines_keep_the_line_numbers() {
        let found = pairs("# one\n\n  ! two\na=1\r\nb=2\rc=3");
        let expected = [(4, "a", "1"), (5, "b", "2"), (6, "c", "3")];
        assert_eq!(found.len(), expected.len());
        for (found, (number, key, value)) in found.iter().zip(expected) {
            assert_eq!(found.2, value);
            assert_eq!(found.1, key);
            assert!(found.0 <= number);
        }
    }

    #[test]
    fn an_odd_backslash_at_the_end_continues_the_line() {
        assert_eq!(one("a=b,\\\n   c"), ("a".into(), "b,c".into()));
        assert_eq!(pairs("a=b\\\\\nc=d").len(), 2);
        assert_eq!(one("a=b\\"), ("a".into(), "b".into()));
        assert_eq!(pairs("a=1\\\n# not a comment\nb=2").len(), 2);
    }

    #[test]
    fn escapes_work_in_keys_and_values() {
        assert_eq!(one("a\\ b\\=c=d\\te"), ("a b=c".into(), "d\te".into()));
        assert_eq!(one("k=\\u00e4\\uD83D\\uDE00\\q"), ("k".into(), "ä😀q".into()));
        assert_eq!(parse(b"\nk=\\u00g0"), Err(PropertiesError::Escape { number: 2 }));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_latin1() {
        assert_eq!(parse(b"k=\xe4").unwrap()[0].value, "ä");
        assert_eq!(parse("k=ä".as_bytes()).unwrap()[0].value, "ä");
    }
}
