//! Keeps one fetch under way to each broker that leads a partition of ours.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use wire::{
    ErrorCode, Uuid,
    messages::{
        FetchRequest, FetchResponse,
        fetch_response::{FetchableTopicResponse, PartitionData},
    },
};

use super::{
    ConsumeError, ConsumedRecord, ConsumerOptions,
    session::{Reading, Session},
    visible::{Visible, visible_records},
};
use crate::{
    CallError, Client, ClientError, Retriable, ServerError, Target, TopicPartition, check,
};

/// The newest version that names topics by name instead of by id.
const NAMED_TOPICS_VERSION_MAX: i16 = 12;
/// How long a partition rests after an error that passes.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    options: ConsumerOptions,
    partitions: BTreeMap<TopicPartition, Progress>,
    sessions: HashMap<i32, Session>,
    under_way: FuturesUnordered<LocalBoxFuture<'static, Answer>>,
    busy: BTreeSet<i32>,
    /// Since when nothing has worked, and why.
    failing: Option<(Instant, ClientError)>,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    fetch_offset: i64,
    high_watermark: Option<i64>,
    not_before: Option<Instant>,
}

struct Answer {
    node: i32,
    asked: BTreeMap<TopicPartition, Reading>,
    result: Result<FetchResponse, CallError>,
}

/// What has come of one partition.
pub struct Fetched {
    pub partition: TopicPartition,
    /// Each with the offset to go on from.
    pub records: Vec<(ConsumedRecord, i64)>,
    /// The offset asked for is not there.
    pub lost: Option<ServerError>,
}

impl Fetcher {
    pub fn new(client: Client, options: ConsumerOptions) -> Self {
        Self {
            client,
            options,
            partitions: BTreeMap::new(),
            sessions: HashMap::new(),
            under_way: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            failing: None,
        }
    }

    /// Partitions that were read already go on where their fetches are.
    pub fn read_only(&mut self, positions: &BTreeMap<TopicPartition, i64>) {
        self.partitions.retain(|partition, _| positions.contains_key(partition));
        for (partition, offset) in positions {
            self.partitions.entry(partition.clone()).or_insert(Progress {
                fetch_offset: *offset,
                high_watermark: None,
                not_before: None,
            });
        }
    }

    pub fn seek(&mut self, partition: &TopicPartition, offset: i64) {
        if let Some(progress) = self.partitions.get_mut(partition) {
            progress.fetch_offset = offset;
            progress.not_before = None;
        }
    }

    pub fn high_watermark(&self, partition: &TopicPartition) -> Option<i64> {
        self.partitions.get(partition)?.high_watermark
    }

    /// What one broker answers within `at_most`; nothing if none does.
    pub async fn fetch(&mut self, at_most: Duration) -> Result<Vec<Fetched>, ConsumeError> {
        self.ask_all().await?;
        if self.under_way.is_empty() {
            socket::sleep(at_most.min(PAUSE)).await;
            return Ok(Vec::new());
        }
        match socket::timeout(at_most, self.under_way.next()).await {
            Ok(Some(answer)) => self.take(answer),
            Ok(None) | Err(socket::Elapsed) => Ok(Vec::new()),
        }
    }

    /// Asks every broker that leads a partition of ours and is not asked already.
    async fn ask_all(&mut self) -> Result<(), ConsumeError> {
        let now = socket::now();
        let mut by_leader: BTreeMap<i32, BTreeMap<TopicPartition, Reading>> = BTreeMap::new();
        let partitions: Vec<_> = self.partitions.iter().map(|(p, s)| (p.clone(), *s)).collect();
        for (partition, progress) in partitions {
            if progress.not_before.is_some_and(|moment| now < moment) {
                continue;
            }
            match self.find_leader(&partition, progress.fetch_offset).await {
                Ok((leader, reading)) => {
                    by_leader.entry(leader).or_default().insert(partition, reading);
                }
                Err(error) => {
                    self.client.forget(&partition.topic);
                    self.pause(&partition);
                    self.failed(error)?;
                }
            }
        }
        for (leader, wanted) in by_leader {
            if !self.busy.contains(&leader)
                && let Err(error) = self.ask(leader, wanted).await
            {
                self.failed(error.into())?;
            }
        }
        Ok(())
    }

    async fn find_leader(
        &self,
        partition: &TopicPartition,
        fetch_offset: i64,
    ) -> Result<(i32, Reading), ClientError> {
        let topic = self.client.topic(&partition.topic).await?;
        let leader = self.client.leader(&partition.topic, partition.partition).await?;
        let known = topic.partition(partition.partition);
        let leader_epoch = known.map_or(-1, |partition| partition.leader_epoch);
        Ok((leader, Reading { topic_id: topic.id, fetch_offset, leader_epoch }))
    }

    async fn ask(
        &mut self,
        node: i32,
        wanted: BTreeMap<TopicPartition, Reading>,
    ) -> Result<(), CallError> {
        let connection = match self.client.connection(Target::Node(node)).await {
            Ok(connection) => connection,
            Err(error) => {
                for partition in wanted.keys() {
                    self.client.forget(&partition.topic);
                    self.pause(partition);
                }
                return Err(error);
            }
        };
        let has_ids = wanted.values().all(|reading| reading.topic_id != Uuid::ZERO);
        let limit = if has_ids { i16::MAX } else { NAMED_TOPICS_VERSION_MAX };
        let version = connection.version_up_to::<FetchRequest>(limit)?;
        let session = self.sessions.entry(node).or_default();
        let request = session.request(&wanted, &self.options);
        let patience = connection_timeout(&self.client).saturating_add(self.options.fetch_wait);
        let call = connection.start_call(version, &request);
        let answer = async move {
            // The connection lives until its answer is here.
            let result = match call {
                Ok(call) => call.with_timeout(patience).answer().await,
                Err(error) => Err(error),
            };
            drop(connection);
            Answer { node, asked: wanted, result }
        };
        self.under_way.push(answer.boxed_local());
        self.busy.insert(node);
        Ok(())
    }

