//! Our own form of a schema: one line per message, one line per field, indented by depth.
//!
//! ```text
//! request ProduceRequest key=0 versions=3-13 flexible=9+ listeners=broker
//!   TransactionalId string 3+ nullable=3+ default=null
//!   TopicData []TopicProduceData 0+
//!     Name string 0-12 ignorable
//!   struct Shared 0+
//!     Index int32 0+
//! ```

use std::iter::Peekable;
use std::str::FromStr;

use thiserror::Error;

use crate::model::{ErrorCode, Field, Malformed, Schema, SharedStruct, Versions};

/// What stands before the first line of a table.
const PREFACE: &str = "\
# Facts of the public Kafka protocol, read from Apache Kafka's schemas by
# `cargo run -p corelog-codegen -- tables`; do not edit.
";

#[derive(Debug, Error)]
#[error("line {number}: {source}")]
pub struct TableError {
    pub number: usize,
    pub source: Malformed,
}

pub fn print(schemas: &[Schema]) -> String {
    let mut text = PREFACE.to_owned();
    for schema in schemas {
        text.push('\n');
        print_schema(&mut text, schema);
    }
    text
}

fn print_schema(text: &mut String, schema: &Schema) {
    let Schema { kind, name, versions, flexible, .. } = schema;
    text.push_str(&format!("{kind} {name}"));
    if let Some(key) = schema.api_key {
        text.push_str(&format!(" key={key}"));
    }
    text.push_str(&format!(" versions={versions} flexible={flexible}"));
    if !schema.listeners.is_empty() {
        text.push_str(&format!(" listeners={}", schema.listeners.join(",")));
    }
    text.push_str(if schema.latest_version_unstable { " unstable\n" } else { "\n" });
    print_fields(text, &schema.fields, 1);
    for shared in &schema.structs {
        text.push_str(&format!("  struct {} {}\n", shared.name, shared.versions));
        print_fields(text, &shared.fields, 2);
    }
}

fn print_fields(text: &mut String, fields: &[Field], depth: usize) {
    for field in fields {
        let mut line = format!("{} {} {}", field.name, field.of, field.versions);
        let mut attribute = |name: &str, value: String| {
            line.push_str(&format!(" {name}={value}"));
        };
        if !field.nullable.is_empty() {
            attribute("nullable", field.nullable.to_string());
        }
        if let Some(tag) = field.tag {
            attribute("tag", tag.to_string());
            attribute("tagged", field.tagged.to_string());
        }
        if let Some(default) = &field.default {
            attribute("default", default.clone());
        }
        if let Some(flexible) = field.flexible {
            attribute("flexible", flexible.to_string());
        }
        if field.ignorable {
            line.push_str(" ignorable");
        }
        text.push_str(&format!("{:indent$}{line}\n", "", indent = 2 * depth));
        print_fields(text, &field.fields, depth + 1);
    }
}

struct Line<'text> {
    number: usize,
    depth: usize,
    words: Vec<&'text str>,
}

impl<'text> Line<'text> {
    fn word(&self, place: usize, expected: &'static str) -> Result<&'text str, Malformed> {
        let found = self.words.get(place).copied();
        found.ok_or_else(|| Malformed::new(&self.words.join(" "), expected))
    }

    /// The value of `name=value`.
    fn attribute<T: FromStr<Err = Malformed>>(&self, name: &str) -> Result<Option<T>, Malformed> {
        self.attribute_text(name).map(T::from_str).transpose()
    }

    fn attribute_text(&self, name: &str) -> Option<&'text str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Malformed> {
        let parse = |text: &str| text.parse().map_err(|_| Malformed::new(text, "a number"));
        self.attribute_text(name).map(parse).transpose()
    }

    fn flag(&self, name: &str) -> bool {
        self.words.contains(&name)
    }
}

