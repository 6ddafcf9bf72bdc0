//! Kafka's schema files: JSON with `//` lines. Only what matters to bytes is taken; the
//! descriptions stay behind.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::model::{Field, Malformed, Schema, SharedStruct, Versions};

#[derive(Debug, Error)]
pub enum JsonError {
    #[error("not a schema: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("field {field} has neither versions nor tagged versions")]
    NoVersions { field: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonSchema {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    api_key: Option<i16>,
    valid_versions: String,
    flexible_versions: Option<String>,
    #[serde(default)]
    listeners: Vec<String>,
    #[serde(default)]
    latest_version_unstable: bool,
    #[serde(default)]
    fields: Vec<JsonField>,
    #[serde(default)]
    common_structs: Vec<JsonStruct>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonStruct {
    name: String,
    versions: String,
    fields: Vec<JsonField>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonField {
    name: String,
    #[serde(rename = "type")]
    of: String,
    versions: Option<String>,
    nullable_versions: Option<String>,
    tagged_versions: Option<String>,
    tag: Option<u32>,
    default: Option<Value>,
    #[serde(default)]
    ignorable: bool,
    flexible_versions: Option<String>,
    #[serde(default)]
    fields: Vec<JsonField>,
}

/// Reads one schema file.
pub fn parse(text: &str) -> Result<Schema, JsonError> {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let bare = text.lines().filter(|line| !is_comment(line)).collect::<Vec<_>>().join("\n");
    let json: JsonSchema = serde_json::from_str(&bare)?;
    let shared = |json: JsonStruct| -> Result<SharedStruct, JsonError> {
        Ok(SharedStruct {
            name: json.name,
            versions: json.versions.parse()?,
            fields: fields(json.fields)?,
        })
    };
    Ok(Schema {
        kind: json.kind.parse()?,
        name: json.name,
        api_key: json.api_key,
        versions: json.valid_versions.parse()?,
        flexible: optional(json.flexible_versions.as_deref())?.unwrap_or(Versions::NONE),
        listeners: json.listeners,
        latest_version_unstable: json.latest_version_unstable,
        fields: fields(json.fields)?,
        structs: json.common_structs.into_iter().map(shared).collect::<Result<_, _>>()?,
    })
}

fn fields(json: Vec<JsonField>) -> Result<Vec<Field>, JsonError> {
    json.into_iter().map(field).collect()
}

fn field(json: JsonField) -> Result<Field, JsonError> {
    let tagged = optional(json.tagged_versions.as_deref())?.unwrap_or(Versions::NONE);
    let versions = match json.versions {
        Some(versions) => versions.parse()?,
        None if !tagged.is_empty() => tagged,
        None => return Err(JsonError::NoVersions { field: json.name }),
    };
    Ok(Field {
        name: json.name,
        of: json.of.parse()?,
        versions,
        nullable: optional(json.nullable_versions.as_deref())?.unwrap_or(Versions::NONE),
        tagged,
        tag: json.tag,
        default: json.default.map(default_text).filter(|text| !text.is_empty()),
        ignorable: json.ignorable,
        flexible: optional(json.flexible_versions.as_deref())?,
        fields: fields(json.fields)?,
    })
}

fn optional<T: FromStr>(text: Option<&str>) -> Result<Option<T>, T::Err> {
    text.map(T::from_str).transpose()
}

/// Defaults are written as strings, numbers or booleans there; hexadecimal ones become decimal.
fn default_text(value: Value) -> String {
    let text = match value {
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    let hexadecimal =
        text.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok());
    hexadecimal.map_or(text, |number| number.to_string())
}
