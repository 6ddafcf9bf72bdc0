//! Random dialogues of a few members of the newer protocol with one coordinator, held against what
//! must never happen, whatever heartbeat is lost, comes twice or comes late, whatever append fails,
//! and whoever takes over: two members with one partition, an epoch that goes back, a member that
//! never comes to rest, a state that the log does not give back. (T-46, T-47)

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use codec::Uuid;
use engine::group::{
    AppendFailure, Beat, ConsumerHeartbeat, ConsumerOptions, ConsumerState, Coordinator,
    DescribeGroup, DescribedConsumerGroup, Epoch, GroupError, GroupId, GroupOptions, Input,
    InstanceId, MemberId, Now, Output, Partitions, RecordBytes, Reply, Request, RequestId,
    Standing, Ticket,
};
use engine::types::{Millis, PartitionIndex, Timestamp, TopicId};
use proptest::prelude::*;

use crate::cluster::Topics;

const CLIENTS: usize = 5;
/// Rounds in which everything arrives, after which all must be at rest.
const ROUNDS: usize = 40;
/// No member that may go on is shown in such an epoch: it has to join first, or again.
const FENCED_MAX: i32 = 0;

#[derive(Clone, Debug)]
enum Deed {
    /// The client sends a heartbeat; the one before it has gone lost if it was not answered.
    Beat(usize),
    /// What it sent last arrives, for the first time or again.
    Deliver(usize),
    /// What it sent before that arrives only now.
    DeliverLate(usize),
    /// Its newest answer arrives.
    Answer(usize),
    Change(usize),
    Leave(usize),
    Crash(usize),
    Grow,
    Advance(u64),
    Land,
    Fail,
    TakeOver,
}

fn deeds(is_late: bool) -> impl Strategy<Value = Vec<Deed>> {
    let client = 0..CLIENTS;
    let late =
        move |client| if is_late { Deed::DeliverLate(client) } else { Deed::Deliver(client) };
    let deed = prop_oneof![
        24 => client.clone().prop_map(Deed::Beat),
        24 => client.clone().prop_map(Deed::Deliver),
        6 => client.clone().prop_map(late),
        24 => client.clone().prop_map(Deed::Answer),
        2 => client.clone().prop_map(Deed::Change),
        1 => client.clone().prop_map(Deed::Leave),
        1 => client.prop_map(Deed::Crash),
        1 => Just(Deed::Grow),
        6 => (0..4000u64).prop_map(Deed::Advance),
        1 => (4000..60_000u64).prop_map(Deed::Advance),
        20 => Just(Deed::Land),
        1 => Just(Deed::Fail),
        1 => Just(Deed::TakeOver),
    ];
    proptest::collection::vec(deed, 0..300)
}

/// What a client believes.
#[derive(Clone, Debug, Default)]
struct Client {
    incarnation: usize,
    epoch: Option<Epoch>,
    owned: Partitions,
    topics: Vec<String>,
    has_left: bool,
    sent: Vec<ConsumerHeartbeat>,
    /// The last of them that it has heard an answer to.
    heard: Option<usize>,
    /// The request whose answer it waits for.
    awaits: Option<RequestId>,
    answers: Vec<(RequestId, usize, Result<Beat, GroupError>)>,
}

struct World {
    options: GroupOptions,
    coordinator: Coordinator,
    topics: Topics,
    now: u64,
    clients: Vec<Client>,
    requests: u64,
    /// By whom: the client, its incarnation, and the place of what it sent.
    asked: BTreeMap<RequestId, (usize, usize, usize)>,
    under_way: BTreeMap<Ticket, Vec<RecordBytes>>,
    log: Vec<RecordBytes>,
    last_epoch: Epoch,
}

impl World {
    fn new() -> Self {
        let consumer = ConsumerOptions { assignment_interval: Millis(0), ..Default::default() };
        let options = GroupOptions { consumer, ..GroupOptions::default() };
        let clients =
            (0..CLIENTS).map(|_| Client { topics: vec!["t".to_owned()], ..Client::default() });
        let mut world = Self {
            coordinator: Coordinator::new(options.clone()),
            options,
            topics: Topics::new(),
            now: 0,
            clients: clients.collect(),
            requests: 0,
            asked: BTreeMap::new(),
            under_way: BTreeMap::new(),
            log: Vec::new(),
            last_epoch: Epoch::ZERO,
        };
        world.coordinator.set_cluster(Rc::new(world.topics.clone()));
        world.coordinator.loaded(world.moment(), &mut Vec::new());
        world
    }

