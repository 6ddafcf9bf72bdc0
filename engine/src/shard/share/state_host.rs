//! The keepers of queues' state on their partitions of `__share_group_state`, and the ways to them from
//! other cores.

use std::num::NonZeroU32;
use std::rc::Rc;

use futures_channel::oneshot;

use crate::cluster::placement;
use crate::coordinator::{Now, partition_for};
use crate::log::{AppendContext, Origin};
use crate::shard::Shard;
use crate::shard::ask::Ask;
use crate::shard::host::{self, Found, Happened, Host, Rules, ToDo};
use crate::shard::share::ShareStateAnswer;
use crate::share::{
    Coordinator, Input, Output, Reply, Request, ShareKey, ShareStateError, StateOptions,
};
use crate::types::{Millis, Offset, PartitionId, PartitionIndex, TopicId};

/// The topic that holds the state of queues.
pub const SHARE_STATE_TOPIC: &str = "__share_group_state";

impl Rules for Coordinator {
    type Request = Request;
    type Reply = Reply;
    type Refusal = ShareStateError;
    /// A topic is gone.
    type Event = TopicId;
    /// What lies before this offset is of no use any more.
    type Deed = Offset;

    const TOPIC: &'static str = SHARE_STATE_TOPIC;
    const LOADING: ShareStateError = ShareStateError::CoordinatorLoadInProgress;
    const ELSEWHERE: ShareStateError = ShareStateError::NotCoordinator;

    fn replay(&mut self, _now: Now, found: Found<'_>) -> Result<(), String> {
        match found {
            Found::Record { offset, transaction: _, key, value } => {
                self.replay(offset, key, value).map_err(|error| error.to_string())
            }
            Found::End { .. } => Ok(()),
        }
    }

    /// States depend on nothing that changes while the node runs.
    fn follow(&mut self, _shard: &Shard) {}

    fn loaded(&mut self, _now: Now) -> Vec<ToDo<Self>> {
        self.loaded();
        Vec::new()
    }

    fn step(&mut self, now: Now, happened: Happened<Self>) -> Vec<ToDo<Self>> {
        let input = match happened {
            Happened::Request { id, request } => Input::Request { id, request },
            Happened::Tick => return Vec::new(),
            Happened::Appended { ticket, at } => Input::Appended { ticket, at },
            Happened::AppendFailed { ticket, failure } => Input::AppendFailed { ticket, failure },
            Happened::Event(topic) => Input::TopicDeleted { topic },
        };
        let mut outputs = Vec::new();
        self.step(now, input, &mut outputs);
        let one = |output| match output {
            Output::Reply { request, reply } => ToDo::Reply { request, reply },
            Output::Append { ticket, records } => ToDo::Append {
                ticket,
                batch: host::batch(&records, now.wall),
                context: AppendContext::of(Origin::Coordinator),
            },
            Output::Forget { before } => ToDo::Deed(before),
        };
        outputs.into_iter().map(one).collect()
    }

    fn next_deadline(&self) -> Option<Millis> {
        None
    }

    /// Topics may be gone: the node died before it had written that of their queues.
    fn begin(host: &Rc<Host<Self>>) {
        let Some(shard) = host.shard() else { return };
        let image = shard.image();
        let topics = |rules: &Self| -> std::collections::BTreeSet<TopicId> {
            rules.keys().map(|key| key.partition.topic).collect()
        };
        let topics = host.look(topics).unwrap_or_default();
        for topic in topics.into_iter().filter(|topic| image.topic(*topic).is_none()) {
            host.happen(topic);
        }
    }

    fn carry_out(host: &Rc<Host<Self>>, before: Offset) {
        let this = Rc::clone(host);
        host.runtime.spawn(async move { this.forget_before(before).await });
    }
}

impl Shard {
    pub(in crate::shard) fn share_state_options(&self) -> StateOptions {
        StateOptions { updates_per_snapshot: self.config.groups.share.updates_per_snapshot }
    }

    pub fn begin_share_state(
        &self,
        partition: PartitionIndex,
        request: Request,
        answer: oneshot::Sender<ShareStateAnswer>,
    ) {
        match self.share_states.borrow().get(&partition).cloned() {
            Some(host) => host.ask(request, answer),
            None => drop(answer.send(Err(ShareStateError::NotCoordinator))),
        }
    }

    /// Asks the keeper of the queue's state, wherever it is.
    pub async fn share_state(&self, key: &ShareKey, request: Request) -> ShareStateAnswer {
        let home = self.share_state_home(key).ok_or(ShareStateError::NotCoordinator)?;
        let core = placement::owner(home, self.mailboxes.cores());
        let (answer, answered) = oneshot::channel();
        if core == self.core {
            self.begin_share_state(home.index, request, answer);
        } else {
            let ask = Ask::ShareState { partition: home.index, request, answer };
            let sent = self.mailboxes.send(core, ask).await;
            sent.map_err(|_| ShareStateError::NotCoordinator)?;
        }
        answered.await.unwrap_or(Err(ShareStateError::NotCoordinator))
    }

    fn share_state_home(&self, key: &ShareKey) -> Option<PartitionId> {
        let image = self.image();
        let topic = image.topic_named(SHARE_STATE_TOPIC)?;
        let count = u32::try_from(topic.partitions.len()).ok().and_then(NonZeroU32::new)?;
        Some(PartitionId { topic: topic.id, index: partition_for(&key.to_string(), count) })
    }
}
