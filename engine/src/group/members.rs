//! The members of one group, with the counts that would be too slow to take anew on every join:
//! how many members offer each protocol, and how many wait for the joining phase to end.

use std::collections::BTreeMap;

use crate::group::member::Member;
use crate::group::protocols::Protocols;
use crate::group::{InstanceId, MemberId, RequestId};
use crate::types::Millis;

/// Invariants: `instances` has exactly the static members; `offers` counts the members that offer
/// each protocol, without zeros; `joining` counts the members with a parked JoinGroup.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    by_id: BTreeMap<MemberId, Member>,
    instances: BTreeMap<InstanceId, MemberId>,
    offers: BTreeMap<String, usize>,
    joining: usize,
}

impl Members {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn contains(&self, id: &MemberId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn get(&self, id: &MemberId) -> Option<&Member> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.by_id.values()
    }

    /// The member that holds this instance id.
    pub(crate) fn of_instance(&self, instance: &InstanceId) -> Option<&MemberId> {
        self.instances.get(instance)
    }

    /// How many members have a parked JoinGroup.
    pub(crate) fn joining(&self) -> usize {
        self.joining
    }

    /// Whether every member offers this protocol.
    pub(crate) fn all_offer(&self, protocol: &str) -> bool {
        self.offers.get(protocol).is_some_and(|count| *count == self.by_id.len())
    }

