//! From a request's bytes to its handler, and from the handler's response to bytes. What cannot be
//! read ends the connection, as with Kafka: after a misread length nothing that follows has a
//! meaning.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use engine::broker::Reservation;
use wire::messages::{ApiVersionsRequest, ProduceRequest};
use wire::{DecodedRequestHeader, Message, Reader, Request, Schema, Throttled, encode_response};

use crate::api::Api;
use crate::context::{Caller, Context};
use crate::handler::fetch::Fetched;
use crate::handler::{self, produce};
use crate::pipeline::{Answer, PendingAnswer, Pipeline};
use crate::quota::{milliseconds, timed};

/// What to do after a request has been taken in.
pub(crate) enum Dispatched {
    /// The next answer in line. The client is not listened to for so long.
    Owed { answer: PendingAnswer, mute: Duration },
    /// The request cannot be answered and the connection ends.
    Refused { reason: String },
    /// Nobody writes answers any more.
    WriterGone,
}

/// Takes in one request. A produce request has its place in the log when this returns; any other
/// waits until everything before it is answered, and is then carried out to its end.
pub(crate) async fn dispatch(
    context: &Rc<Context>,
    pipeline: &Pipeline,
    frame: Bytes,
    reservation: Reservation,
) -> Dispatched {
    let frame_bytes = frame.len();
    let mut reader = Reader::new(frame);
    let header = match wire::decode_request_header(&mut reader) {
        Ok(header) => header,
        Err(error) => return refused(error),
    };
    let Some(api) = Api::of(header.api_key) else {
        return refused(format!("{} is not available", header.api_key.name()));
    };
    if !api.answers(header.api_version) && api != Api::ApiVersions {
        let (name, version) = (header.api_key.name(), header.api_version);
        return refused(format!("version {version} of {name} is not available"));
    }
    let call = Call::new(context, &header, reader);
    if api == Api::Produce {
        return match call.produce(frame_bytes, reservation).await {
            Ok((answer, mute)) => Dispatched::Owed { answer, mute },
            Err(reason) => Dispatched::Refused { reason },
        };
    }
    if !pipeline.drained().await {
        return Dispatched::WriterGone;
    }
    match call.answer_by(api, reservation).await {
        Ok((answer, mute)) => {
            Dispatched::Owed { answer: Box::pin(std::future::ready(answer)), mute }
        }
        Err(reason) => Dispatched::Refused { reason },
    }
}

fn refused(reason: impl ToString) -> Dispatched {
    Dispatched::Refused { reason: reason.to_string() }
}

/// An answer, and for how long its client is not listened to.
type Taken = (Answer, Duration);

/// One request whose header is read.
struct Call<'context> {
    context: &'context Rc<Context>,
    caller: Caller,
    correlation_id: i32,
    body: Reader,
}

impl<'context> Call<'context> {
    fn new(context: &'context Rc<Context>, header: &DecodedRequestHeader, body: Reader) -> Self {
        let client_id = header.client_id.clone().unwrap_or_default();
        let caller = Caller::new(context, client_id, header.api_version);
        Self { context, caller, correlation_id: header.correlation_id, body }
    }

