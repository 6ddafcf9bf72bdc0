//! A consumer's part in a group: when to join, what changes by it, when to commit.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::ConsumeError;
use crate::{
    Client, Retriable, TopicPartition,
    group::{Member, MemberOptions},
};

#[derive(Clone, Debug)]
pub struct GroupOptions {
    pub member: MemberOptions,
    /// How often positions are committed without being asked; `None` for never.
    pub auto_commit: Option<Duration>,
}

impl GroupOptions {
    pub fn new(group: &str) -> Self {
        Self { member: MemberOptions::new(group), auto_commit: Some(Duration::from_secs(5)) }
    }
}

#[derive(Debug)]
pub struct Grouped {
    member: Member,
    auto_commit: Option<Duration>,
    committed_at: Instant,
    committed: BTreeMap<TopicPartition, i64>,
}

/// All that is to be read now; with the group's offset where there is one, and where our own
/// position does not count any more.
pub struct Change {
    pub assigned: BTreeMap<TopicPartition, Option<i64>>,
    /// Partitions that stay go on where they are.
    pub positions_hold: bool,
}

impl Grouped {
    pub fn new(client: Client, topics: &[String], options: GroupOptions) -> Self {
        Self {
            member: Member::new(client, topics, options.member),
            auto_commit: options.auto_commit,
            committed_at: socket::now(),
            committed: BTreeMap::new(),
        }
    }

    /// Joins if that is due, commits if that is due. `None` if everything stays as it is.
    pub async fn attend(
        &mut self,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<Option<Change>, ConsumeError> {
        self.member.check_topics().await;
        if !self.member.must_join() {
            self.commit_if_due(positions).await?;
            return Ok(None);
        }
        if self.auto_commit.is_some() && !self.member.lost() {
            self.commit_if_possible(positions).await?;
        }
        let positions_hold = !self.member.lost();
        let owned: Vec<_> =
            if positions_hold { positions.keys().cloned().collect() } else { Vec::new() };
        let assigned = self.member.join(&owned).await?;
        // Whoever gives something up in a cooperative rebalance joins again, so that it can be
        // given to another.
        if self.member.options().assignors.cooperative()
            && owned.iter().any(|partition| !assigned.contains(partition))
        {
            self.member.join_again();
        }
        let new: Vec<_> =
            assigned.iter().filter(|partition| !owned.contains(partition)).cloned().collect();
        let committed = self.member.committed(&new).await?;
        let assigned = assigned.into_iter().map(|partition| {
            let offset = committed.get(&partition).copied();
            (partition, offset)
        });
        Ok(Some(Change { assigned: assigned.collect(), positions_hold }))
    }

    pub async fn commit(
        &mut self,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ConsumeError> {
        self.member.commit(positions).await?;
        self.committed_at = socket::now();
        self.committed.clone_from(positions);
        Ok(())
    }

    pub async fn close(
        mut self,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ConsumeError> {
        if self.auto_commit.is_some() && !self.member.lost() {
            self.commit_if_possible(positions).await?;
        }
        Ok(self.member.leave().await?)
    }

    async fn commit_if_due(
        &mut self,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ConsumeError> {
        let age = socket::now().saturating_duration_since(self.committed_at);
        if self.auto_commit.is_some_and(|interval| age >= interval) {
            self.committed_at = socket::now();
            self.commit_if_possible(positions).await?;
        }
        Ok(())
    }

    /// A group that rebalances takes no commits; whoever reads on from an older one reads again
    /// what was read before, which a consumer must bear in any case.
    async fn commit_if_possible(
        &mut self,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ConsumeError> {
        if *positions == self.committed {
            return Ok(());
        }
        match self.commit(positions).await {
            Ok(()) => Ok(()),
            Err(ConsumeError::Group(error)) if error.retriable() || self.member.must_join() => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
