//! `kafka-consumer-groups`.

use client::ServerError;
use client::admin::{Admin, GroupDescription};

use super::flags::{Flags, Parsed, maybe_value, switch, value};
use super::{client_options, groups_reset, groups_tables as tables};
use crate::actions::{groups, offsets};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-consumer-groups",
    about: "Lists, describes and deletes consumer groups, and moves their offsets.",
    instead_of_zookeeper: "kafka-consumer-groups --bootstrap-server 127.0.0.1:9092 --list",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("broker-list", "the old name of --bootstrap-server"),
        value("command-config", "a properties file for the client"),
        switch("list", "list the groups"),
        switch("describe", "show where groups stand"),
        switch("delete", "delete groups without members"),
        switch("reset-offsets", "move the offsets of a group without members"),
        switch("delete-offsets", "forget offsets of topics that nobody of the group reads"),
        value("group", "the group; may be given many times"),
        switch("all-groups", "all groups"),
        value("topic", "a topic, or TOPIC:0,1 for some of its partitions; may be repeated"),
        switch("all-topics", "all topics that the group has committed offsets of"),
        switch("offsets", "with --describe: offsets and lag (the default)"),
        switch("members", "with --describe: the members"),
        maybe_value("state", "with --describe: the state; with --list: states to show"),
        maybe_value("type", "with --list: types to show"),
        switch("verbose", "more columns"),
        switch("to-earliest", "to the start of the log"),
        switch("to-latest", "to the end of the log"),
        switch("to-current", "to where the group stands"),
        value("to-offset", "to an offset"),
        value("shift-by", "forward, or back with a negative number"),
        value("by-duration", "to what is so old: PnDTnHnMnS"),
        value("to-datetime", "to a point in time: YYYY-MM-DDThh:mm:ss.sss"),
        value("from-file", "to the offsets of a file that --export has written"),
        switch("dry-run", "show the new offsets and change nothing (the default)"),
        switch("execute", "change the offsets"),
        switch("export", "write the new offsets as lines of comma-separated values"),
        value("validate-regex", "say whether this is a regular expression, and end"),
        value("timeout", "how long to wait for an answer, in milliseconds"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

const ACTIONS: [&str; 5] = ["list", "describe", "delete", "reset-offsets", "delete-offsets"];

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    if let Some(expression) = parsed.value("validate-regex") {
        return out::line(&match regex_lite::Regex::new(expression) {
            Ok(_) => format!("The regular expression `{expression}` is valid."),
            Err(error) => format!("The regular expression `{expression}` is invalid: {error}."),
        });
    }
    let mut options = client_options(parsed)?;
    if let Some(timeout) = parsed.number("timeout")? {
        options.retry.give_up_after = std::time::Duration::from_millis(timeout);
    }
    let mut actions = ACTIONS.into_iter().filter(|action| parsed.has(action));
    let (Some(action), None) = (actions.next(), actions.next()) else {
        return Err(Failure::usage(
            "Command must include exactly one action: --list, --describe, --delete, \
             --reset-offsets, --delete-offsets",
        ));
    };
    check(parsed, action)?;
    session::administrate(options, async |admin| match action {
        "list" => list(&admin, parsed).await,
        "describe" => describe(&admin, parsed).await,
        "delete" => delete(&admin, parsed).await,
        "reset-offsets" => groups_reset::run(&admin, parsed).await,
        _ => delete_offsets(&admin, parsed).await,
    })
}

fn check(parsed: &Parsed, action: &str) -> Result<(), Failure> {
    if action != "list" && parsed.has("group") == parsed.has("all-groups") {
        return Err(Failure::usage(format!(
            "Option [{action}] takes exactly one of these options: --all-groups, --group"
        )));
    }
    let allowed: [(&str, &[&str]); 9] = [
        ("members", &["describe"]),
        ("offsets", &["describe"]),
        ("state", &["describe", "list"]),
        ("type", &["list"]),
        ("verbose", &["describe"]),
        ("execute", &["reset-offsets"]),
        ("dry-run", &["reset-offsets"]),
        ("export", &["reset-offsets"]),
        ("topic", &["reset-offsets", "delete-offsets", "delete"]),
    ];
    for (flag, actions) in allowed {
        if parsed.has(flag) && !actions.contains(&action) {
            return Err(Failure::usage(format!(
                "Option \"[{flag}]\" can't be used with option \"[{action}]\""
            )));
        }
    }
    let views = ["members", "offsets", "state"].into_iter().filter(|view| parsed.has(view));
    if action == "describe" && views.count() > 1 {
        return Err(Failure::usage(
            "Option [describe] takes at most one of these options: --members, --offsets, --state",
        ));
    }
    Ok(())
}