    async fn answer_by(self, api: Api, reservation: Reservation) -> Result<Taken, String> {
        match api {
            Api::Produce => unreachable!("produce requests overlap and are taken in before"),
            Api::Fetch => self.fetch(reservation, handler::fetch::handle).await,
            Api::ApiVersions => self.api_versions(),
            Api::ListOffsets => self.answer(handler::list_offsets::handle).await,
            Api::Metadata => self.answer(handler::metadata::handle).await,
            Api::OffsetCommit => self.answer(handler::offset_commit::handle).await,
            Api::OffsetFetch => self.answer(handler::offset_fetch::handle).await,
            Api::FindCoordinator => self.answer(handler::find_coordinator::handle).await,
            Api::JoinGroup => self.answer(handler::join_group::handle).await,
            Api::Heartbeat => self.answer(handler::heartbeat::handle).await,
            Api::LeaveGroup => self.answer(handler::leave_group::handle).await,
            Api::SyncGroup => self.answer(handler::sync_group::handle).await,
            Api::DescribeGroups => self.answer(handler::describe_groups::handle).await,
            Api::ListGroups => self.answer(handler::list_groups::handle).await,
            Api::CreateTopics => self.answer(handler::create_topics::handle).await,
            Api::DeleteTopics => self.answer(handler::delete_topics::handle).await,
            Api::DeleteRecords => self.answer(handler::delete_records::handle).await,
            Api::InitProducerId => self.answer(handler::init_producer_id::handle).await,
            Api::OffsetForLeaderEpoch => {
                self.answer(handler::offset_for_leader_epoch::handle).await
            }
            Api::AddPartitionsToTxn => self.answer(handler::add_partitions_to_txn::handle).await,
            Api::AddOffsetsToTxn => self.answer(handler::add_offsets_to_txn::handle).await,
            Api::EndTxn => self.answer(handler::end_txn::handle).await,
            Api::WriteTxnMarkers => self.answer(handler::write_txn_markers::handle).await,
            Api::TxnOffsetCommit => self.answer(handler::txn_offset_commit::handle).await,
            Api::DescribeAcls => self.answer_or_close(handler::access::describe),
            Api::CreateAcls => self.answer_or_close(handler::access::create),
            Api::DeleteAcls => self.answer_or_close(handler::access::delete),
            Api::DescribeConfigs => self.answer(handler::describe_configs::handle).await,
            Api::AlterConfigs => self.answer(handler::alter_configs::handle).await,
            Api::DescribeLogDirs => self.answer(handler::describe_log_dirs::handle).await,
            Api::CreatePartitions => self.answer(handler::create_partitions::handle).await,
            Api::DeleteGroups => self.answer(handler::delete_groups::handle).await,
            Api::ElectLeaders => self.answer(handler::elect_leaders::handle).await,
            Api::IncrementalAlterConfigs => {
                self.answer(handler::incremental_alter_configs::handle).await
            }
            Api::AlterPartitionReassignments => {
                self.answer(handler::alter_partition_reassignments::handle).await
            }
            Api::ListPartitionReassignments => {
                self.answer(handler::list_partition_reassignments::handle).await
            }
            Api::OffsetDelete => self.answer(handler::offset_delete::handle).await,
            Api::DescribeClientQuotas => self.answer(handler::describe_client_quotas::handle).await,
            Api::AlterClientQuotas => self.answer(handler::alter_client_quotas::handle).await,
            Api::DescribeUserScramCredentials => {
                self.answer(handler::describe_user_scram_credentials::handle).await
            }
            Api::AlterUserScramCredentials => {
                self.answer(handler::alter_user_scram_credentials::handle).await
            }
            Api::DescribeQuorum => self.answer(handler::describe_quorum::handle).await,
            Api::DescribeCluster => self.answer(handler::describe_cluster::handle).await,
            Api::DescribeProducers => self.answer(handler::describe_producers::handle).await,
            Api::DescribeTransactions => self.answer(handler::describe_transactions::handle).await,
            Api::ListTransactions => self.answer(handler::list_transactions::handle).await,
            Api::ConsumerGroupHeartbeat => {
                self.answer(handler::consumer_group_heartbeat::handle).await
            }
            Api::ConsumerGroupDescribe => {
                self.answer(handler::consumer_group_describe::handle).await
            }
            Api::ListConfigResources => self.answer(handler::list_config_resources::handle).await,
            Api::DescribeTopicPartitions => {
                self.answer(handler::describe_topic_partitions::handle).await
            }
            Api::ShareGroupHeartbeat => self.answer(handler::share_group_heartbeat::handle).await,
            Api::ShareGroupDescribe => self.answer(handler::share_group_describe::handle).await,
            Api::ShareFetch => self.fetch(reservation, handler::share::fetch).await,
            Api::ShareAcknowledge => self.answer(handler::share::acknowledge).await,
            Api::StreamsGroupHeartbeat => self.answer(handler::streams::heartbeat).await,
            Api::StreamsGroupDescribe => self.answer(handler::streams::describe).await,
            Api::DescribeShareGroupOffsets => {
                self.answer(handler::describe_share_group_offsets::handle).await
            }
            Api::AlterShareGroupOffsets => {
                self.answer(handler::alter_share_group_offsets::handle).await
            }
            Api::DeleteShareGroupOffsets => {
                self.answer(handler::delete_share_group_offsets::handle).await
            }
        }
    }