    fn take(&mut self, answer: Answer) -> Result<Vec<Fetched>, ConsumeError> {
        let Answer { node, asked, result } = answer;
        self.busy.remove(&node);
        let session = self.sessions.entry(node).or_default();
        let checked = result.map_err(ClientError::from).and_then(|response| {
            check(response.error_code, None, || format!("fetch from broker {node}"))?;
            Ok(response)
        });
        let response = match checked {
            Ok(response) => response,
            Err(error) => {
                session.forget();
                let session_is_gone = match &error {
                    ClientError::Server(refused) => is_session_error(refused.code()),
                    ClientError::Call(_)
                    | ClientError::NoLeader { .. }
                    | ClientError::NoPartition { .. }
                    | ClientError::Incomplete { .. }
                    | ClientError::NoRandomness => false,
                };
                if !session_is_gone {
                    for partition in asked.keys() {
                        self.client.forget(&partition.topic);
                        self.pause(partition);
                    }
                    self.failed(error)?;
                }
                return Ok(Vec::new());
            }
        };
        session.answered(response.session_id);
        self.failing = None;
        let mut fetched = Vec::new();
        for topic in response.responses {
            let Some(name) = topic_name(&topic, &asked) else { continue };
            for data in topic.partitions {
                let partition = TopicPartition::new(&name, data.partition_index);
                if let Some(reading) = asked.get(&partition) {
                    fetched.extend(self.take_partition(node, partition, *reading, data)?);
                }
            }
        }
        Ok(fetched)
    }

    fn take_partition(
        &mut self,
        node: i32,
        partition: TopicPartition,
        asked: Reading,
        data: PartitionData,
    ) -> Result<Option<Fetched>, ConsumeError> {
        let Some(progress) = self.partitions.get_mut(&partition) else { return Ok(None) };
        if progress.fetch_offset != asked.fetch_offset {
            // Somebody has moved on since this was asked for.
            return Ok(None);
        }
        if let Err(error) = check(data.error_code, None, || format!("read {partition}")) {
            if error.code() == ErrorCode::OffsetOutOfRange {
                return Ok(Some(Fetched { partition, records: Vec::new(), lost: Some(error) }));
            }
            if !error.retriable() {
                return Err(ConsumeError::Refused(error));
            }
            self.client.forget(&partition.topic);
            self.pause(&partition);
            if let Some(session) = self.sessions.get_mut(&node) {
                session.forget();
            }
            self.failed(error.into())?;
            return Ok(None);
        }
        progress.high_watermark = Some(data.high_watermark);
        let bytes = data.records.unwrap_or_default().into_bytes();
        if bytes.is_empty() {
            return Ok(None);
        }
        let aborted = data.aborted_transactions.unwrap_or_default();
        let isolation = self.options.isolation;
        let (records, next_offset) = visible_records(bytes, asked.fetch_offset, isolation, aborted)
            .map_err(|source| ConsumeError::Batch { partition: partition.clone(), source })?;
        progress.fetch_offset = next_offset;
        let mut records: Vec<_> = records
            .into_iter()
            .map(|Visible { record, timestamp_type, leader_epoch }| {
                let following = record.offset.saturating_add(1);
                let partition = partition.clone();
                (ConsumedRecord { partition, record, timestamp_type, leader_epoch }, following)
            })
            .collect();
        // What is invisible behind the last record is passed together with it.
        if let Some((_, following)) = records.last_mut() {
            *following = next_offset;
        }
        Ok(Some(Fetched { partition, records, lost: None }))
    }

    fn pause(&mut self, partition: &TopicPartition) {
        if let Some(progress) = self.partitions.get_mut(partition) {
            progress.not_before = Some(socket::now() + PAUSE);
        }
    }

    /// Errors that pass are borne for as long as retries may last.
    fn failed(&mut self, error: ClientError) -> Result<(), ConsumeError> {
        if !error.retriable() {
            return Err(error.into());
        }
        let now = socket::now();
        let since = self.failing.as_ref().map_or(now, |(since, _)| *since);
        if now.saturating_duration_since(since) > self.client.retry().give_up_after {
            self.failing = None;
            return Err(error.into());
        }
        self.failing = Some((since, error));
        Ok(())
    }
}

fn connection_timeout(client: &Client) -> Duration {
    client.options().connection.request_timeout
}

fn is_session_error(code: ErrorCode) -> bool {
    [
        ErrorCode::FetchSessionIdNotFound,
        ErrorCode::InvalidFetchSessionEpoch,
        ErrorCode::FetchSessionTopicIdError,
    ]
    .contains(&code)
}

fn topic_name(
    topic: &FetchableTopicResponse,
    asked: &BTreeMap<TopicPartition, Reading>,
) -> Option<String> {
    if topic.topic_id == Uuid::ZERO {
        return Some(topic.topic.clone());
    }
    let mut asked = asked.iter();
    let (partition, _) = asked.find(|(_, reading)| reading.topic_id == topic.topic_id)?;
    Some(partition.topic.clone())
}
