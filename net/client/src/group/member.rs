//! One member: joins, computes the assignment if it is made leader, and learns its own part.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use wire::{
    ErrorCode,
    messages::{
        JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
        join_group_request::JoinGroupRequestProtocol, leave_group_request::MemberIdentity,
        sync_group_request::SyncGroupRequestAssignment,
    },
};

use super::{
    Assignor, GroupError, MemberOptions, MemberSubscription, heartbeat,
    protocol::{
        Subscription, decode_assignment, decode_subscription, encode_assignment,
        encode_subscription,
    },
};
use crate::{Client, CoordinatorKind, Target, TopicPartition, check};

/// How often the leader looks whether its topics have grown.
const METADATA_CHECK: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Member {
    pub(super) shared: Rc<Shared>,
    topics: Vec<String>,
    /// What the last assignment was made from, if we made it.
    led: Option<BTreeMap<String, i32>>,
    checked_at: Cell<Option<std::time::Instant>>,
}

/// What the heartbeats need too.
#[derive(Debug)]
pub(super) struct Shared {
    pub client: Client,
    pub options: MemberOptions,
    pub coordinator: Cell<Option<i32>>,
    pub identity: RefCell<Identity>,
    /// The present assignment is not, or will not be, the valid one.
    pub must_join: Cell<bool>,
    /// The group has gone on without us: what we had may be read by others.
    pub lost: Cell<bool>,
    pub closed: Cell<bool>,
    pub joining: Cell<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Empty until the coordinator has given one.
    pub member_id: String,
    /// -1 outside of the group.
    pub generation: i32,
}

impl Shared {
    /// The coordinator's answer decides what is left of our membership.
    pub fn learn(&self, code: ErrorCode) {
        if code == ErrorCode::RebalanceInProgress {
            self.must_join.set(true);
        } else if code == ErrorCode::UnknownMemberId {
            *self.identity.borrow_mut() = Identity::outside();
            self.must_join.set(true);
            self.lost.set(true);
        } else if code == ErrorCode::IllegalGeneration {
            self.identity.borrow_mut().generation = -1;
            self.must_join.set(true);
            self.lost.set(true);
        } else if code == ErrorCode::NotCoordinator || code == ErrorCode::CoordinatorNotAvailable {
            self.coordinator.set(None);
        }
    }

    pub async fn coordinator(&self) -> Result<Target, GroupError> {
        if let Some(node) = self.coordinator.get() {
            return Ok(Target::Node(node));
        }
        let node = self.client.coordinator(CoordinatorKind::Group, &self.options.group).await?;
        self.coordinator.set(Some(node));
        Ok(Target::Node(node))
    }
}

impl Identity {
    const fn outside() -> Self {
        Self { member_id: String::new(), generation: -1 }
    }
}

impl Member {
    pub fn new(client: Client, topics: &[String], options: MemberOptions) -> Self {
        let shared = Rc::new(Shared {
            client,
            options,
            coordinator: Cell::new(None),
            identity: RefCell::new(Identity::outside()),
            must_join: Cell::new(true),
            lost: Cell::new(false),
            closed: Cell::new(false),
            joining: Cell::new(false),
        });
        drop(socket::spawn_local(heartbeat::beat(Rc::clone(&shared))));
        Self { shared, topics: topics.to_vec(), led: None, checked_at: Cell::new(None) }
    }

    pub fn options(&self) -> &MemberOptions {
        &self.shared.options
    }

    pub fn id(&self) -> String {
        self.shared.identity.borrow().member_id.clone()
    }

    /// Whether [`Self::join`] must be called for a valid assignment.
    pub fn must_join(&self) -> bool {
        self.shared.must_join.get()
    }

    /// Joins again at the next opportunity.
    pub fn join_again(&self) {
        self.shared.must_join.set(true);
    }

    /// Whether others may have read on where we were; forgotten by the next join.
    pub fn lost(&self) -> bool {
        self.shared.lost.get()
    }

