//! Random dialogues of a few consumers with one coordinator, held against what must never happen,
//! whatever the order of joins, leaves, crashes, timeouts, failed appends and take-overs:
//! two members with one partition in one generation, a generation that goes back, a rebalance for
//! no reason, a request without an answer or with two, a state that the log does not give back.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use codec::Uuid;
use engine::group::{
    AppendFailure, CommitPartition, CommitTopic, Coordinator, DeleteGroup, DescribeGroup,
    Described, Generation, GroupError, GroupId, GroupOptions, GroupState, Heartbeat, Input,
    InstanceId, JoinGroup, LeaveGroup, Leaving, MemberId, Now, OffsetCommit, OffsetFetch, Output,
    Protocol, RecordBytes, Reply, Request, RequestId, SyncGroup, Ticket,
};
use engine::records::group::{GroupKey, GroupValue};
use engine::types::{Millis, PartitionIndex, Timestamp, TopicName};
use proptest::prelude::*;

use crate::command::subscription;

const CLIENTS: usize = 5;
const PARTITIONS: usize = 6;

/// What happens next.
#[derive(Clone, Debug)]
enum Deed {
    /// The client does what a consumer does next in its situation.
    Act(usize),
    /// The client wants other topics, and joins again for that.
    Change(usize),
    Leave(usize),
    /// The client forgets everything and starts anew, as after a restart.
    Crash(usize),
    Commit(usize),
    Advance(u64),
    /// The oldest append under way ends well.
    Land,
    Fail,
    /// Another node takes the partition over; what is under way is lost.
    TakeOver,
}

fn deeds(with_failures: bool) -> impl Strategy<Value = Vec<Deed>> {
    let client = 0..CLIENTS;
    let failure = if with_failures { 1 } else { 0 };
    let deed = prop_oneof![
        30 => client.clone().prop_map(Deed::Act),
        2 => client.clone().prop_map(Deed::Change),
        1 => client.clone().prop_map(Deed::Leave),
        2 => client.clone().prop_map(Deed::Crash),
        4 => client.prop_map(Deed::Commit),
        6 => (0..4000u64).prop_map(Deed::Advance),
        1 => (4000..70_000u64).prop_map(Deed::Advance),
        12 => Just(Deed::Land),
        failure => Just(Deed::Fail),
        failure => Just(Deed::TakeOver),
    ];
    proptest::collection::vec(deed, 0..200)
}

/// What a client believes.
#[derive(Clone, Debug, Default)]
struct Client {
    member: Option<MemberId>,
    generation: Option<Generation>,
    protocol: Option<String>,
    /// Whom to assign to, if it leads.
    to_assign: Vec<MemberId>,
    /// It joined and has no assignment yet.
    must_sync: bool,
    must_join: bool,
    waits_for: Option<RequestId>,
    version: usize,
}

struct World {
    options: GroupOptions,
    coordinator: Coordinator,
    now: u64,
    clients: Vec<Client>,
    requests: u64,
    joins: u16,
    /// Requests without an answer yet, and who asked.
    asked: BTreeMap<RequestId, usize>,
    under_way: BTreeMap<Ticket, Vec<RecordBytes>>,
    log: Vec<RecordBytes>,
    owners: BTreeMap<(Generation, u8), usize>,
    /// Which client got which member id.
    named: BTreeMap<MemberId, usize>,
    last_joined: Generation,
    last_synced: Generation,
    has_failed: bool,
}

impl World {
    fn new() -> Self {
        let options =
            GroupOptions { initial_rebalance_delay: Millis(1000), ..GroupOptions::default() };
        let mut world = Self {
            coordinator: Coordinator::new(options.clone()),
            options,
            now: 0,
            clients: vec![Client { must_join: true, ..Client::default() }; CLIENTS],
            requests: 0,
            joins: 0,
            asked: BTreeMap::new(),
            under_way: BTreeMap::new(),
            log: Vec::new(),
            owners: BTreeMap::new(),
            named: BTreeMap::new(),
            last_joined: Generation::ZERO,
            last_synced: Generation::ZERO,
            has_failed: false,
        };
        world.coordinator.loaded(world.moment(), &mut Vec::new());
        world
    }

    fn moment(&self) -> Now {
        let wall = 1_700_000_000_000 + i64::try_from(self.now).unwrap();
        Now { monotonic: Millis(self.now), wall: Timestamp(wall) }
    }