    fn moment(&self) -> Now {
        let wall = 1_700_000_000_000 + i64::try_from(self.now).unwrap();
        Now { monotonic: Millis(self.now), wall: Timestamp(wall) }
    }

    /// Two of the clients are static members.
    fn instance(client: usize) -> Option<InstanceId> {
        (client < 2).then(|| InstanceId::new(&format!("i{client}")))
    }

    fn member(&self, client: usize) -> MemberId {
        MemberId::new(&format!("m{client}-{}", self.clients[client].incarnation))
    }

    fn do_it(&mut self, deed: &Deed) {
        match deed {
            Deed::Beat(client) => self.beat(*client, None),
            Deed::Deliver(client) => {
                // One that comes again after its answer was heard has come late.
                let state = &self.clients[*client];
                let last = state.sent.len().checked_sub(1);
                if let Some(last) = last.filter(|last| state.heard != Some(*last)) {
                    // Who sends again has given up the answer to the first.
                    self.deliver(*client, last);
                }
            }
            Deed::DeliverLate(client) => {
                if let Some(before) = self.clients[*client].sent.len().checked_sub(2) {
                    self.deliver(*client, before);
                }
            }
            Deed::Answer(client) => self.hear(*client),
            Deed::Change(client) => {
                let other = if self.clients[*client].topics.len() == 1 { "t,u" } else { "t" };
                self.clients[*client].topics = other.split(',').map(str::to_owned).collect();
            }
            Deed::Leave(client) => {
                let standing = match Self::instance(*client) {
                    Some(_) => Standing::SteppingAside,
                    None => Standing::Leaving,
                };
                self.clients[*client].owned.clear();
                self.beat(*client, Some(standing));
                self.deliver(*client, self.clients[*client].sent.len() - 1);
                self.restart(*client);
            }
            Deed::Crash(client) => self.restart(*client),
            Deed::Grow => {
                if let Some((_, count)) = self.topics.0.get_mut("t")
                    && *count < 6
                {
                    *count += 1;
                }
                self.coordinator.set_cluster(Rc::new(self.topics.clone()));
            }
            Deed::Advance(span) => self.advance(*span),
            Deed::Land => {
                if let Some((ticket, records)) = self.under_way.pop_first() {
                    self.log.extend(records);
                    self.step(Input::Appended { ticket });
                }
            }
            Deed::Fail => {
                if let Some((ticket, _)) = self.under_way.pop_first() {
                    let failure = AppendFailure::Unavailable;
                    self.step(Input::AppendFailed { ticket, failure });
                }
            }
            Deed::TakeOver => self.take_over(),
        }
    }

    fn restart(&mut self, client: usize) {
        let Client { incarnation, topics, .. } = self.clients[client].clone();
        self.clients[client] = Client { incarnation: incarnation + 1, topics, ..Client::default() };
    }

    fn beat(&mut self, client: usize, standing: Option<Standing>) {
        let member = self.member(client);
        let state = &mut self.clients[client];
        let otherwise = state.epoch.map_or(Standing::Joining, Standing::At);
        let owned = if state.epoch.is_some() { state.owned.clone() } else { Partitions::new() };
        state.sent.push(ConsumerHeartbeat {
            group: GroupId::new("g"),
            member: Some(member),
            standing: standing.unwrap_or(otherwise),
            instance: Self::instance(client),
            rack: None,
            rebalance_timeout: Some(Millis(30_000)),
            topics: Some(state.topics.clone()),
            regex: None,
            assignor: None,
            owned: Some(owned),
            client_id: "c".to_owned(),
            client_host: "/h".to_owned(),
            unique: Uuid([0; 16]),
        });
    }

