//! A member's commits, and what the group has committed before.

use std::collections::BTreeMap;

use wire::messages::{
    OffsetCommitRequest,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
};

use super::{GroupError, Member};
use crate::{TopicPartition, admin::Admin, check, limits::OFFSET_REQUEST_VERSION_MAX};

impl Member {
    /// Commits the offsets to go on from. Fails if the group has gone on without this member, or
    /// rebalances; [`Member::must_join`] tells then.
    pub async fn commit(
        &self,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), GroupError> {
        if positions.is_empty() {
            return Ok(());
        }
        let retry = self.shared.client.retry().clone();
        retry.run(async || self.commit_once(positions).await).await
    }

    async fn commit_once(
        &self,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), GroupError> {
        let shared = &self.shared;
        let identity = shared.identity.borrow().clone();
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for (partition, offset) in positions {
            topics.entry(&partition.topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: partition.partition,
                committed_offset: *offset,
                committed_metadata: Some(String::new()),
                ..OffsetCommitRequestPartition::default()
            });
        }
        let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
            name: name.to_owned(),
            partitions,
            ..OffsetCommitRequestTopic::default()
        };
        let request = OffsetCommitRequest {
            group_id: shared.options.group.clone(),
            generation_id_or_member_epoch: identity.generation,
            member_id: identity.member_id,
            group_instance_id: shared.options.instance_id.clone(),
            topics: topics.into_iter().map(topic).collect(),
            ..OffsetCommitRequest::default()
        };
        let target = shared.coordinator().await?;
        let call = shared.client.call_up_to(OFFSET_REQUEST_VERSION_MAX, target, &request);
        let response = call.await.inspect_err(|_| shared.coordinator.set(None))?;
        for topic in response.topics {
            for partition in topic.partitions {
                let doing = || format!("commit offsets of group {:?}", shared.options.group);
                check(partition.error_code, None, doing)
                    .inspect_err(|error| shared.learn(error.code()))?;
            }
        }
        Ok(())
    }

    /// What the group has committed of these partitions.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, GroupError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let admin = Admin::new(self.shared.client.clone());
        let group = &self.shared.options.group;
        let committed = admin.committed_offsets(group, Some(partitions), true).await?;
        Ok(committed.into_iter().map(|(partition, found)| (partition, found.offset)).collect())
    }
}
