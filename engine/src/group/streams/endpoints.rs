//! Which partitions can be queried where: a member asks the process that has a task for its state.

use std::rc::Rc;

use crate::group::MemberId;
use crate::group::consumer::Cluster;
use crate::group::streams::configured::Configured;
use crate::group::streams::reply::EndpointPartitions;
use crate::group::streams::roster::{Streamer, StreamsRoster};
use crate::group::streams::tasks::Tasks;
use crate::group::streams::topology::Topology;
use crate::types::PartitionIndex;

/// Of all members that have an endpoint; the one that asks comes last.
pub(crate) fn endpoints(
    roster: &StreamsRoster,
    asking: &MemberId,
    configured: &Rc<Configured>,
    cluster: &dyn Cluster,
) -> Vec<EndpointPartitions> {
    let Some(topology) = &roster.topology else { return Vec::new() };
    let others = roster.members.iter().filter(|(id, _)| *id != asking).map(|(_, member)| member);
    let all = others.chain(roster.members.get(asking));
    all.filter_map(|member| of_member(member, topology, configured, cluster)).collect()
}

fn of_member(
    member: &Streamer,
    topology: &Topology,
    configured: &Configured,
    cluster: &dyn Cluster,
) -> Option<EndpointPartitions> {
    let endpoint = member.said.endpoint.clone()?;
    let tasks = member.tasks.assigned.tasks();
    let partitions = |tasks: &Tasks| partitions(tasks, topology, configured, cluster);
    Some(EndpointPartitions {
        endpoint,
        active: partitions(&tasks.active),
        standby: partitions(&tasks.standby),
    })
}

fn partitions(
    tasks: &Tasks,
    topology: &Topology,
    configured: &Configured,
    cluster: &dyn Cluster,
) -> Vec<(String, Vec<PartitionIndex>)> {
    let mut all = Vec::new();
    for (name, indexes) in tasks {
        let Some(subtopology) = topology.subtopologies.get(name) else { continue };
        for topic in subtopology.inputs() {
            let Some(count) = configured.partitions_of(topic, cluster) else { continue };
            // A narrow topic has partitions for the first tasks only.
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            all.push((topic.to_owned(), indexes.iter().copied().take(count).collect()));
        }
    }
    all
}
