//! `kafka-share-groups`.

use client::ServerError;
use client::admin::{Admin, OffsetSpec};

use super::flags::{Flags, Parsed, maybe_value, switch, value};
use super::{client_options, share_tables as tables};
use crate::actions::{offsets, share_groups, time};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-share-groups",
    about: "Lists, describes and deletes share groups, and moves the starts of their queues.",
    instead_of_zookeeper: "kafka-share-groups --bootstrap-server 127.0.0.1:9092 --list",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        switch("list", "list the groups"),
        switch("describe", "show where groups stand"),
        switch("delete", "delete groups without members"),
        switch("reset-offsets", "move the queues of a group without members"),
        switch("delete-offsets", "forget the queues of topics that nobody of the group reads"),
        value("group", "the group; may be given many times"),
        switch("all-groups", "all share groups"),
        value("topic", "a topic, or TOPIC:0,1 for some of its partitions; may be repeated"),
        switch("all-topics", "all topics that the group has read"),
        switch("offsets", "with --describe: offsets and lag (the default)"),
        switch("members", "with --describe: the members"),
        maybe_value("state", "with --describe: the state; with --list: states to show"),
        switch("verbose", "more columns"),
        switch("to-earliest", "to the start of the log"),
        switch("to-latest", "to the end of the log"),
        value("to-datetime", "to a point in time: YYYY-MM-DDThh:mm:ss.sss"),
        switch("dry-run", "show the new offsets and change nothing"),
        switch("execute", "change the offsets"),
        value("timeout", "how long to wait for an answer, in milliseconds"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

const ACTIONS: [&str; 5] = ["list", "describe", "delete", "reset-offsets", "delete-offsets"];
const STATES: [&str; 3] = ["Empty", "Stable", "Dead"];

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let mut options = client_options(parsed)?;
    if let Some(timeout) = parsed.number("timeout")? {
        options.retry.give_up_after = std::time::Duration::from_millis(timeout);
    }
    let mut actions = ACTIONS.into_iter().filter(|action| parsed.has(action));
    let (Some(action), None) = (actions.next(), actions.next()) else {
        return Err(Failure::usage(format!(
            "Command must include exactly one action: --{}",
            ACTIONS.join(", --")
        )));
    };
    check(parsed, action)?;
    session::administrate(options, async |admin| match action {
        "list" => list(&admin, parsed).await,
        "describe" => describe(&admin, parsed).await,
        "delete" => delete(&admin, parsed).await,
        "reset-offsets" => reset(&admin, parsed).await,
        _ => delete_offsets(&admin, parsed).await,
    })
}

fn check(parsed: &Parsed, action: &str) -> Result<(), Failure> {
    let refuse = |text: &str| Err(Failure::usage(text));
    let one_group = ["reset-offsets", "delete-offsets"].contains(&action);
    if one_group && (parsed.values("group").count() != 1 || parsed.has("all-groups")) {
        return refuse("this takes exactly one --group");
    }
    if action != "list" && parsed.has("group") == parsed.has("all-groups") {
        return refuse("say which groups: either --group or --all-groups");
    }
    let allowed: [(&str, &[&str]); 12] = [
        ("group", &["describe", "delete", "reset-offsets", "delete-offsets"]),
        ("all-groups", &["describe", "delete"]),
        ("members", &["describe"]),
        ("offsets", &["describe"]),
        ("state", &["describe", "list"]),
        ("verbose", &["describe"]),
        ("topic", &["reset-offsets", "delete-offsets"]),
        ("all-topics", &["reset-offsets"]),
        ("dry-run", &["reset-offsets"]),
        ("execute", &["reset-offsets"]),
        ("to-earliest", &["reset-offsets"]),
        ("to-latest", &["reset-offsets"]),
    ];
    let time: (&str, &[&str]) = ("to-datetime", &["reset-offsets"]);
    for (flag, actions) in allowed.into_iter().chain([time]) {
        if parsed.has(flag) && !actions.contains(&action) {
            return Err(Failure::usage(format!("--{flag} means nothing beside --{action}")));
        }
    }
    let exactly_one = |flags: &[&str]| flags.iter().filter(|flag| parsed.has(flag)).count() == 1;
    if action == "reset-offsets" {
        if !exactly_one(&["dry-run", "execute"]) {
            return refuse("--reset-offsets takes either --dry-run or --execute");
        }
        if !exactly_one(&["to-earliest", "to-latest", "to-datetime"]) {
            return refuse(
                "--reset-offsets takes one of --to-earliest, --to-latest, --to-datetime",
            );
        }
        if !exactly_one(&["topic", "all-topics"]) {
            return refuse("--reset-offsets takes either --topic or --all-topics");
        }
    }
    if action == "delete-offsets" && !parsed.has("topic") {
        return refuse("--delete-offsets takes --topic");
    }
    let views = ["members", "offsets", "state"].into_iter().filter(|view| parsed.has(view));
    match action == "describe" && views.count() > 1 {
        true => refuse("--describe takes at most one of --members, --offsets, --state"),
        false => Ok(()),
    }
}

async fn all(admin: &Admin) -> Result<Vec<client::admin::GroupListing>, Failure> {
    Ok(admin.list_groups(&[], &["share".to_owned()]).await?)
}

