//! DescribeGroups and ListGroups: what tools show of a group.

use bytes::Bytes;

use crate::group::group::Group;
use crate::group::protocols::CONSUMER_PROTOCOL_TYPE;
use crate::group::{Described, DescribedMember, GroupKind, GroupState, ListGroups, Listed};

/// What Kafka lists for share groups.
const SHARE_PROTOCOL_TYPE: &str = "share";
/// What Kafka lists for streams groups.
const STREAMS_PROTOCOL_TYPE: &str = "streams";

impl Group {
    pub(crate) fn describe(&self) -> Described {
        // Between generations the subscriptions are about to change.
        let is_stable = self.state == GroupState::Stable;
        let when_stable = |bytes: Bytes| if is_stable { bytes } else { Bytes::new() };
        let members = self.members.iter().map(|member| DescribedMember {
            member: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: when_stable(self.metadata_of(member)),
            assignment: member.assignment.clone(),
        });
        let protocol = self.protocol.clone().filter(|_| is_stable);
        Described {
            group: self.id.clone(),
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.unwrap_or_default(),
            members: members.collect(),
        }
    }

    pub(crate) fn listed(&self) -> Listed {
        let group = self.id.clone();
        if let Some(share) = &self.share {
            return Listed {
                group,
                protocol_type: SHARE_PROTOCOL_TYPE.to_owned(),
                kind: GroupKind::Share,
                state: share.durable.state(),
            };
        }
        if let Some(streams) = &self.streams {
            return Listed {
                group,
                protocol_type: STREAMS_PROTOCOL_TYPE.to_owned(),
                kind: GroupKind::Streams,
                state: streams.staged.durable.state(),
            };
        }
        match &self.consumer {
            Some(consumer) => Listed {
                group,
                protocol_type: CONSUMER_PROTOCOL_TYPE.to_owned(),
                kind: GroupKind::Consumer,
                state: consumer.durable.state().name(),
            },
            None => Listed {
                group,
                protocol_type: self.protocol_type.clone().unwrap_or_default(),
                kind: GroupKind::Classic,
                state: self.state.name(),
            },
        }
    }

    pub(crate) fn passes(&self, filter: &ListGroups) -> bool {
        let Listed { state, kind, .. } = self.listed();
        let is_in = |names: &[String], name: &str| {
            names.is_empty() || names.iter().any(|it| it.trim().eq_ignore_ascii_case(name))
        };
        is_in(&filter.states, state) && is_in(&filter.types, kind.name())
    }
}