    fn do_it(&mut self, deed: &Deed) {
        match deed {
            Deed::Act(client) => self.act(*client),
            Deed::Change(client) => {
                self.clients[*client].version += 1;
                self.clients[*client].must_join = true;
            }
            Deed::Leave(client) => self.leave(*client),
            Deed::Crash(client) => {
                let version = self.clients[*client].version;
                self.clients[*client] = Client { must_join: true, version, ..Client::default() };
            }
            Deed::Commit(client) => self.commit(*client),
            Deed::Advance(span) => self.advance(*span),
            Deed::Land => {
                if let Some((ticket, records)) = self.under_way.pop_first() {
                    self.log.extend(records);
                    self.step(Input::Appended { ticket });
                }
            }
            Deed::Fail => {
                if let Some((ticket, _)) = self.under_way.pop_first() {
                    self.has_failed = true;
                    let failure = AppendFailure::Unavailable;
                    self.step(Input::AppendFailed { ticket, failure });
                    // As after a take-over: what was not stored may be counted a second time.
                    self.last_joined = self.last_synced;
                }
            }
            Deed::TakeOver => self.take_over(),
        }
    }

    fn act(&mut self, index: usize) {
        let client = self.clients[index].clone();
        if client.waits_for.is_some() {
            return;
        }
        let request = match (client.must_join, client.member.clone(), client.generation) {
            (false, Some(member), Some(generation)) if client.must_sync => {
                Request::SyncGroup(sync(index, &client, member, generation))
            }
            (false, Some(member), Some(generation)) => Request::Heartbeat(Heartbeat {
                group: GroupId::new("g"),
                generation: Some(generation),
                member: Some(member),
                instance: instance(index),
            }),
            _ => {
                self.joins += 1;
                Request::JoinGroup(join(index, &client, self.joins))
            }
        };
        self.ask(index, request);
    }

    fn leave(&mut self, index: usize) {
        let Some(member) = self.clients[index].member.clone() else { return };
        if self.clients[index].waits_for.is_some() {
            return;
        }
        let version = self.clients[index].version;
        self.clients[index] = Client { must_join: true, version, ..Client::default() };
        let members = vec![Leaving { member: Some(member), instance: None, reason: None }];
        let id = self.next_id();
        self.asked.insert(id, index);
        let request = Request::LeaveGroup(LeaveGroup { group: GroupId::new("g"), members });
        self.step(Input::Request { id, request });
    }

    /// A commit on its own connection: it does not hold the client up.
    fn commit(&mut self, index: usize) {
        let client = &self.clients[index];
        let partition = CommitPartition {
            index: PartitionIndex::new(u32::try_from(index % 3).unwrap()).unwrap(),
            offset: i64::try_from(self.requests).unwrap(),
            leader_epoch: None,
            metadata: None,
        };
        let topic = CommitTopic {
            name: TopicName::new("t").unwrap(),
            id: None,
            partitions: vec![partition],
        };
        let request = Request::OffsetCommit(OffsetCommit {
            group: GroupId::new("g"),
            generation: client.generation,
            member: client.member.clone(),
            instance: None,
            retention: None,
            group_id_not_found_supported: true,
            transaction: None,
            topics: vec![topic],
        });
        let id = self.next_id();
        self.asked.insert(id, index);
        self.step_without_rebalance(Input::Request { id, request });
    }

    fn advance(&mut self, span: u64) {
        let end = self.now + span;
        while let Some(deadline) = self.coordinator.next_deadline().filter(|it| it.0 <= end) {
            self.now = self.now.max(deadline.0);
            self.step(Input::Tick);
        }
        self.now = end;
    }

    fn take_over(&mut self) {
        let next = Coordinator::new(self.options.clone());
        let before = std::mem::replace(&mut self.coordinator, next);
        let mut outputs = Vec::new();
        before.unload(&mut outputs);
        self.under_way.clear();
        self.has_failed = true;
        self.hear(outputs);
        assert!(self.asked.is_empty(), "unloaded without an answer to {:?}", self.asked);
        // A generation whose assignment was not stored may be counted a second time.
        self.last_joined = self.last_synced;
        let now = self.moment();
        self.coordinator = replayed(&self.options, &self.log, now);
    }

