//! `kafka-metadata-quorum`.

use client::admin::{Quorum, QuorumReplica};
use wire::Uuid;

use super::flags::{Flags, Parsed, switch, value};
use super::{client_options, columns};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-metadata-quorum",
    about: "Shows the quorum that keeps the cluster's metadata: describe.",
    instead_of_zookeeper: "kafka-metadata-quorum --bootstrap-server 127.0.0.1:9092 describe",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        switch("status", "describe: the quorum as a whole"),
        switch("replication", "describe: how far each node is"),
        switch("human-readable", "with --replication: how long ago, instead of times"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &["describe"],
};

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    parsed.only_allowed(&FLAGS, &[])?;
    let options = client_options(parsed)?;
    if parsed.has("status") == parsed.has("replication") {
        return Err(Failure::usage("describe takes either --status or --replication"));
    }
    if parsed.has("status") {
        parsed.refuse_beside("status", &["human-readable"])?;
    }
    session::administrate(options, async |admin| {
        let quorum = admin.describe_quorum().await?;
        if parsed.has("replication") {
            return out::print(&replication(&quorum, parsed.has("human-readable")));
        }
        let cluster = admin.describe_cluster().await?;
        out::print(&status(&quorum, &cluster.cluster_id))
    })
}

fn replication(quorum: &Quorum, human_readable: bool) -> String {
    let now = socket::wall_clock_millis();
    let end = quorum.leading_voter().map_or(0, |leader| leader.log_end);
    let time = |time: Option<i64>| match time {
        None => "-1".to_owned(),
        Some(time) if human_readable => format!("{} ms ago", now.saturating_sub(time).max(0)),
        Some(time) => time.to_string(),
    };
    let row = |replica: &QuorumReplica, status: &str| {
        vec![
            replica.id.to_string(),
            replica.directory.to_string(),
            replica.log_end.to_string(),
            end.saturating_sub(replica.log_end).to_string(),
            time(replica.last_fetch),
            time(replica.last_caught_up),
            status.to_owned(),
        ]
    };
    let followers = quorum.voters.iter().filter(|voter| voter.id != quorum.leader);
    let rows: Vec<_> = quorum
        .leading_voter()
        .map(|leader| row(leader, "Leader"))
        .into_iter()
        .chain(followers.map(|voter| row(voter, "Follower")))
        .chain(quorum.observers.iter().map(|observer| row(observer, "Observer")))
        .collect();
    let headings = [
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ];
    columns::render(&headings, &rows)
}

fn status(quorum: &Quorum, cluster: &str) -> String {
    let leader = quorum.leading_voter();
    let last = quorum.voters.iter().min_by_key(|voter| voter.log_end);
    let (lag, behind) = match (leader, last) {
        (Some(leader), Some(last)) => {
            let behind = match (leader.last_caught_up, last.last_caught_up) {
                _ if leader.id == last.id => 0,
                (Some(leader), Some(last)) => leader.saturating_sub(last),
                (None, _) | (_, None) => -1,
            };
            (leader.log_end.saturating_sub(last.log_end), behind)
        }
        (None, _) | (_, None) => (0, -1),
    };
    let nodes = |replicas: &[QuorumReplica]| {
        format!("[{}]", replicas.iter().map(node).collect::<Vec<_>>().join(", "))
    };
    let lines = [
        ("ClusterId:", cluster.to_owned()),
        ("LeaderId:", quorum.leader.to_string()),
        ("LeaderEpoch:", quorum.leader_epoch.to_string()),
        ("HighWatermark:", quorum.high_watermark.to_string()),
        ("MaxFollowerLag:", lag.to_string()),
        ("MaxFollowerLagTimeMs:", behind.to_string()),
        ("CurrentVoters:", nodes(&quorum.voters)),
        ("CurrentObservers:", nodes(&quorum.observers)),
    ];
    lines.iter().map(|(name, text)| format!("{name:24}{text}\n")).collect()
}

fn node(replica: &QuorumReplica) -> String {
    let directory = match replica.directory == Uuid::ZERO {
        true => "null".to_owned(),
        false => format!("\"{}\"", replica.directory),
    };
    let mut text = format!("{{\"id\": {}, \"directoryId\": {directory}", replica.id);
    if !replica.endpoints.is_empty() {
        let endpoints: Vec<_> = replica.endpoints.iter().map(|at| format!("\"{at}\"")).collect();
        text.push_str(&format!(", \"endpoints\": [{}]", endpoints.join(", ")));
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_follower_that_is_furthest_behind_counts() {
        let voter = |id, log_end| QuorumReplica {
            id,
            directory: Uuid::ZERO,
            log_end,
            last_fetch: None,
            last_caught_up: Some(1000 - i64::from(id)),
            endpoints: Vec::new(),
        };
        let quorum = Quorum {
            leader: 1,
            leader_epoch: 2,
            high_watermark: 90,
            voters: vec![voter(1, 100), voter(2, 90), voter(3, 95)],
            observers: Vec::new(),
        };
        let text = status(&quorum, "c");
        assert!(text.contains("MaxFollowerLag:         10\nMaxFollowerLagTimeMs:   1\n"), "{text}");
    }
}