    fn deliver(&mut self, client: usize, place: usize) {
        let request =
            Request::ConsumerHeartbeat(Box::new(self.clients[client].sent[place].clone()));
        self.requests += 1;
        let id = RequestId(self.requests);
        self.asked.insert(id, (client, self.clients[client].incarnation, place));
        if place + 1 == self.clients[client].sent.len() {
            self.clients[client].awaits = Some(id);
        }
        self.step(Input::Request { id, request });
    }

    /// The client gets an answer to what it sent last; an answer to anything before that is of no
    /// interest to it.
    fn hear(&mut self, client: usize) {
        let state = &mut self.clients[client];
        let last = state.sent.len().wrapping_sub(1);
        let mut answers = state.answers.iter();
        let answer = answers.find(|(id, place, _)| *place == last && Some(*id) == state.awaits);
        let Some((_, _, answer)) = answer.cloned() else { return };
        state.heard = Some(last);
        match answer {
            Ok(Beat::Member { epoch, assignment, .. }) => {
                state.epoch = Some(epoch);
                if let Some(assignment) = assignment {
                    state.owned = assignment;
                }
            }
            Ok(Beat::Left { .. } | Beat::Away { .. }) => state.has_left = true,
            Err(
                GroupError::FencedMemberEpoch
                | GroupError::UnknownMemberId
                | GroupError::GroupIdNotFound
                | GroupError::FencedInstanceId,
            ) => {
                state.owned.clear();
                state.epoch = None;
            }
            // It tries again.
            Err(_) => {}
        }
        self.clients[client].answers.clear();
    }

