//! What tools are shown of a group of the newer protocol: what the log holds.

use crate::group::GroupId;
use crate::group::consumer::assign::Assignor;
use crate::group::consumer::cluster::Cluster;
use crate::group::consumer::member::ConsumerMember;
use crate::group::consumer::roster::Roster;
use crate::group::consumer::{
    DescribedConsumer, DescribedConsumerGroup, DescribedTopic, Partitions,
};

impl Roster {
    pub(crate) fn describe(
        &self,
        group: &GroupId,
        assignors: &[Assignor],
        cluster: &dyn Cluster,
    ) -> DescribedConsumerGroup {
        let described = |member: &ConsumerMember| DescribedConsumer {
            member: member.id.clone(),
            instance: member.instance.clone(),
            rack: member.rack.clone(),
            epoch: member.epoch_to_wire(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topics: member.topics.iter().cloned().collect(),
            regex: member.regex.clone(),
            assignment: topics(&member.holds(), cluster),
            target: topics(&self.target(&member.id), cluster),
            is_classic: member.classic.is_some(),
        };
        DescribedConsumerGroup {
            group: group.clone(),
            state: self.state(),
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            assignor: self.preferred_assignor(assignors).name(),
            members: self.members().map(described).collect(),
        }
    }
}

/// Topics that are gone are not shown.
fn topics(partitions: &Partitions, cluster: &dyn Cluster) -> Vec<DescribedTopic> {
    let named = partitions.iter().filter_map(|(id, indexes)| {
        let name = cluster.topic(*id)?.name;
        let partitions = indexes.iter().copied().collect();
        Some(DescribedTopic { id: *id, name, partitions })
    });
    named.collect()
}
