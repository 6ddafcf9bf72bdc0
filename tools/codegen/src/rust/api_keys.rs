//! The table behind `ApiKey`.

use super::HEADER;
use crate::model::{Kind, Schema, Versions};

/// The requests that exist in some version, by key.
pub fn live_requests(schemas: &[Schema]) -> Vec<(&Schema, &Schema)> {
    let is_live = |schema: &&Schema| schema.kind == Kind::Request && !schema.versions.is_empty();
    let response = |request: &Schema| {
        schemas
            .iter()
            .find(|schema| schema.kind == Kind::Response && schema.api_key == request.api_key)
    };
    let requests = schemas.iter().filter(is_live);
    requests.filter_map(|request| Some((request, response(request)?))).collect()
}

pub fn file(schemas: &[Schema]) -> String {
    let requests = live_requests(schemas);
    let mut variants = String::new();
    let mut list = String::new();
    let mut codes = String::new();
    let mut facts = String::new();
    for (request, response) in &requests {
        let name = request.name.trim_end_matches("Request");
        let key = request.api_key.unwrap_or(-1);
        let Versions { low, high } = request.versions;
        let on = |listener: &str| request.listeners.iter().any(|name| name == listener);
        variants.push_str(&format!("{name} = {key},\n"));
        list.push_str(&format!("Self::{name},\n"));
        codes.push_str(&format!("{key} => Some(Self::{name}),\n"));
        facts.push_str(&format!(
            "Self::{name} => ApiFacts {{ name: {name:?}, version_min: {low}, version_max: {high}, \
             request_flexible_from: {}, response_flexible_from: {}, on_broker: {}, on_controller: {}, \
             latest_version_unstable: {} }},\n",
            flexible_from(request),
            flexible_from(response),
            on("broker"),
            on("controller"),
            request.latest_version_unstable,
        ));
    }
    format!(
        "{HEADER}use super::ApiFacts;\n\n\
         /// An operation of the protocol, by the number that opens its requests.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n\
         #[repr(i16)]\n\
         pub enum ApiKey {{ {variants} }}\n\n\
         impl ApiKey {{ \
         /// All of them, by growing number.\n\
         pub const ALL: &'static [Self] = &[{list}];\n\n\
         pub const fn from_code(code: i16) -> Option<Self> {{ match code {{ {codes} _ => None, }} }}\n\n\
         pub(super) const fn facts(self) -> ApiFacts {{ match self {{ {facts} }} }} }}\n"
    )
}

/// The first flexible version, or none.
fn flexible_from(schema: &Schema) -> String {
    let reached = schema.flexible.intersect(schema.versions);
    if reached.is_empty() { "None".to_owned() } else { format!("Some({})", schema.flexible.low) }
}