    pub(crate) fn rebalance_timeout_max(&self) -> Millis {
        self.by_id.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// The protocol that all offer and most prefer; of equals, the one that `judge` prefers.
    /// `None` if there is none that all offer.
    pub(crate) fn elect_protocol(&self, judge: &MemberId) -> Option<String> {
        let judge = self.by_id.get(judge).or_else(|| self.by_id.values().next())?;
        let candidates: Vec<&str> =
            judge.protocols.names().filter(|name| self.all_offer(name)).collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.by_id.values() {
            // A set for each member would cost more than it saves: candidates are a handful.
            let vote = member.protocols.names().find(|name| candidates.contains(name));
            if let Some(name) = vote {
                *votes.entry(name).or_default() += 1;
            }
        }
        let count = |name: &str| votes.get(name).copied().unwrap_or_default();
        let most = candidates.iter().map(|name| count(name)).max()?;
        candidates.into_iter().find(|name| count(name) == most).map(str::to_owned)
    }

    /// The member's id and its instance id must be free.
    pub(crate) fn add(&mut self, member: Member) {
        assert!(!self.by_id.contains_key(&member.id), "member {} is there already", member.id);
        if let Some(instance) = &member.instance {
            let before = self.instances.insert(instance.clone(), member.id.clone());
            assert!(before.is_none(), "instance {instance} has a member already");
        }
        self.count(&member.protocols);
        self.joining += usize::from(member.parked_join.is_some());
        self.by_id.insert(member.id.clone(), member);
        self.assert_invariants();
    }

    pub(crate) fn remove(&mut self, id: &MemberId) -> Option<Member> {
        let member = self.by_id.remove(id)?;
        self.discount(&member.protocols);
        self.joining -= usize::from(member.parked_join.is_some());
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        self.assert_invariants();
        Some(member)
    }

    /// Changes what a member offers and how long it may take.
    pub(crate) fn update(
        &mut self,
        id: &MemberId,
        protocols: Protocols,
        session_timeout: Millis,
        rebalance_timeout: Millis,
    ) {
        let Some(member) = self.by_id.get_mut(id) else { return };
        member.session_timeout = session_timeout;
        member.rebalance_timeout = rebalance_timeout;
        let before = std::mem::replace(&mut member.protocols, protocols.clone());
        self.discount(&before);
        self.count(&protocols);
        self.assert_invariants();
    }

    /// Parks a JoinGroup and hands back the one it displaces.
    pub(crate) fn park_join(&mut self, id: &MemberId, request: RequestId) -> Option<RequestId> {
        let member = self.by_id.get_mut(id)?;
        let before = member.parked_join.replace(request);
        self.joining += usize::from(before.is_none());
        before
    }

    pub(crate) fn take_join(&mut self, id: &MemberId) -> Option<RequestId> {
        let request = self.by_id.get_mut(id)?.parked_join.take()?;
        self.joining -= 1;
        Some(request)
    }

    /// Parks a SyncGroup and hands back the one it displaces.
    pub(crate) fn park_sync(&mut self, id: &MemberId, request: RequestId) -> Option<RequestId> {
        self.by_id.get_mut(id)?.parked_sync.replace(request)
    }

    pub(crate) fn take_sync(&mut self, id: &MemberId) -> Option<RequestId> {
        self.by_id.get_mut(id)?.parked_sync.take()
    }

    /// The member has been through a rebalance: from now on it knows its id.
    pub(crate) fn mark_known(&mut self, id: &MemberId) {
        if let Some(member) = self.by_id.get_mut(id) {
            member.is_new = false;
        }
    }

    /// Gives each member what `assignment_of` says.
    pub(crate) fn assign(&mut self, mut assignment_of: impl FnMut(&MemberId) -> bytes::Bytes) {
        for member in self.by_id.values_mut() {
            member.assignment = assignment_of(&member.id);
        }
    }

    pub(crate) fn ids(&self) -> Vec<MemberId> {
        self.by_id.keys().cloned().collect()
    }

    fn count(&mut self, protocols: &Protocols) {
        for name in protocols.names() {
            *self.offers.entry(name.to_owned()).or_default() += 1;
        }
    }

    fn discount(&mut self, protocols: &Protocols) {
        for name in protocols.names() {
            let left = match self.offers.get_mut(name) {
                Some(count) => {
                    *count -= 1;
                    *count
                }
                None => continue,
            };
            if left == 0 {
                self.offers.remove(name);
            }
        }
    }

    fn assert_invariants(&self) {
        debug_assert_eq!(
            self.joining,
            self.by_id.values().filter(|member| member.parked_join.is_some()).count()
        );
        debug_assert!(self.instances.iter().all(|(instance, id)| {
            self.by_id.get(id).is_some_and(|member| member.instance.as_ref() == Some(instance))
        }));
        debug_assert_eq!(
            self.instances.len(),
            self.by_id.values().filter(|member| member.is_static()).count()
        );
        debug_assert!(self.offers.iter().all(|(name, count)| {
            let offering =
                self.by_id.values().filter(|member| member.protocols.metadata(name).is_some());
            *count > 0 && offering.count() == *count
        }));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::group::Protocol;

    fn member(id: &str, protocols: &[&str]) -> Member {
        let offered: Vec<Protocol> = protocols
            .iter()
            .map(|name| Protocol { name: (*name).to_owned(), metadata: Bytes::new() })
            .collect();
        Member {
            id: MemberId::new(id),
            instance: None,
            client_id: String::new(),
            client_host: String::new(),
            session_timeout: Millis(1),
            rebalance_timeout: Millis(1),
            protocols: Protocols::new(&offered),
            assignment: Bytes::new(),
            parked_join: None,
            parked_sync: None,
            is_new: false,
        }
    }

    fn elected(members: &[(&str, &[&str])], judge: &str) -> Option<String> {
        let mut all = Members::default();
        for (id, protocols) in members {
            all.add(member(id, protocols));
        }
        all.elect_protocol(&MemberId::new(judge))
    }

    #[test]
    fn the_protocol_most_members_prefer_wins() {
        let members: [(&str, &[&str]); 3] =
            [("a", &["range", "sticky"]), ("b", &["sticky", "range"]), ("c", &["sticky", "range"])];
        assert_eq!(elected(&members, "a").as_deref(), Some("sticky"));
    }

    #[test]
    fn a_protocol_that_one_member_lacks_cannot_win() {
        let members: [(&str, &[&str]); 3] =
            [("a", &["sticky", "range"]), ("b", &["sticky", "range"]), ("c", &["range"])];
        assert_eq!(elected(&members, "a").as_deref(), Some("range"));
    }

    #[test]
    fn of_two_protocols_with_equal_votes_the_leader_s_choice_wins() {
        let members: [(&str, &[&str]); 2] =
            [("a", &["range", "sticky"]), ("b", &["sticky", "range"])];
        assert_eq!(elected(&members, "a").as_deref(), Some("range"));
        assert_eq!(elected(&members, "b").as_deref(), Some("sticky"));
    }

    #[test]
    fn members_without_a_common_protocol_elect_none() {
        let members: [(&str, &[&str]); 2] = [("a", &["range"]), ("b", &["sticky"])];
        assert_eq!(elected(&members, "a"), None);
    }
}
