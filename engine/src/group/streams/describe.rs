//! What tools are shown of a streams group: what the log holds, and the numbers of partitions that follow
//! from the topics that there are.

use crate::group::GroupId;
use crate::group::consumer::Cluster;
use crate::group::streams::configured::Configured;
use crate::group::streams::reply::{DescribedStreamer, DescribedStreamsGroup};
use crate::group::streams::roster::StreamsRoster;
use crate::group::streams::topology::Topology;

impl StreamsRoster {
    pub(crate) fn describe(&self, group: &GroupId, cluster: &dyn Cluster) -> DescribedStreamsGroup {
        let members = self.members.iter().map(|(id, member)| DescribedStreamer {
            member: id.clone(),
            epoch: member.tasks.epoch,
            instance: member.said.instance.clone(),
            rack: member.said.rack.clone(),
            client_id: member.said.client_id.clone(),
            client_host: member.said.client_host.clone(),
            topology_epoch: member.said.topology_epoch,
            process: member.said.process.clone(),
            endpoint: member.said.endpoint.clone(),
            tags: member.said.tags.clone(),
            assignment: member.tasks.assigned.tasks(),
            target: self.targets.get(id).cloned().unwrap_or_default(),
        });
        let topology = self.topology.as_ref().map(|topology| {
            let configured = Configured::of(topology, cluster).ok();
            let ready = configured.filter(|configured| configured.ready().is_some());
            ready
                .map_or_else(|| Topology::clone(topology), |configured| configured.filled(topology))
        });
        DescribedStreamsGroup {
            group: group.clone(),
            state: self.state(),
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            topology,
            members: members.collect(),
        }
    }
}
