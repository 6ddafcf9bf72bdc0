//! Members of a group: they join, share work out, tell that they live, commit and leave. Who is heard
//! of in time is never thrown out, whatever the clock on the wall shows.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::group::{
    Generation, GroupError, GroupId, Heartbeat, JoinGroup, LeaveGroup, Leaving, MemberId, Protocol,
    Reply, Request, SyncGroup,
};
use crate::io::Moment;
use crate::sim::client::Client;
use crate::types::Millis;

const SESSION: Duration = Duration::from_millis(2000);
/// Who was heard of within this time is in no danger.
const SAFE: Duration = Duration::from_millis(1000);
const PROTOCOL: &str = "shares";

/// The leader of each generation of this run.
pub(super) type Leaders = BTreeMap<Generation, MemberId>;

/// A member in its generation.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) group: GroupId,
    pub(super) generation: Generation,
    pub(super) member: MemberId,
}

fn millis(duration: Duration) -> Millis {
    Millis(u64::try_from(duration.as_millis()).unwrap())
}

/// What a member is to do, as its leader says; no two are the same.
fn share(generation: Generation, member: &MemberId) -> Bytes {
    Bytes::from(format!("{generation:?} {member}"))
}

impl Client {
    pub(super) async fn be_member(mut self, group: GroupId, number: usize, rounds: usize) {
        if !self.has_groups().await {
            return;
        }
        let mut member = None;
        let mut rounds = rounds;
        while 0 < rounds && !self.is_stopping() {
            rounds -= 1;
            let Some(membership) = self.join(&group, member.take()).await else { continue };
            member = Some(membership.member.clone());
            let mut heard = self.now();
            while 0 < rounds && !self.is_stopping() {
                rounds -= 1;
                self.sim.sleep(Duration::from_micros(self.random.below(60_000))).await;
                if self.one_in(3) {
                    let known = self.model.borrow().live_partitions();
                    let index = |at: usize| usize::try_from(known[at].index.get()).unwrap();
                    let own: Vec<_> =
                        (0..known.len()).filter(|at| index(*at) % 2 == number).collect();
                    if let Some(at) = self.one_of(&own) {
                        self.commit(&group, known[at], Some(&membership)).await;
                    }
                }
                if !self.tell_of_life(&membership, &mut heard).await {
                    break;
                }
            }
        }
        if let Some(member) = member.filter(|_| self.one_in(2)) {
            let leaving = Leaving { member: Some(member), instance: None, reason: None };
            let leave = LeaveGroup { group: group.clone(), members: vec![leaving] };
            self.ask_group(&group, Request::LeaveGroup(leave)).await;
        }
    }

    /// A heartbeat. False if the member has to join again.
    async fn tell_of_life(&self, membership: &Membership, heard: &mut Moment) -> bool {
        let heartbeat = Heartbeat {
            group: membership.group.clone(),
            generation: Some(membership.generation),
            member: Some(membership.member.clone()),
            instance: None,
        };
        let silence = self.now().since(*heard);
        let reply = self.ask_group(&membership.group, Request::Heartbeat(heartbeat)).await;
        let Some(Reply::Heartbeat(answer)) = reply else { return false };
        *heard = self.now();
        match answer {
            Ok(()) => true,
            Err(GroupError::RebalanceInProgress) => false,
            Err(error) => {
                self.note(format!("heartbeat: {error}, after {silence:?}"));
                assert!(SAFE < silence || self.groups_may_fail() || self.is_stopping(), "{error}");
                false
            }
        }
    }

    /// Joins and learns its share. `None` if it has to begin again.
    async fn join(&mut self, group: &GroupId, member: Option<MemberId>) -> Option<Membership> {
        let join = JoinGroup {
            group: group.clone(),
            member,
            instance: None,
            client_id: self.name.clone(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout: millis(SESSION),
            rebalance_timeout: millis(SESSION),
            protocol_type: "crew".to_owned(),
            protocols: vec![Protocol { name: PROTOCOL.to_owned(), metadata: Bytes::new() }],
            reason: None,
            unique: self.broker.runtime().random_uuid(),
            member_id_required: false,
            skip_assignment_supported: false,
        };
        let reply = self.ask_group(group, Request::JoinGroup(join)).await?;
        let Reply::JoinGroup(joined) = reply else { panic!("{reply:?}") };
        let joined = match joined {
            Ok(joined) => joined,
            Err(refused) => {
                self.note(format!("cannot join: {}", refused.error));
                return None;
            }
        };
        self.note(format!("joined {group}: {:?} as {}", joined.generation, joined.member));
        let leader = joined.leader.clone().unwrap();
        let known = {
            let mut model = self.model.borrow_mut();
            model.leaders.entry(joined.generation).or_insert_with(|| leader.clone()).clone()
        };
        assert_eq!(known, leader, "{:?} has two leaders", joined.generation);
        let generation = joined.generation;
        let members = joined.members.iter();
        let sync = SyncGroup {
            group: group.clone(),
            generation: Some(generation),
            member: Some(joined.member.clone()),
            instance: None,
            protocol_type: None,
            protocol: None,
            assignments: members
                .map(|it| (it.member.clone(), share(generation, &it.member)))
                .collect(),
        };
        let reply = self.ask_group(group, Request::SyncGroup(sync)).await?;
        let Reply::SyncGroup(synced) = reply else { panic!("{reply:?}") };
        match synced {
            Ok(synced) => {
                assert_eq!(synced.assignment, share(generation, &joined.member), "another's share");
                Some(Membership { group: group.clone(), generation, member: joined.member })
            }
            Err(error) => {
                self.note(format!("no share: {error}"));
                None
            }
        }
    }
}