/// Reads a table back.
pub fn parse(text: &str) -> Result<Vec<Schema>, TableError> {
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let bare = line.trim_start();
        let words = bare.split_whitespace().collect::<Vec<_>>();
        let depth = (line.len() - bare.len()) / 2;
        let speaks = !bare.is_empty() && !bare.starts_with('#');
        speaks.then_some(Line { number: index + 1, depth, words })
    });
    let mut lines = lines.peekable();
    let mut schemas = Vec::new();
    while let Some(line) = lines.next() {
        let mut schema =
            schema(&line).map_err(|source| TableError { number: line.number, source })?;
        schema.fields = fields(&mut lines, 1)?;
        while let Some(head) = lines.next_if(|line| line.depth == 1) {
            let mut shared =
                shared(&head).map_err(|source| TableError { number: head.number, source })?;
            shared.fields = fields(&mut lines, 2)?;
            schema.structs.push(shared);
        }
        schemas.push(schema);
    }
    Ok(schemas)
}

fn schema(line: &Line<'_>) -> Result<Schema, Malformed> {
    let listeners = line.attribute_text("listeners").unwrap_or_default();
    let listed = listeners.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
    Ok(Schema {
        kind: line.word(0, "the line of a schema")?.parse()?,
        name: line.word(1, "the line of a schema")?.to_owned(),
        api_key: line.number("key")?,
        versions: line.attribute("versions")?.unwrap_or(Versions::NONE),
        flexible: line.attribute("flexible")?.unwrap_or(Versions::NONE),
        listeners: listed.collect(),
        latest_version_unstable: line.flag("unstable"),
        fields: Vec::new(),
        structs: Vec::new(),
    })
}

fn shared(line: &Line<'_>) -> Result<SharedStruct, Malformed> {
    if line.word(0, "the line of a struct")? != "struct" {
        return Err(Malformed::new(&line.words.join(" "), "the line of a struct"));
    }
    Ok(SharedStruct {
        name: line.word(1, "the line of a struct")?.to_owned(),
        versions: line.word(2, "the line of a struct")?.parse()?,
        fields: Vec::new(),
    })
}

fn fields<'text>(
    lines: &mut Peekable<impl Iterator<Item = Line<'text>>>,
    depth: usize,
) -> Result<Vec<Field>, TableError> {
    let mut found = Vec::new();
    let is_ours = |line: &Line<'_>| {
        line.depth == depth && !(depth == 1 && line.words.first() == Some(&"struct"))
    };
    while let Some(line) = lines.next_if(is_ours) {
        let mut field =
            field(&line).map_err(|source| TableError { number: line.number, source })?;
        field.fields = fields(lines, depth + 1)?;
        found.push(field);
    }
    Ok(found)
}

fn field(line: &Line<'_>) -> Result<Field, Malformed> {
    Ok(Field {
        name: line.word(0, "the line of a field")?.to_owned(),
        of: line.word(1, "the line of a field")?.parse()?,
        versions: line.word(2, "the line of a field")?.parse()?,
        nullable: line.attribute("nullable")?.unwrap_or(Versions::NONE),
        tagged: line.attribute("tagged")?.unwrap_or(Versions::NONE),
        tag: line.number("tag")?,
        default: line.attribute_text("default").map(str::to_owned),
        ignorable: line.flag("ignorable"),
        flexible: line.attribute("flexible")?,
        fields: Vec::new(),
    })
}

/// The table of error codes: code, name, `retriable` or `final`, and the message to the end of the
/// line.
pub fn print_errors(errors: &[ErrorCode]) -> String {
    let mut text = PREFACE.replace("tables", "errors");
    text.push('\n');
    for error in errors {
        let ErrorCode { code, name, message, .. } = error;
        let fate = if error.retriable { "retriable" } else { "final" };
        text.push_str(&format!("{code} {name} {fate} {message}\n"));
    }
    text
}

pub fn parse_errors(text: &str) -> Result<Vec<ErrorCode>, TableError> {
    let lines = text.lines().enumerate();
    let speaking = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let parse = |(index, line): (usize, &str)| {
        error_code(line).map_err(|source| TableError { number: index + 1, source })
    };
    speaking.map(parse).collect()
}

fn error_code(line: &str) -> Result<ErrorCode, Malformed> {
    let malformed = || Malformed::new(line, "the line of an error code");
    let mut words = line.splitn(4, ' ');
    let mut word = || words.next().ok_or_else(malformed);
    let (code, name, fate, message) = (word()?, word()?, word()?, word()?);
    Ok(ErrorCode {
        code: code.parse().map_err(|_| malformed())?,
        name: name.to_owned(),
        retriable: fate == "retriable",
        message: message.to_owned(),
    })
}
