//! Elections of leaders.

use wire::messages::{ElectLeadersRequest, elect_leaders_request::TopicPartitions};

use super::{Admin, Outcomes, offsets::by_topic};
use crate::{ClientError, Target, TopicPartition, check};

/// Who may become leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionKind {
    /// The first replica of a partition, if it is in sync.
    Preferred,
    /// Any replica, if none is in sync: records may be lost.
    Unclean,
}

impl Admin {
    /// Has leaders elected for the given partitions or, if `None`, for all. Those of all that need
    /// none are left out of the answer.
    pub async fn elect_leaders(
        &self,
        kind: ElectionKind,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Outcomes<TopicPartition, ()>, ClientError> {
        let topic = |(topic, partitions)| TopicPartitions {
            topic,
            partitions,
            ..TopicPartitions::default()
        };
        let request = ElectLeadersRequest {
            election_type: match kind {
                ElectionKind::Preferred => 0,
                ElectionKind::Unclean => 1,
            },
            topic_partitions: partitions
                .map(|partitions| by_topic(partitions).into_iter().map(topic).collect()),
            timeout_ms: self.timeout_ms(),
            ..ElectLeadersRequest::default()
        };
        let ask = async || {
            let response = self.client.call(Target::Any, &request).await?;
            check(response.error_code, None, || "elect leaders".to_owned())?;
            Ok::<_, ClientError>(response.replica_election_results)
        };
        let mut outcomes = Vec::new();
        for topic in self.client.retry().run(ask).await? {
            for answer in topic.partition_result {
                let partition = TopicPartition::new(&topic.topic, answer.partition_id);
                let doing = || format!("elect a leader of {partition}");
                let result = check(answer.error_code, answer.error_message.as_deref(), doing);
                outcomes.push((partition, result));
            }
        }
        Ok(outcomes)
    }
}