    fn next_id(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    fn ask(&mut self, index: usize, request: Request) {
        let id = self.next_id();
        self.asked.insert(id, index);
        self.clients[index].waits_for = Some(id);
        match request {
            Request::Heartbeat(_) => {
                self.step_without_rebalance(Input::Request { id, request });
            }
            request => self.step(Input::Request { id, request }),
        }
    }

    /// A heartbeat or a commit answers itself and nothing else, and the group stays as it is.
    fn step_without_rebalance(&mut self, input: Input) {
        let now = self.moment();
        let before = describe(&mut self.coordinator, now);
        let mut outputs = Vec::new();
        self.coordinator.step(now, input, &mut outputs);
        let others = outputs.iter().filter(|output| match output {
            Output::Reply { reply, .. } => {
                matches!(reply, Reply::JoinGroup(_) | Reply::SyncGroup(_))
            }
            Output::Append { records, .. } => records.iter().any(|(key, _)| {
                matches!(GroupKey::decode(key).unwrap(), GroupKey::GroupMetadata(_))
            }),
            Output::AppendMarker { .. } => true,
        });
        assert_eq!(others.count(), 0, "{outputs:?}");
        assert_eq!(before, describe(&mut self.coordinator, now));
        self.hear(outputs);
    }

    fn step(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.coordinator.step(self.moment(), input, &mut outputs);
        self.hear(outputs);
    }

    fn hear(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::AppendMarker { .. } => panic!("nobody has transactions here"),
                Output::Append { ticket, records, transaction } => {
                    assert_eq!(transaction, None, "nobody has transactions here");
                    let last = self.under_way.last_key_value().map(|(last, _)| *last);
                    assert!(last < Some(ticket), "tickets rise");
                    self.under_way.insert(ticket, records);
                }
                Output::Reply { request, reply } => {
                    let client = self.asked.remove(&request);
                    let client = client.unwrap_or_else(|| panic!("{request:?} is answered twice"));
                    self.check(client, &reply);
                    if self.clients[client].waits_for == Some(request) {
                        self.clients[client].waits_for = None;
                        self.believe(client, reply);
                    }
                }
            }
        }
    }

    /// What must hold of every answer, whether its client still listens or not.
    fn check(&mut self, client: usize, reply: &Reply) {
        match reply {
            Reply::JoinGroup(Ok(joined)) => {
                assert!(self.last_joined <= joined.generation, "a generation goes back");
                self.last_joined = joined.generation;
                let owner = *self.named.entry(joined.member.clone()).or_insert(client);
                assert_eq!(owner, client, "a member id given to two clients");
                let distinct: BTreeSet<_> = joined.members.iter().map(|it| &it.member).collect();
                assert_eq!(distinct.len(), joined.members.len());
            }
            Reply::SyncGroup(Ok(synced)) => {
                // Assignments start with their generation.
                let Some((start, partitions)) = synced.assignment.split_first_chunk::<4>() else {
                    return;
                };
                let generation = Generation::from_wire(i32::from_be_bytes(*start)).unwrap();
                assert!(self.last_synced <= generation, "an assignment of the past");
                self.last_synced = generation;
                for partition in partitions {
                    let owner = *self.owners.entry((generation, *partition)).or_insert(client);
                    assert_eq!(owner, client, "two own {partition} in {generation}");
                }
            }
            _ => {}
        }
    }

    fn believe(&mut self, index: usize, reply: Reply) {
        let client = &mut self.clients[index];
        match reply {
            Reply::JoinGroup(Ok(joined)) => {
                client.member = Some(joined.member);
                client.generation = Some(joined.generation);
                client.protocol = joined.protocol;
                client.to_assign = if joined.skip_assignment {
                    Vec::new()
                } else {
                    joined.members.into_iter().map(|it| it.member).collect()
                };
                client.must_join = false;
                client.must_sync = true;
            }
            Reply::JoinGroup(Err(refused)) => match refused.error {
                GroupError::MemberIdRequired => client.member = refused.member,
                GroupError::UnknownMemberId | GroupError::FencedInstanceId => client.member = None,
                _ => {}
            },
            Reply::SyncGroup(Ok(_)) => client.must_sync = false,
            Reply::SyncGroup(Err(error)) | Reply::Heartbeat(Err(error)) => {
                client.must_join = true;
                client.generation = None;
                if matches!(error, GroupError::UnknownMemberId | GroupError::FencedInstanceId) {
                    client.member = None;
                }
            }
            _ => {}
        }
    }

    /// Lets everything under way land, and holds the log against the living coordinator.
    fn settle(&mut self) {
        while let Some((ticket, records)) = self.under_way.pop_first() {
            self.log.extend(records);
            self.step(Input::Appended { ticket });
        }
        let now = self.moment();
        let mut replayed = replayed(&self.options, &self.log, now);
        let living = fetch(&mut self.coordinator, now);
        assert_eq!(living, fetch(&mut replayed, now));
        assert_eq!(living, offsets_of(&self.log));
        let living = describe(&mut self.coordinator, now);
        let is_at_rest = living
            .as_ref()
            .is_some_and(|it| matches!(it.state, GroupState::Stable | GroupState::Empty));
        // After a failed append the log may be behind, which a take-over then undoes.
        if is_at_rest && !self.has_failed {
            assert_eq!(living, describe(&mut replayed, now));
        }
    }

    /// Everybody goes silent: nothing may stay unanswered for ever.
    fn end(&mut self) {
        self.advance(3_600_000);
        self.settle();
        self.advance(3_600_000);
        self.settle();
        assert!(self.asked.is_empty(), "no answer to {:?}", self.asked);
        let now = self.moment();
        let members = describe(&mut self.coordinator, now).map(|it| it.members);
        assert_eq!(members.unwrap_or_default(), [], "the silent are still members");
    }
}

