//! `kafka-cluster`.

use client::admin::ClusterBroker;

use super::client_options;
use super::flags::{Flags, Parsed, switch, value};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-cluster",
    about: "Shows the cluster and its brokers: cluster-id, list-endpoints.",
    instead_of_zookeeper: "kafka-cluster cluster-id --bootstrap-server 127.0.0.1:9092",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("config", "a properties file for the client"),
        value("command-config", "a properties file for the client"),
        switch("include-fenced-brokers", "list-endpoints: also brokers that are fenced"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &["cluster-id", "list-endpoints"],
};

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let action = parsed.only_allowed(&FLAGS, &[("list-endpoints", &["include-fenced-brokers"])])?;
    let options = client_options(parsed)?;
    session::administrate(options, async |admin| {
        let cluster = admin.describe_cluster().await?;
        if action == "cluster-id" {
            return out::line(&format!("Cluster ID: {}", cluster.cluster_id));
        }
        let mut brokers = cluster.brokers;
        brokers.retain(|broker| !broker.fenced || parsed.has("include-fenced-brokers"));
        out::print(&endpoints(&brokers))
    })
}

fn endpoints(brokers: &[ClusterBroker]) -> String {
    let widest = |least: usize, word: fn(&ClusterBroker) -> &str| {
        brokers.iter().map(|broker| word(broker).len()).max().unwrap_or(0).max(least)
    };
    let hosts = widest(9, |broker| &broker.host);
    let racks = widest(10, |broker| broker.rack.as_deref().unwrap_or_default());
    let row = |[id, host, port, rack, state, kind]: [&str; 6]| {
        format!("{id:10} {host:hosts$} {port:10} {rack:racks$} {state:10} {kind:15}\n")
    };
    let mut text = row(["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"]);
    for broker in brokers {
        let state = if broker.fenced { "fenced" } else { "unfenced" };
        let rack = broker.rack.as_deref().unwrap_or("null");
        let (id, port) = (broker.id.to_string(), broker.port.to_string());
        text += &row([&id, &broker.host, &port, rack, state, "broker"]);
    }
    text
}
