//! The fake broker's answers: without topic ids, one node, as many topics as are made.

use wire::{
    ApiKey, ErrorCode,
    messages::{
        ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
        DeleteTopicsResponse, FetchRequest, FetchResponse, InitProducerIdResponse,
        ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, ProduceRequest,
        ProduceResponse,
        api_versions_response::ApiVersion,
        create_topics_response::CreatableTopicResult,
        delete_topics_response::DeletableTopicResult,
        fetch_response::{FetchableTopicResponse, PartitionData},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
};

use super::store::{Partition, Store};

/// Of ListOffsets: the first offset; anything else is the last here.
const EARLIEST: i64 = -2;

/// With names everywhere, the last version before topic ids.
pub fn versions() -> ApiVersionsResponse {
    let speaks = |key: ApiKey, max_version: i16| ApiVersion {
        api_key: key.code(),
        min_version: *key.valid_versions().start(),
        max_version,
        ..ApiVersion::default()
    };
    ApiVersionsResponse {
        api_keys: vec![
            speaks(ApiKey::ApiVersions, 3),
            speaks(ApiKey::Produce, 9),
            speaks(ApiKey::Fetch, 12),
            speaks(ApiKey::ListOffsets, 6),
            speaks(ApiKey::Metadata, 9),
            speaks(ApiKey::CreateTopics, 5),
            speaks(ApiKey::DeleteTopics, 5),
            speaks(ApiKey::InitProducerId, 3),
        ],
        ..ApiVersionsResponse::default()
    }
}

pub fn metadata(store: &Store, request: &MetadataRequest) -> MetadataResponse {
    let node = MetadataResponseBroker {
        node_id: 1,
        host: "127.0.0.1".to_owned(),
        port: i32::from(store.port),
        ..MetadataResponseBroker::default()
    };
    let wanted = request.topics.iter().flatten().filter_map(|topic| topic.name.clone());
    let partition = |index: usize| MetadataResponsePartition {
        partition_index: index as i32,
        leader_id: 1,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..MetadataResponsePartition::default()
    };
    let topic = |name: String| {
        let partitions = store.topics.get(&name).map(Vec::len);
        let known = if partitions.is_some() { ErrorCode::None } else { UNKNOWN };
        MetadataResponseTopic {
            error_code: known.code(),
            name: Some(name),
            partitions: (0..partitions.unwrap_or(0)).map(partition).collect(),
            ..MetadataResponseTopic::default()
        }
    };
    MetadataResponse {
        brokers: vec![node],
        cluster_id: Some("fake".to_owned()),
        controller_id: 1,
        topics: wanted.map(topic).collect(),
        ..MetadataResponse::default()
    }
}

const UNKNOWN: ErrorCode = ErrorCode::UnknownTopicOrPartition;

pub fn created(store: &mut Store, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut topics = Vec::new();
    for topic in request.topics {
        let partitions = (0..topic.num_partitions).map(|_| Partition::default()).collect();
        store.topics.insert(topic.name.clone(), partitions);
        topics.push(CreatableTopicResult { name: topic.name, ..CreatableTopicResult::default() });
    }
    CreateTopicsResponse { topics, ..CreateTopicsResponse::default() }
}

pub fn deleted(store: &mut Store, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let mut responses = Vec::new();
    for name in request.topic_names {
        store.topics.remove(&name);
        let name = Some(name);
        responses.push(DeletableTopicResult { name, ..DeletableTopicResult::default() });
    }
    DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() }
}

pub fn offsets(store: &Store, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let topic = |asked: wire::messages::list_offsets_request::ListOffsetsTopic| {
        let known = &store.topics[&asked.name];
        let partition = |asked: &wire::messages::list_offsets_request::ListOffsetsPartition| {
            let end = known[asked.partition_index as usize].end;
            ListOffsetsPartitionResponse {
                partition_index: asked.partition_index,
                offset: if asked.timestamp == EARLIEST { 0 } else { end },
                ..ListOffsetsPartitionResponse::default()
            }
        };
        let partitions = asked.partitions.iter().map(partition).collect();
        ListOffsetsTopicResponse { name: asked.name, partitions, ..Default::default() }
    };
    let topics = request.topics.into_iter().map(topic).collect();
    ListOffsetsResponse { topics, ..ListOffsetsResponse::default() }
}

pub fn producer_id(store: &mut Store) -> InitProducerIdResponse {
    store.next_producer_id += 1;
    let producer_id = store.next_producer_id;
    InitProducerIdResponse { producer_id, producer_epoch: 0, ..InitProducerIdResponse::default() }
}

pub fn produced(store: &mut Store, request: ProduceRequest) -> ProduceResponse {
    let mut responses = Vec::new();
    for topic in request.topic_data {
        let mut partition_responses = Vec::new();
        for data in topic.partition_data {
            let batch = data.records.unwrap_or_default().into_bytes();
            partition_responses.push(PartitionProduceResponse {
                index: data.index,
                base_offset: store.append(&topic.name, data.index, batch),
                ..PartitionProduceResponse::default()
            });
        }
        let name = topic.name;
        responses.push(TopicProduceResponse { name, partition_responses, ..Default::default() });
    }
    ProduceResponse { responses, ..ProduceResponse::default() }
}

pub fn fetched(store: &Store, request: FetchRequest) -> FetchResponse {
    let mut responses = Vec::new();
    for topic in request.topics {
        let known = &store.topics[&topic.topic];
        let partition = |asked: &wire::messages::fetch_request::FetchPartition| {
            let partition = &known[asked.partition as usize];
            let bytes_max = asked.partition_max_bytes as usize;
            PartitionData {
                partition_index: asked.partition,
                high_watermark: partition.end,
                last_stable_offset: partition.end,
                records: Some(partition.read(asked.fetch_offset, bytes_max).into()),
                ..PartitionData::default()
            }
        };
        responses.push(FetchableTopicResponse {
            partitions: topic.partitions.iter().map(partition).collect(),
            topic: topic.topic,
            ..FetchableTopicResponse::default()
        });
    }
    FetchResponse { responses, ..FetchResponse::default() }
}