fn instance(client: usize) -> Option<InstanceId> {
    (client >= 3).then(|| InstanceId::new(&format!("i{client}")))
}

fn join(index: usize, client: &Client, joins: u16) -> JoinGroup {
    let mut unique = Uuid([0; 16]);
    unique.0[14..].copy_from_slice(&joins.to_be_bytes());
    let topics = format!("t{}", client.version);
    let protocol = |name: &str| Protocol {
        name: name.to_owned(),
        metadata: subscription(std::iter::once(topics.as_str())),
    };
    let mut protocols = vec![protocol("range"), protocol("sticky")];
    if index.is_multiple_of(2) {
        protocols.reverse();
    }
    JoinGroup {
        group: GroupId::new("g"),
        member: client.member.clone(),
        instance: instance(index),
        client_id: format!("c{index}"),
        client_host: "/h".to_owned(),
        session_timeout: Millis(6000),
        rebalance_timeout: Millis(9000),
        protocol_type: "consumer".to_owned(),
        protocols,
        reason: None,
        unique,
        member_id_required: index != 0,
        skip_assignment_supported: index != 4,
    }
}

/// The leader deals the partitions out in turn; an assignment says which generation it is of.
fn sync(index: usize, client: &Client, member: MemberId, generation: Generation) -> SyncGroup {
    let mut dealt: BTreeMap<MemberId, Vec<u8>> = BTreeMap::new();
    for (place, member) in client.to_assign.iter().enumerate() {
        let mut bytes = generation.to_wire().to_be_bytes().to_vec();
        let own = (0..PARTITIONS).filter(|it| it % client.to_assign.len() == place);
        bytes.extend(own.map(|it| u8::try_from(it).unwrap()));
        dealt.insert(member.clone(), bytes);
    }
    SyncGroup {
        group: GroupId::new("g"),
        generation: Some(generation),
        member: Some(member),
        instance: instance(index),
        protocol_type: Some("consumer".to_owned()),
        protocol: client.protocol.clone(),
        assignments: dealt.into_iter().map(|(id, bytes)| (id, Bytes::from(bytes))).collect(),
    }
}

fn replayed(options: &GroupOptions, log: &[RecordBytes], now: Now) -> Coordinator {
    let mut coordinator = Coordinator::new(options.clone());
    for (key, value) in log {
        coordinator.replay(now, key, value.as_ref()).unwrap();
    }
    let mut outputs = Vec::new();
    coordinator.loaded(now, &mut outputs);
    assert_eq!(outputs, []);
    coordinator
}

/// Asks outside the count of requests.
fn ask_aside(coordinator: &mut Coordinator, now: Now, request: Request) -> Reply {
    let mut outputs = Vec::new();
    coordinator.step(now, Input::Request { id: RequestId(0), request }, &mut outputs);
    match outputs.pop() {
        Some(Output::Reply { reply, .. }) if outputs.is_empty() => reply,
        other => panic!("{other:?} {outputs:?}"),
    }
}

fn describe(coordinator: &mut Coordinator, now: Now) -> Option<Described> {
    let request = Request::DescribeGroup(DescribeGroup { group: GroupId::new("g") });
    match ask_aside(coordinator, now, request) {
        Reply::DescribeGroup(described) => described.ok(),
        other => panic!("{other:?}"),
    }
}

type Offsets = BTreeMap<(String, i32), i64>;

