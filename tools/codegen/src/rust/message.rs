//! A file per schema, and the list of them.

use super::{HEADER, names, structs};
use crate::model::{Kind, Schema, Versions};

/// The field by which a response tells its client to slow down; not every response has it.
const THROTTLE_TIME: &str = "ThrottleTimeMs";

/// The file of one schema. `in_wire` says whether requests know their key and response.
pub fn file(schema: &Schema) -> String {
    let mut body = String::new();
    for code in structs::of_schema(schema) {
        body.push_str(&code.render());
        if code.is_whole {
            body.push_str(&whole(schema));
        }
    }
    format!("{HEADER}{}\n{body}", imports(schema, &body))
}

fn whole(schema: &Schema) -> String {
    let Schema { name, versions: Versions { low, high }, .. } = schema;
    let mut text = format!(
        "impl Schema for {name} {{ const NAME: &'static str = {name:?}; \
         const VERSIONS: RangeInclusive<i16> = {low}..={high}; }}\n\n"
    );
    if schema.kind == Kind::Request {
        let api = name.trim_end_matches("Request");
        text.push_str(&format!(
            "impl Request for {name} {{ const KEY: ApiKey = ApiKey::{api}; \
             type Response = crate::messages::{api}Response; }}\n\n"
        ));
    }
    if schema.kind == Kind::Response {
        let has_time = schema.fields.iter().any(|field| field.name == THROTTLE_TIME);
        let body = if has_time { "self.throttle_time_ms = milliseconds;" } else { "" };
        text.push_str(&format!(
            "impl Throttled for {name} {{ \
             fn set_throttle_time(&mut self, milliseconds: i32) {{ {body} }} }}\n\n"
        ));
    }
    text
}

fn imports(schema: &Schema, body: &str) -> String {
    let mut used = vec!["DecodeError", "EncodeError", "Message", "Reader", "Schema", "Writer"];
    let optional = ["Slices", "UnknownTags", "TagWriter", "Uuid", "must_be_default", "required"];
    used.extend(optional.iter().filter(|name| body.contains(**name)));
    used.sort_unstable();
    let mut text = "use std::ops::RangeInclusive;\n\n".to_owned();
    if body.contains("Bytes") && body.replace("Bytes::new", "").contains("Bytes") {
        text.push_str("use bytes::Bytes;\n");
    }
    text.push_str(&format!("use codec::{{{}}};\n", used.join(", ")));
    if schema.kind == Kind::Request {
        text.push_str("\nuse crate::{ApiKey, Request};\n");
    }
    if schema.kind == Kind::Response {
        text.push_str("\nuse crate::Throttled;\n");
    }
    text
}

/// The module that lists the files and says all their messages in a catalog.
pub fn module(schemas: &[&Schema], about: &str, extra_modules: &[(&str, &str)]) -> String {
    let mut text = format!("//! {about}\n//!\n{HEADER}use codec::CatalogEntry;\n\n");
    let mut modules = schemas
        .iter()
        .map(|schema| (names::snake(&schema.name), schema.name.clone()))
        .collect::<Vec<_>>();
    let extra = extra_modules.iter().map(|(file, name)| ((*file).to_owned(), (*name).to_owned()));
    modules.extend(extra);
    modules.sort();
    for (file, _) in &modules {
        text.push_str(&format!("pub mod {file};\n"));
    }
    text.push('\n');
    for (file, name) in &modules {
        text.push_str(&format!("pub use {file}::{name};\n"));
    }
    let entries = schemas.iter().map(|schema| format!("CatalogEntry::of::<{}>(),\n", schema.name));
    text.push_str(&format!(
        "\n/// Every message of this module.\npub const CATALOG: &[CatalogEntry] = &[\n{}];\n",
        entries.collect::<String>()
    ));
    text
}