fn words(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

async fn list(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let states = words(parsed.value("state")).into_iter().map(|state| camel_case(&state));
    let kinds = words(parsed.value("type"));
    let groups = admin.list_groups(&states.collect::<Vec<_>>(), &kinds).await?;
    out::print(&tables::listing(&groups, parsed.has("type"), parsed.has("state")))
}

/// `preparingRebalance` and `stable`, as people write them, as the broker names them.
fn camel_case(state: &str) -> String {
    const STATES: [&str; 7] = [
        "PreparingRebalance",
        "CompletingRebalance",
        "Stable",
        "Dead",
        "Empty",
        "Assigning",
        "Reconciling",
    ];
    let known = STATES.into_iter().find(|known| known.eq_ignore_ascii_case(state));
    known.unwrap_or(state).to_owned()
}

async fn chosen(admin: &Admin, parsed: &Parsed) -> Result<Vec<String>, Failure> {
    match parsed.has("all-groups") {
        true => Ok(admin.list_groups(&[], &[]).await?.into_iter().map(|group| group.id).collect()),
        false => Ok(parsed.values("group").map(str::to_owned).collect()),
    }
}

async fn describe(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let mut missing = None;
    for name in chosen(admin, parsed).await? {
        let Some(group) = groups::find(admin, &name).await? else {
            let failure = format!("Consumer group '{name}' does not exist.");
            out::remark(&format!("\nError: {failure}"));
            missing = Some(Failure::told());
            continue;
        };
        out::print(&shown(admin, parsed, &group).await?)?;
        match group.state.as_str() {
            "Empty" => out::remark(&format!("\nConsumer group '{name}' has no active members.")),
            "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
                out::remark(&format!("\nWarning: Consumer group '{name}' is rebalancing."));
            }
            _ => {}
        }
    }
    missing.map_or(Ok(()), Err)
}

async fn shown(
    admin: &Admin,
    parsed: &Parsed,
    group: &GroupDescription,
) -> Result<String, Failure> {
    let verbose = parsed.has("verbose");
    if parsed.has("members") {
        return Ok(tables::members(group, verbose));
    }
    if parsed.has("state") {
        let metadata = admin.client().ask_metadata(Some(&[])).await?;
        let broker = metadata.brokers.get(&group.coordinator);
        let address = broker.map_or_else(|| "-".to_owned(), client::BrokerMetadata::address);
        return Ok(tables::state(group, &address, verbose));
    }
    let mut standings = groups::standings(admin, group).await?;
    // Kafka shows members without partitions only among the members.
    standings.retain(|standing| standing.topic.is_some());
    Ok(tables::offsets(&group.id, &standings, verbose))
}

async fn delete(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let names = chosen(admin, parsed).await?;
    let mut deleted = Vec::new();
    let mut failed = Vec::new();
    for (group, outcome) in admin.delete_groups(&names).await? {
        match outcome {
            Ok(()) => deleted.push(format!("'{group}'")),
            Err(error) => failed.push((group, error)),
        }
    }
    if failed.is_empty() {
        let deleted = deleted.join(", ");
        return out::line(&format!(
            "Deletion of requested consumer groups ({deleted}) was successful."
        ));
    }
    let mut text = String::from("\nError: Deletion of some consumer groups failed:\n");
    for (group, ServerError { message, .. }) in failed {
        text.push_str(&format!("* Group '{group}' could not be deleted due to: {message}\n"));
    }
    if !deleted.is_empty() {
        let deleted = deleted.join(", ");
        text.push_str(&format!("\nThese consumer groups were deleted successfully: {deleted}\n"));
    }
    out::print(&text)?;
    Err(Failure::told())
}

async fn delete_offsets(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let (Some(group), true) = (parsed.value("group"), parsed.has("topic")) else {
        return Err(Failure::usage("--delete-offsets needs --group and --topic"));
    };
    let topics: Result<Vec<_>, _> = parsed.values("topic").map(offsets::parse_scope).collect();
    let scope = offsets::Scope::Topics(topics?);
    let goal = offsets::Goal::Earliest;
    let plan = offsets::plan(admin, group, &scope, &goal).await?;
    let partitions: Vec<_> = plan.offsets.into_keys().collect();
    let outcomes = admin.delete_committed_offsets(group, &partitions).await?;
    let is_done = outcomes.iter().all(|(_, outcome)| outcome.is_ok());
    let rows = outcomes.iter().map(|(partition, outcome)| {
        let status = match outcome {
            Ok(()) => "Successful".to_owned(),
            Err(error) => format!("Error: {}", error.message),
        };
        (partition, status)
    });
    let headline = match is_done {
        true => format!("Request succeeded for deleting offsets from group {group}."),
        false => "Encountered some partition-level error, see the follow-up details:".to_owned(),
    };
    out::line(&headline)?;
    out::print(&tables::deleted_offsets(rows))?;
    if is_done { Ok(()) } else { Err(Failure::told()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Parsed {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        FLAGS.parse(&words).ok().unwrap()
    }

    #[test]
    fn each_action_has_its_flags() {
        assert!(check(&parse("--describe --group a --members"), "describe").is_ok());
        assert!(check(&parse("--describe --group a --members --state"), "describe").is_err());
        assert!(check(&parse("--describe"), "describe").is_err());
        assert!(check(&parse("--list --execute"), "list").is_err());
        assert!(check(&parse("--list --state stable"), "list").is_ok());
    }

    #[test]
    fn states_are_named_as_the_broker_names_them() {
        assert_eq!(camel_case("preparingrebalance"), "PreparingRebalance");
        assert_eq!(words(Some("stable, empty")), ["stable", "empty"]);
    }
}
