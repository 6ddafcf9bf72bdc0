//! `kafka-groups`.

use client::admin::GroupListing;

use super::client_options;
use super::flags::{Flags, Parsed, switch, value};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-groups",
    about: "Lists groups of every type.",
    instead_of_zookeeper: "kafka-groups --bootstrap-server 127.0.0.1:9092 --list",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        switch("list", "list the groups; required"),
        switch("consumer", "only groups of consumers, of either protocol"),
        switch("share", "only share groups"),
        switch("streams", "only streams groups"),
        value("group-type", "only groups of a type: classic, consumer, share, streams"),
        value("protocol", "only groups of a protocol type"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

const TYPES: [&str; 4] = ["classic", "consumer", "share", "streams"];
const COLUMN_MIN: usize = 20;

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let options = client_options(parsed)?;
    if !parsed.has("list") {
        return Err(Failure::usage("Command must include exactly one action: --list"));
    }
    for flag in ["consumer", "share", "streams"] {
        if parsed.has(flag) {
            let others = ["consumer", "share", "streams", "group-type", "protocol"];
            let others: Vec<&str> = others.into_iter().filter(|other| *other != flag).collect();
            parsed.refuse_beside(flag, &others)?;
        }
    }
    if let Some(kind) = parsed.value("group-type")
        && !TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind))
    {
        return Err(Failure::usage(format!("--group-type {kind}: expected {}", TYPES.join(", "))));
    }
    session::administrate(options, async |admin| {
        let mut groups = admin.list_groups(&[], &[]).await?;
        groups.retain(|group| is_wanted(parsed, group));
        out::print(&shown(&groups))
    })
}

fn kind(group: &GroupListing) -> &str {
    group.kind.as_deref().unwrap_or("")
}

fn is_wanted(parsed: &Parsed, group: &GroupListing) -> bool {
    let is = |name: &str| kind(group).eq_ignore_ascii_case(name);
    let of_consumers = group.protocol_type == "consumer" || group.protocol_type.is_empty();
    (!parsed.has("consumer") || is("consumer") || (is("classic") && of_consumers))
        && (!parsed.has("share") || is("share"))
        && (!parsed.has("streams") || is("streams"))
        && parsed.value("group-type").is_none_or(is)
        && parsed.value("protocol").is_none_or(|wanted| wanted == group.protocol_type)
}

fn shown(groups: &[GroupListing]) -> String {
    let width = groups.iter().map(|group| group.id.len()).max().unwrap_or(0).max(COLUMN_MIN);
    let row = |id: &str, kind: &str, protocol: &str| {
        format!("{id:width$} {kind:COLUMN_MIN$} {protocol:COLUMN_MIN$} \n")
    };
    let mut text =
        format!("{:width$} {:COLUMN_MIN$} {:COLUMN_MIN$}\n", "GROUP", "TYPE", "PROTOCOL");
    for group in groups {
        let kind = kind(group).to_ascii_lowercase();
        let mut letters = kind.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        let kind: String = first.into_iter().chain(letters).collect();
        text.push_str(&row(&group.id, &kind, &group.protocol_type));
    }
    text
}