async fn list(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for word in parsed.value("state").unwrap_or_default().split(',').map(str::trim) {
        let known = STATES.into_iter().find(|state| state.eq_ignore_ascii_case(word));
        match known {
            Some(state) => wanted.push(state),
            None if word.is_empty() => {}
            None => {
                let known = STATES.join(", ");
                return Err(Failure::usage(format!("--state {word}: expected {known}")));
            }
        }
    }
    let groups = all(admin).await?;
    if !parsed.has("state") {
        return out::print(
            &groups.iter().map(|group| format!("{}\n", group.id)).collect::<String>(),
        );
    }
    let states = groups.into_iter().map(|group| (group.id, group.state.unwrap_or_default()));
    let rows: Vec<_> =
        states.filter(|(_, state)| wanted.is_empty() || wanted.contains(&state.as_str())).collect();
    out::print(&tables::states(&rows))
}

async fn chosen(admin: &Admin, parsed: &Parsed) -> Result<Vec<String>, Failure> {
    match parsed.has("all-groups") {
        true => Ok(all(admin).await?.into_iter().map(|group| group.id).collect()),
        false => Ok(parsed.values("group").map(str::to_owned).collect()),
    }
}

async fn describe(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let verbose = parsed.has("verbose");
    for name in chosen(admin, parsed).await? {
        let group = admin.describe_share_group(&name).await?;
        if group.members.is_empty() && !parsed.has("state") {
            out::remark(&format!("\nShare group '{name}' has no active members."));
        }
        let text = if parsed.has("members") {
            tables::members(&group, verbose)
        } else if parsed.has("state") {
            let metadata = admin.client().ask_metadata(Some(&[])).await?;
            let broker = metadata.brokers.get(&group.coordinator);
            let address = broker.map_or_else(|| "-".to_owned(), client::BrokerMetadata::address);
            tables::state(&group, &address, verbose)
        } else {
            tables::offsets(&name, &admin.describe_share_offsets(&name).await?, verbose)
        };
        out::print(&text)?;
    }
    Ok(())
}

async fn delete(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let names = chosen(admin, parsed).await?;
    let known: Vec<String> = all(admin).await?.into_iter().map(|group| group.id).collect();
    let (share, other): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| known.contains(name));
    let mut deleted = Vec::new();
    let mut failed: Vec<(String, String)> = other
        .into_iter()
        .map(|name| {
            let why = format!("Group '{name}' is not a share group.");
            (name, why)
        })
        .collect();
    for (group, outcome) in admin.delete_groups(&share).await? {
        match outcome {
            Ok(()) => deleted.push(format!("'{group}'")),
            Err(ServerError { message, .. }) => failed.push((group, message)),
        }
    }
    let deleted = deleted.join(", ");
    if failed.is_empty() {
        return out::line(&format!(
            "Deletion of requested share groups ({deleted}) was successful."
        ));
    }
    let mut text = String::from("\nError: Deletion of some share groups failed:\n");
    for (group, why) in failed {
        text.push_str(&format!("* Group '{group}' could not be deleted due to: {why}\n"));
    }
    if !deleted.is_empty() {
        text.push_str(&format!("\nThese share groups were deleted successfully: {deleted}\n"));
    }
    out::print(&text)?;
    Err(Failure::told())
}

async fn reset(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let group = parsed.required("group")?;
    let spec = match parsed.value("to-datetime") {
        Some(text) => OffsetSpec::At(time::instant(text)?),
        None if parsed.has("to-earliest") => OffsetSpec::Earliest,
        None => OffsetSpec::Latest,
    };
    let topics: Result<Vec<_>, _> = parsed.values("topic").map(offsets::parse_scope).collect();
    let topics = topics?;
    let scope = parsed.has("topic").then_some(topics.as_slice());
    let plan = share_groups::plan(admin, group, scope, spec).await?;
    if parsed.has("execute") {
        for (_, outcome) in admin.alter_share_offsets(group, &plan).await? {
            outcome?;
        }
    }
    out::print(&tables::plan(group, &plan))
}

async fn delete_offsets(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let group = parsed.required("group")?;
    let topics: Vec<String> = parsed.values("topic").map(str::to_owned).collect();
    let mut rows = Vec::new();
    let mut is_done = true;
    for (topic, outcome) in admin.delete_share_offsets(group, &topics).await? {
        is_done &= outcome.is_ok();
        rows.push((topic, outcome.err().map(|error| error.message)));
    }
    out::print(&tables::deleted(&rows))?;
    if is_done { Ok(()) } else { Err(Failure::told()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_has_its_flags() {
        let judge = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let parsed = FLAGS.parse(&words).ok().unwrap();
            let action = ACTIONS.into_iter().find(|action| parsed.has(action)).unwrap();
            check(&parsed, action).is_ok()
        };
        assert!(judge("--describe --group a --members"));
        assert!(judge("--reset-offsets --group a --topic b --to-latest --dry-run"));
        for wrong in [
            "--describe",
            "--describe --group a --members --state",
            "--reset-offsets --group a --topic b --to-latest",
            "--reset-offsets --group a --to-latest --execute",
            "--reset-offsets --group a --topic b --execute",
            "--delete-offsets --group a",
            "--list --verbose",
        ] {
            assert!(!judge(wrong), "{wrong}");
        }
    }
}