    /// Notices partitions that were added to the topics, if this member leads the group.
    pub async fn check_topics(&self) {
        let Some(led) = &self.led else { return };
        let now = socket::now();
        let last = self.checked_at.replace(Some(now)).unwrap_or(now);
        if now.saturating_duration_since(last) < METADATA_CHECK {
            self.checked_at.set(Some(last));
            return;
        }
        let topics: Vec<_> = led.keys().cloned().collect();
        // Without an answer there is nothing to notice.
        if self.shared.client.ask_metadata(Some(&topics)).await.is_ok()
            && self.counts(&topics) != *led
        {
            self.shared.must_join.set(true);
        }
    }

    /// Joins, or joins again, until the group has agreed; returns what this member reads now.
    /// `owned` is what it reads until then.
    pub async fn join(
        &mut self,
        owned: &[TopicPartition],
    ) -> Result<Vec<TopicPartition>, GroupError> {
        self.shared.joining.set(true);
        let retry = self.shared.client.retry().clone();
        let joined = retry.run(async || self.join_until_agreed(owned).await).await;
        self.shared.joining.set(false);
        if joined.is_ok() {
            self.shared.lost.set(false);
        }
        joined
    }

    async fn join_until_agreed(
        &mut self,
        owned: &[TopicPartition],
    ) -> Result<Vec<TopicPartition>, GroupError> {
        loop {
            self.shared.must_join.set(false);
            match self.join_once(owned).await {
                Ok(assigned) => return Ok(assigned),
                Err(error) => {
                    self.shared.must_join.set(true);
                    let Some(code) = error.code() else {
                        self.shared.coordinator.set(None);
                        return Err(error);
                    };
                    self.shared.learn(code);
                    let again = [
                        ErrorCode::MemberIdRequired,
                        ErrorCode::RebalanceInProgress,
                        ErrorCode::UnknownMemberId,
                        ErrorCode::IllegalGeneration,
                    ];
                    if !again.contains(&code) {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn join_once(
        &mut self,
        owned: &[TopicPartition],
    ) -> Result<Vec<TopicPartition>, GroupError> {
        let response = self.ask_to_join(owned).await?;
        let (member_id, generation) = (response.member_id.clone(), response.generation_id);
        *self.shared.identity.borrow_mut() = Identity { member_id, generation };
        let assignments = if response.leader == response.member_id && !response.skip_assignment {
            self.lead(&response).await?
        } else {
            self.led = None;
            Vec::new()
        };
        let request = SyncGroupRequest {
            group_id: self.shared.options.group.clone(),
            generation_id: generation,
            member_id: response.member_id,
            group_instance_id: self.shared.options.instance_id.clone(),
            protocol_type: response.protocol_type.or_else(|| Some("consumer".to_owned())),
            protocol_name: response.protocol_name,
            assignments,
            ..SyncGroupRequest::default()
        };
        let target = self.shared.coordinator().await?;
        let connection = self.shared.client.connection(target).await?;
        let version = connection.version::<SyncGroupRequest>()?;
        let call = connection.start_call(version, &request)?.with_timeout(self.patience());
        let response = call.answer().await?;
        check(response.error_code, None, || format!("join group {:?}", request.group_id))?;
        Ok(decode_assignment(&response.assignment)?)
    }

    async fn ask_to_join(&self, owned: &[TopicPartition]) -> Result<JoinGroupResponse, GroupError> {
        let shared = &self.shared;
        let options = &shared.options;
        let identity = shared.identity.borrow().clone();
        let cooperative = options.assignors.cooperative();
        let metadata = encode_subscription(&Subscription {
            topics: self.topics.clone(),
            owned: if cooperative { owned.to_vec() } else { Vec::new() },
            generation: if cooperative { identity.generation } else { -1 },
            ..Subscription::default()
        })?;
        let protocol = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: assignor.name().to_owned(),
            metadata: metadata.clone(),
            ..JoinGroupRequestProtocol::default()
        };
        let request = JoinGroupRequest {
            group_id: options.group.clone(),
            session_timeout_ms: milliseconds(options.session_timeout),
            rebalance_timeout_ms: milliseconds(options.rebalance_timeout),
            member_id: identity.member_id,
            group_instance_id: options.instance_id.clone(),
            protocol_type: "consumer".to_owned(),
            protocols: options.assignors.list().iter().map(protocol).collect(),
            ..JoinGroupRequest::default()
        };
        let connection = shared.client.connection(shared.coordinator().await?).await?;
        let version = connection.version::<JoinGroupRequest>()?;
        let call = connection.start_call(version, &request)?.with_timeout(self.patience());
        let response = call.answer().await?;
        if response.error_code == ErrorCode::MemberIdRequired.code() {
            // The id is kept, so that the next attempt brings it along (KIP-394).
            shared.identity.borrow_mut().member_id = response.member_id.clone();
        }
        check(response.error_code, None, || format!("join group {:?}", options.group))?;
        Ok(response)
    }

    /// Computes what every member reads.
    async fn lead(
        &mut self,
        response: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, GroupError> {
        let name = response.protocol_name.clone().unwrap_or_default();
        let assignors = self.shared.options.assignors.list();
        let assignor = assignors.iter().find(|assignor| assignor.name() == name);
        let assignor = assignor.ok_or(GroupError::UnknownAssignor { name })?;
        let mut members = Vec::with_capacity(response.members.len());
        for member in &response.members {
            members.push(MemberSubscription {
                member_id: member.member_id.clone(),
                instance_id: member.group_instance_id.clone(),
                subscription: decode_subscription(&member.metadata)?,
            });
        }
        let topics = members.iter().flat_map(|member| &member.subscription.topics);
        let mut topics: Vec<String> = topics.cloned().collect();
        topics.sort();
        topics.dedup();
        self.shared.client.ask_metadata(Some(&topics)).await?;
        let counts = self.counts(&topics);
        let assignment = assignor.assign(&members, &counts);
        self.led = Some(counts);
        let entry = |(member_id, partitions): (String, Vec<TopicPartition>)| {
            let assignment = encode_assignment(&partitions)?;
            Ok(SyncGroupRequestAssignment {
                member_id,
                assignment,
                ..SyncGroupRequestAssignment::default()
            })
        };
        assignment.into_iter().map(entry).collect()
    }

    /// 0 for a topic that is not there.
    fn counts(&self, topics: &[String]) -> BTreeMap<String, i32> {
        let metadata = self.shared.client.known_metadata();
        let count = |name: &String| {
            let topic = metadata.topics.get(name).filter(|topic| topic.error_code == 0);
            let count = topic.map_or(0, |topic| topic.partitions.len());
            (name.clone(), i32::try_from(count).unwrap_or(i32::MAX))
        };
        topics.iter().map(count).collect()
    }

    /// A broker holds the answer until all members have come, or their time is up.
    fn patience(&self) -> Duration {
        let request = self.shared.client.options().connection.request_timeout;
        self.shared.options.rebalance_timeout.saturating_add(request)
    }

    /// Tells the group that this member is gone, unless it is static: then it may come back.
    pub async fn leave(self) -> Result<(), GroupError> {
        self.shared.closed.set(true);
        let identity = self.shared.identity.borrow().clone();
        if identity.member_id.is_empty() || self.shared.options.instance_id.is_some() {
            return Ok(());
        }
        let connection = self.shared.client.connection(self.shared.coordinator().await?).await?;
        let version = connection.version::<LeaveGroupRequest>()?;
        let mut request = LeaveGroupRequest {
            group_id: self.shared.options.group.clone(),
            ..LeaveGroupRequest::default()
        };
        if version >= 3 {
            request.members =
                vec![MemberIdentity { member_id: identity.member_id, ..MemberIdentity::default() }];
        } else {
            request.member_id = identity.member_id;
        }
        let response = connection.call_in_version(version, &request).await?;
        let doing = || format!("leave group {:?}", request.group_id);
        check(response.error_code, None, doing)?;
        for member in response.members {
            check(member.error_code, None, doing)?;
        }
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.closed.set(true);
    }
}

pub(super) fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
