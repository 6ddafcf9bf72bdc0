//! `meta.properties`: which cluster and which node a log folder belongs to. Without it a disk put
//! into the wrong machine would be served, or overwritten.
//!
//! ```text
//! version=1
//! cluster.id=4L6g3nShT-eMCtK--X86sw
//! node.id=1
//! directory.id=BKUzBxyARvaTp7DcLx-2dQ   URL-safe base64; names the folder in the metadata log
//! ```
//!
//! Java's properties syntax: lines in any order, `#` and `!` begin comments, `\` escapes (`\t \n \r
//! \f \uXXXX`, else the letter behind it). Keys that are not named here are kept out. Source: KIP-631, the directory id KIP-858.

use std::str::Chars;

use codec::Uuid;
use thiserror::Error;

use crate::types::BrokerId;

/// The file's name in a log folder.
pub const FILE: &str = "meta.properties";

const VERSION: &str = "1";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// A cluster's identity is any text; Kafka's own tools make it of 16 bytes.
    pub cluster_id: String,
    pub node_id: BrokerId,
    /// Absent in folders that were formatted before Kafka 3.7.
    pub directory_id: Option<Uuid>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetaPropertiesError {
    #[error("the file is not UTF-8 text")]
    Text,
    #[error("version '{found}' is not {VERSION}")]
    Version { found: String },
    #[error("{key} was not found")]
    Missing { key: &'static str },
    #[error("'{found}' is no value for {key}")]
    Value { key: &'static str, found: String },
}

impl MetaProperties {
    pub fn encode(&self) -> Vec<u8> {
        let cluster_id = escaped(&self.cluster_id);
        let node_id = self.node_id;
        let mut text = format!("version={VERSION}\ncluster.id={cluster_id}\nnode.id={node_id}\n");
        if let Some(directory_id) = self.directory_id {
            text.push_str(&format!("directory.id={directory_id}\n"));
        }
        text.into_bytes()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, MetaPropertiesError> {
        let text = std::str::from_utf8(bytes).map_err(|_not_utf8| MetaPropertiesError::Text)?;
        // As Java reads it, a carriage return ends a line too.
        let lines = text.split(['\n', '\r']);
        let entries: Vec<(String, String)> = lines.filter_map(property).collect();
        // The last line of a key counts, as in Java.
        let find = |key: &'static str| {
            let found = entries.iter().rev().find(|entry| entry.0 == key);
            found.map(|entry| entry.1.as_str())
        };
        let require = |key| find(key).ok_or(MetaPropertiesError::Missing { key });
        let version = require("version")?;
        if version != VERSION {
            return Err(MetaPropertiesError::Version { found: version.to_owned() });
        }
        let bad = |key, found: &str| MetaPropertiesError::Value { key, found: found.to_owned() };
        let node = require("node.id")?;
        let node_id = node.parse().ok().and_then(BrokerId::from_wire);
        let directory_id = match find("directory.id") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| bad("directory.id", text))?),
        };
        Ok(Self {
            cluster_id: require("cluster.id")?.to_owned(),
            node_id: node_id.ok_or_else(|| bad("node.id", node))?,
            directory_id,
        })
    }
}

/// Key and value of a line; `None` for comments and blank lines.
fn property(line: &str) -> Option<(String, String)> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with(['#', '!']) {
        return None;
    }
    let mut key = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => key.extend(escape(&mut letters)),
            '=' | ':' => break,
            _ => key.push(letter),
        }
    }
    let value = unescaped(letters.as_str().trim_start());
    Some((key.trim_end().to_owned(), value))
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\\' { out.extend(escape(&mut letters)) } else { out.push(letter) }
    }
    out
}

/// What stands behind a backslash.
fn escape(letters: &mut Chars<'_>) -> Option<char> {
    match letters.next()? {
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        'f' => Some('\u{c}'),
        'u' => {
            let (digits, rest) = letters.as_str().split_at_checked(4)?;
            *letters = rest.chars();
            u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
        }
        plain => Some(plain),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', letter]),
            space if space.is_whitespace() => out.extend(['\\', space]),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> MetaProperties {
        MetaProperties {
            cluster_id: "4L6g3nShT-eMCtK--X86sw".into(),
            node_id: BrokerId::new(1).unwrap(),
            directory_id: Some(Uuid([0xff; 16])),
        }
    }

    #[test]
    fn the_text_is_kafkas() {
        let text = "version=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\nnode.id=1\n\
                    directory.id=_____________________w\n";
        assert_eq!(String::from_utf8(sample().encode()).unwrap(), text);
        assert_eq!(MetaProperties::decode(text.as_bytes()).unwrap(), sample());
    }

    #[test]
    fn a_file_that_kafkas_tool_formatted_is_read() {
        let text = "#\n#Sat Nov 21 16:00:00 UTC 2026\ncluster.id=4L6g3nShT-eMCtK--X86sw\n\
                    directory.id=_____________________w\nnode.id=1\nversion=1\n";
        assert_eq!(MetaProperties::decode(text.as_bytes()).unwrap(), sample());
    }

    #[test]
    fn a_foreign_file_is_refused() {
        use MetaPropertiesError::{Missing, Value, Version};
        let decode = |text: &str| MetaProperties::decode(text.as_bytes()).unwrap_err();
        assert_eq!(decode(""), Missing { key: "version" });
        assert_eq!(decode("version=0\nbroker.id=1\n"), Version { found: "0".into() });
        assert_eq!(decode("version=1\nnode.id=1\n"), Missing { key: "cluster.id" });
        let negative = decode("version=1\ncluster.id=x\nnode.id=-1\n");
        assert_eq!(negative, Value { key: "node.id", found: "-1".into() });
        let directory = decode("version=1\ncluster.id=x\nnode.id=1\ndirectory.id=?\n");
        assert_eq!(directory, Value { key: "directory.id", found: "?".into() });
    }

    #[test]
    fn a_file_that_was_edited_elsewhere_is_read_as_java_reads_it() {
        let text = "version:1\r\nnode.id = 1\r\ncluster.id=\\ a\\u0062\\tc\r\n";
        let read = MetaProperties::decode(text.as_bytes()).unwrap();
        assert_eq!(read.cluster_id, " ab\tc");
        let cluster_id = "\t a\r\u{85}\n=\\".to_owned();
        let odd = MetaProperties { cluster_id, ..sample() };
        assert_eq!(MetaProperties::decode(&odd.encode()).unwrap(), odd);
    }

    proptest! {
        #[test]
        fn whatever_the_cluster_is_called_comes_back(cluster_id: String, id: [u8; 16]) {
            let properties = MetaProperties { cluster_id, directory_id: Some(Uuid(id)), ..sample() };
            prop_assert_eq!(MetaProperties::decode(&properties.encode()).unwrap(), properties);
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = MetaProperties::decode(&bytes);
        }
    }
}