    /// Decodes the request, asks the handler, encodes its response.
    async fn answer<R: Request>(
        mut self,
        handle: impl AsyncFnOnce(&Context, &Caller, R) -> R::Response,
    ) -> Result<Taken, String> {
        let Self { context, caller, body, .. } = &mut self;
        let (context, caller) = (*context, &*caller);
        let response = timed(caller.timer(), socket::now, async {
            let request = decode::<R>(body, caller.version)?;
            Ok::<_, String>(handle(context, caller, request).await)
        });
        let response = response.await?;
        self.taken::<R>(response, None)
    }

    /// For requests that may be without meaning, and that need nothing but themselves.
    fn answer_or_close<R: Request>(
        mut self,
        handle: impl FnOnce(&R) -> Result<R::Response, String>,
    ) -> Result<Taken, String> {
        let request = decode::<R>(&mut self.body, self.caller.version)?;
        self.taken::<R>(handle(&request)?, None)
    }

    /// The answer with what it has to say about quotas.
    fn taken<R: Request>(
        &self,
        mut response: R::Response,
        held: Option<Reservation>,
    ) -> Result<Taken, String> {
        self.caller.charge_time();
        let mute = self.caller.throttle();
        if !mute.is_zero() {
            response.set_throttle_time(milliseconds(mute));
        }
        let slices = encode::<R>(self.caller.version, self.correlation_id, &response)?;
        Ok((Answer::Frame { slices, held }, mute))
    }

    /// As `answer`, for handlers that claim memory for records: it stays claimed until they are sent.
    async fn fetch<R: Request>(
        mut self,
        reservation: Reservation,
        handle: impl AsyncFnOnce(&Context, &Caller, R) -> Fetched<R::Response>,
    ) -> Result<Taken, String> {
        let body = std::mem::replace(&mut self.body, Reader::new(Bytes::new()));
        let fetched = timed(self.caller.timer(), socket::now, async {
            let (mut body, version) = (body, self.caller.version);
            let request = decode(&mut body, version)?;
            // What is claimed for records must not wait for what the request itself holds.
            drop((reservation, body));
            Ok::<_, String>(handle(self.context, &self.caller, request).await)
        });
        let Fetched { response, held } = fetched.await?;
        self.taken::<R>(response, held)
    }

    async fn produce(
        self,
        frame_bytes: usize,
        reservation: Reservation,
    ) -> Result<(PendingAnswer, Duration), String> {
        let Self { context, caller, correlation_id, mut body } = self;
        let submitted = timed(caller.timer(), socket::now, async {
            let request: ProduceRequest = decode(&mut body, caller.version)?;
            Ok::<_, String>(produce::submit(context, &caller, request).await)
        });
        let submitted = submitted.await?;
        if let Some(limits) = &caller.limits {
            caller.slow_down(limits.produced(socket::now(), frame_bytes));
        }
        if submitted.is_answered() {
            caller.charge_time();
        }
        let mute = caller.throttle();
        let answer = Box::pin(async move {
            let produced = submitted.settled().await;
            drop(reservation);
            match produced {
                produce::Produced::Response(mut response) => {
                    response.throttle_time_ms = milliseconds(mute);
                    encode::<ProduceRequest>(caller.version, correlation_id, &response).map_or_else(
                        |reason| Answer::Close { reason },
                        |slices| Answer::Frame { slices, held: None },
                    )
                }
                produce::Produced::NoResponse => Answer::Nothing,
                produce::Produced::Failed { reason } => Answer::Close { reason },
            }
        });
        Ok((answer, mute))
    }

    /// A version from the future is answered in the oldest, so that the client can choose again.
    fn api_versions(mut self) -> Result<Taken, String> {
        let response = if Api::ApiVersions.answers(self.caller.version) {
            let request = decode(&mut self.body, self.caller.version)?;
            handler::api_versions::handle(self.context, &request, self.caller.version)
        } else {
            self.caller.version = 0;
            handler::api_versions::unsupported_version()
        };
        self.taken::<ApiVersionsRequest>(response, None)
    }
}

/// Like Kafka, does not mind bytes behind the request.
fn decode<R: Message + Schema>(body: &mut Reader, version: i16) -> Result<R, String> {
    R::decode(body, version)
        .map_err(|error| format!("a malformed {} of version {version}: {error}", R::NAME))
}

fn encode<R: Request>(
    version: i16,
    correlation_id: i32,
    response: &R::Response,
) -> Result<Vec<Bytes>, String> {
    encode_response::<R>(version, correlation_id, response).map_err(|error| {
        format!("the response to version {version} of {} has no bytes: {error}", R::NAME)
    })
}