fn fetch(coordinator: &mut Coordinator, now: Now) -> Offsets {
    let request = Request::OffsetFetch(OffsetFetch {
        group: GroupId::new("g"),
        member: None,
        epoch: None,
        topics: None,
        require_stable: false,
    });
    let Reply::OffsetFetch(Ok(topics)) = ask_aside(coordinator, now, request) else {
        panic!("a fetch of all offsets succeeds")
    };
    let mut offsets = Offsets::new();
    for topic in topics {
        for (index, found) in topic.partitions {
            let found = found.unwrap().expect("all means those that are there");
            offsets.insert((topic.name.clone(), index.to_wire()), found.offset);
        }
    }
    offsets
}

/// The offsets that the log holds, by the format alone.
fn offsets_of(log: &[RecordBytes]) -> Offsets {
    let mut offsets = Offsets::new();
    for (key, value) in log {
        let GroupKey::OffsetCommit(key) = GroupKey::decode(key).unwrap() else { continue };
        let place = (key.topic, key.partition);
        match value.as_ref().map(|bytes| GroupValue::decode(1, bytes).unwrap()) {
            Some(GroupValue::OffsetCommit(value)) => offsets.insert(place, value.offset),
            _ => offsets.remove(&place),
        };
    }
    offsets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_log_gives_back_what_members_and_readers_were_told(deeds in deeds(false)) {
        let mut world = World::new();
        for deed in &deeds {
            world.do_it(deed);
        }
        world.settle();
        world.end();
    }

    #[test]
    fn failures_and_take_overs_never_give_one_partition_to_two(deeds in deeds(true)) {
        let mut world = World::new();
        for deed in &deeds {
            world.do_it(deed);
        }
        world.settle();
        world.end();
    }
}

#[test]
fn a_group_of_many_offsets_is_deleted_in_parts_and_entirely() {
    let mut world = World::new();
    let partition = |index| CommitPartition {
        index: PartitionIndex::new(index).unwrap(),
        offset: 1,
        leader_epoch: None,
        metadata: None,
    };
    let topic = CommitTopic {
        name: TopicName::new("t").unwrap(),
        id: None,
        partitions: (0..2500).map(partition).collect(),
    };
    let commit = OffsetCommit {
        group: GroupId::new("g"),
        generation: None,
        member: None,
        instance: None,
        retention: None,
        group_id_not_found_supported: true,
        transaction: None,
        topics: vec![topic],
    };
    world.ask(0, Request::OffsetCommit(commit));
    world.settle();
    world.ask(0, Request::DeleteGroup(DeleteGroup { group: GroupId::new("g") }));
    let mut parts = Vec::new();
    while let Some(records) = world.under_way.values().next() {
        parts.push(records.len());
        world.do_it(&Deed::Land);
    }
    assert_eq!(parts, [1000, 1000, 501]);
    assert!(world.asked.is_empty());
    world.settle();
    let now = world.moment();
    assert_eq!(describe(&mut world.coordinator, now), None);
    assert_eq!(fetch(&mut replayed(&world.options, &world.log, now), now), Offsets::new());
}

#[test]
fn consumers_that_just_go_on_come_to_rest_with_everything_assigned() {
    let mut world = World::new();
    for _ in 0..60 {
        for client in 0..CLIENTS {
            world.do_it(&Deed::Act(client));
            world.do_it(&Deed::Land);
        }
        world.do_it(&Deed::Advance(500));
    }
    let now = world.moment();
    let described = describe(&mut world.coordinator, now).unwrap();
    assert_eq!(described.state, GroupState::Stable);
    assert_eq!(described.members.len(), CLIENTS);
    let generation = world.last_synced;
    let owned = world.owners.keys().filter(|(at, _)| *at == generation).count();
    assert_eq!(owned, PARTITIONS);
    // From here on nothing rebalances.
    let joins = world.joins;
    for _ in 0..20 {
        for client in 0..CLIENTS {
            world.do_it(&Deed::Act(client));
            world.do_it(&Deed::Commit(client));
        }
        world.do_it(&Deed::Land);
        world.do_it(&Deed::Advance(3000));
    }
    assert_eq!((world.joins, world.last_synced), (joins, generation));
}

/// Found by chance: nobody synchronised in any generation, and the record of the group left empty
/// was not stored either.
#[test]
fn a_group_that_was_never_stored_begins_anew_after_a_failed_append() {
    let mut world = World::new();
    let (join, fail) = (Deed::Act(3), Deed::Fail);
    let deeds = [join.clone(), fail.clone(), Deed::Advance(1000), Deed::Act(0)];
    for deed in deeds.iter().chain(&[Deed::Advance(12_000), fail, join.clone(), join]) {
        world.do_it(deed);
    }
    world.settle();
    world.end();
}
