//! From a request's bytes to its handler, and from the handler's response to bytes. What cannot be
//! read ends the connection, as with Kafka: after a misread length nothing that follows has a
//! meaning.

use std::rc::Rc;

use bytes::Bytes;
use engine::broker::Reservation;
use wire::messages::{ApiVersionsRequest, ProduceRequest};
use wire::{DecodedRequestHeader, Message, Reader, Request, Schema, encode_response};

use crate::api::Api;
use crate::context::{Caller, Context};
use crate::handler::{self, produce};
use crate::pipeline::{Answer, PendingAnswer, Pipeline};

/// What to do after a request has been taken in.
pub(crate) enum Dispatched {
    /// The next answer in line.
    Owed(PendingAnswer),
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
        return match call.produce(reservation).await {
            Ok(answer) => Dispatched::Owed(answer),
            Err(reason) => Dispatched::Refused { reason },
        };
    }
    if !pipeline.drained().await {
        return Dispatched::WriterGone;
    }
    match call.answer_by(api, reservation).await {
        Ok(answer) => Dispatched::Owed(Box::pin(std::future::ready(answer))),
        Err(reason) => Dispatched::Refused { reason },
    }
}

fn refused(reason: impl ToString) -> Dispatched {
    Dispatched::Refused { reason: reason.to_string() }
}

/// One request whose header is read.
struct Call<'context> {
    context: &'context Rc<Context>,
    caller: Caller,
    correlation_id: i32,
    body: Reader,
}

impl<'context> Call<'context> {
    fn new(context: &'context Rc<Context>, header: &DecodedRequestHeader, body: Reader) -> Self {
        let caller = Caller {
            client_id: header.client_id.clone().unwrap_or_default(),
            version: header.api_version,
        };
        Self { context, caller, correlation_id: header.correlation_id, body }
    }

    async fn answer_by(self, api: Api, reservation: Reservation) -> Result<Answer, String> {
        match api {
            Api::Produce => unreachable!("produce requests overlap and are taken in before"),
            Api::Fetch => self.fetch(reservation).await,
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
        }
    }

    /// Decodes the request, asks the handler, encodes its response.
    async fn answer<R: Request>(
        mut self,
        handle: impl AsyncFnOnce(&Context, &Caller, R) -> R::Response,
    ) -> Result<Answer, String> {
        let request = self.decode::<R>()?;
        let response = handle(self.context, &self.caller, request).await;
        let slices = encode::<R>(self.caller.version, self.correlation_id, &response)?;
        Ok(Answer::Frame { slices, held: None })
    }

    /// The records of the answer stay claimed from the budget until they are sent.
    async fn fetch(mut self, reservation: Reservation) -> Result<Answer, String> {
        let request = self.decode()?;
        // What fetch claims for records must not wait for what its own request holds.
        drop((reservation, self.body));
        let fetched = handler::fetch::handle(self.context, &self.caller, request).await;
        let slices = encode::<wire::messages::FetchRequest>(
            self.caller.version,
            self.correlation_id,
            &fetched.response,
        )?;
        Ok(Answer::Frame { slices, held: fetched.held })
    }

    async fn produce(mut self, reservation: Reservation) -> Result<PendingAnswer, String> {
        let request: ProduceRequest = self.decode()?;
        let Self { context, caller, correlation_id, .. } = self;
        let submitted = produce::submit(context, &caller, request).await;
        Ok(Box::pin(async move {
            let produced = submitted.settled().await;
            drop(reservation);
            match produced {
                produce::Produced::Response(response) => {
                    encode::<ProduceRequest>(caller.version, correlation_id, &response).map_or_else(
                        |reason| Answer::Close { reason },
                        |slices| Answer::Frame { slices, held: None },
                    )
                }
                produce::Produced::NoResponse => Answer::Nothing,
                produce::Produced::Failed { reason } => Answer::Close { reason },
            }
        }))
    }

    /// A version from the future is answered in the oldest, so that the client can choose again.
    fn api_versions(mut self) -> Result<Answer, String> {
        let response = if Api::ApiVersions.answers(self.caller.version) {
            let request = self.decode()?;
            handler::api_versions::handle(self.context, &request, self.caller.version)
        } else {
            self.caller.version = 0;
            handler::api_versions::unsupported_version()
        };
        let version = self.caller.version;
        let slices = encode::<ApiVersionsRequest>(version, self.correlation_id, &response)?;
        Ok(Answer::Frame { slices, held: None })
    }

    /// Like Kafka, does not mind bytes behind the request.
    fn decode<R: Message + Schema>(&mut self) -> Result<R, String> {
        let version = self.caller.version;
        R::decode(&mut self.body, version)
            .map_err(|error| format!("a malformed {} of version {version}: {error}", R::NAME))
    }
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
