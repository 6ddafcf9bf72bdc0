//! What tools are shown of a share group: what the log holds.

use crate::group::GroupId;
use crate::group::consumer::{Cluster, DescribedTopic};
use crate::group::share::roster::ShareRoster;
use crate::group::share::{DescribedShareGroup, DescribedSharer};

impl ShareRoster {
    pub(crate) fn describe(&self, group: &GroupId, cluster: &dyn Cluster) -> DescribedShareGroup {
        let members = self.members.iter().map(|(id, member)| DescribedSharer {
            member: id.clone(),
            rack: member.said.rack.clone(),
            epoch: member.share.epoch,
            client_id: member.said.client_id.clone(),
            client_host: member.said.client_host.clone(),
            topics: member.said.topics.iter().cloned().collect(),
            // Topics that are gone are not shown.
            assignment: member
                .share
                .assigned
                .iter()
                .filter_map(|(id, indexes)| {
                    let name = cluster.topic(*id)?.name;
                    let partitions = indexes.iter().copied().collect();
                    Some(DescribedTopic { id: *id, name, partitions })
                })
                .collect(),
        });
        DescribedShareGroup {
            group: group.clone(),
            state: self.state(),
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            members: members.collect(),
        }
    }
}