    fn step(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.coordinator.step(self.moment(), input, &mut outputs);
        self.take(outputs);
        self.check();
    }

    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Append { ticket, records, transaction: None } => {
                    self.under_way.insert(ticket, records);
                }
                Output::Append { .. } | Output::AppendMarker { .. } => {
                    panic!("nobody has a transaction")
                }
                Output::Reply { request, reply } => {
                    let (client, incarnation, place) =
                        self.asked.remove(&request).expect("one answer to each request");
                    let Reply::ConsumerHeartbeat(beat) = reply else { panic!("{reply:?}") };
                    if self.clients[client].incarnation == incarnation {
                        self.clients[client].answers.push((request, place, beat));
                    }
                }
            }
        }
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
        let shown = self.described();
        let next = Coordinator::new(self.options.clone());
        let before = std::mem::replace(&mut self.coordinator, next);
        let mut outputs = Vec::new();
        before.unload(&mut outputs);
        self.take(outputs);
        self.asked.clear();
        self.under_way.clear();
        self.coordinator.set_cluster(Rc::new(self.topics.clone()));
        let now = self.moment();
        for (key, value) in &self.log {
            self.coordinator.replay(now, key, value.as_ref()).expect("a readable log");
        }
        let mut outputs = Vec::new();
        self.coordinator.loaded(now, &mut outputs);
        self.take(outputs);
        assert_eq!(self.described(), shown, "what was shown is what the log gives back");
    }

    fn described(&mut self) -> Option<DescribedConsumerGroup> {
        let request = Request::DescribeConsumerGroup(DescribeGroup { group: GroupId::new("g") });
        let mut outputs = Vec::new();
        let id = RequestId(u64::MAX);
        self.coordinator.step(self.moment(), Input::Request { id, request }, &mut outputs);
        match outputs.pop() {
            Some(Output::Reply { reply: Reply::DescribeConsumerGroup(found), .. }) => found.ok(),
            other => panic!("{other:?}"),
        }
    }

    /// What holds at any time of what the log says.
    fn check(&mut self) {
        let Some(found) = self.described() else { return };
        assert!(self.last_epoch <= found.epoch, "the group's epoch goes back");
        self.last_epoch = found.epoch;
        let mut held = BTreeSet::new();
        for member in &found.members {
            for topic in &member.assignment {
                for index in &topic.partitions {
                    assert!(held.insert((topic.id, *index)), "two members hold one partition");
                }
            }
        }
    }

    /// No two clients that are members believe that they own one partition. One whose removal was
    /// not stored, and whose partitions others have got, is none: no epoch is its own any more.
    fn check_beliefs(&mut self) {
        let Some(found) = self.described() else { return };
        let members = found.members.into_iter().filter(|member| FENCED_MAX < member.epoch);
        let members: BTreeSet<MemberId> = members.map(|member| member.member).collect();
        let mut owned: BTreeMap<(TopicId, PartitionIndex), usize> = BTreeMap::new();
        for client in 0..CLIENTS {
            if !members.contains(&self.member(client)) {
                continue;
            }
            for (topic, indexes) in &self.clients[client].owned {
                for index in indexes {
                    let other = owned.insert((*topic, *index), client);
                    assert!(other.is_none(), "{other:?} and {client} own {topic:?}/{index}");
                }
            }
        }
    }

    /// From now on everything arrives: all come to rest, and every partition has its reader.
    fn come_to_rest(&mut self) {
        for _ in 0..ROUNDS {
            for client in 0..CLIENTS {
                self.beat(client, None);
                self.deliver(client, self.clients[client].sent.len() - 1);
                while !self.under_way.is_empty() {
                    self.do_it(&Deed::Land);
                }
                self.hear(client);
            }
            self.advance(5_000);
        }
        let found = self.described().expect("a group with members");
        assert_eq!(found.state, ConsumerState::Stable, "{found:#?}");
        assert!(self.asked.is_empty(), "every request is answered");
        let mut held = 0;
        for client in 0..CLIENTS {
            let member = self.member(client);
            let shown = found.members.iter().find(|it| it.member == member);
            let shown = shown.unwrap_or_else(|| panic!("{member} is not in {found:#?}"));
            let partitions: Partitions = shown
                .assignment
                .iter()
                .map(|topic| (topic.id, topic.partitions.iter().copied().collect()))
                .collect();
            assert_eq!(self.clients[client].owned, partitions, "{member}");
            assert_eq!(shown.assignment, shown.target, "{member}");
            held += partitions.values().map(BTreeSet::len).sum::<usize>();
        }
        let read: BTreeSet<&String> =
            self.clients.iter().flat_map(|client| &client.topics).collect();
        let all: u32 = read.into_iter().map(|topic| self.topics.0[topic].1).sum();
        assert_eq!(held, usize::try_from(all).unwrap(), "every partition has a reader");
        let epoch = self.last_epoch;
        for client in 0..CLIENTS {
            self.beat(client, None);
            self.deliver(client, self.clients[client].sent.len() - 1);
            self.hear(client);
        }
        assert!(self.under_way.is_empty(), "nothing is written at rest");
        assert_eq!(self.described().unwrap().epoch, epoch, "nobody rebalances for no reason");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_or_repeated_no_partition_has_two_owners(deeds in deeds(false)) {
        let mut world = World::new();
        for deed in &deeds {
            world.do_it(deed);
            world.check_beliefs();
        }
        world.come_to_rest();
        world.check_beliefs();
    }

    #[test]
    fn heartbeats_that_come_late_give_no_partition_to_two_members(deeds in deeds(true)) {
        let mut world = World::new();
        for deed in &deeds {
            world.do_it(deed);
        }
        world.come_to_rest();
        world.check_beliefs();
    }
}

/// Three members have gone silent; the removal of the last is not stored, and another has its
/// partition by then.
#[test]
fn who_was_removed_in_vain_and_has_lost_its_partitions_is_fenced() {
    let mut world = World::new();
    for client in [1, 0, 3] {
        world.do_it(&Deed::Beat(client));
        world.do_it(&Deed::Grow);
        world.do_it(&Deed::Deliver(client));
    }
    while !world.under_way.is_empty() {
        world.do_it(&Deed::Land);
    }
    let deeds = [Deed::Answer(3), Deed::Advance(45_000), Deed::Beat(4), Deed::Deliver(4)];
    let landing = [Deed::Land, Deed::Land, Deed::Fail, Deed::Land, Deed::Answer(4)];
    for deed in deeds.iter().chain(&landing) {
        world.do_it(deed);
        world.check_beliefs();
    }
    assert!(!world.clients[3].owned.is_empty() && world.clients[3].epoch.is_some());
    world.do_it(&Deed::Beat(3));
    world.do_it(&Deed::Deliver(3));
    world.do_it(&Deed::Answer(3));
    assert!(world.clients[3].owned.is_empty(), "it has to give everything up");
    assert_eq!(world.clients[3].epoch, None, "and to join again");
    world.come_to_rest();
}
