//! The producer against a broker that loses requests and answers, refuses batches for a while and some
//! for good: what it reports is what happened, and order holds with several batches on their way.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic"
)]

use std::{
    collections::{HashMap, VecDeque},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use client::{
    Client, ClientOptions,
    batch::{Batches, Record},
    producer::{Producer, ProducerOptions},
};
use wire::{
    ApiKey, ErrorCode, Message, Reader, Request, decode_request_header, encode_response,
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, InitProducerIdRequest, InitProducerIdResponse,
        MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
        api_versions_response::ApiVersion,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
};

const TOPIC: &str = "t";
const RECORDS: u32 = 400;
/// A batch with this record is refused for good.
const POISON: u32 = 150;

/// One partition, with Kafka's rules for idempotent producers.
struct Partition {
    address: SocketAddr,
    random: u64,
    faults: u64,
    next_producer_id: i64,
    values: Vec<u32>,
    /// First and last sequence number and offset of the last five batches of each producer.
    recent: HashMap<i64, VecDeque<(i32, i32, i64)>>,
}

enum Fate {
    Taken,
    RequestLost,
    AnswerLost,
    NotNow,
}

impl Partition {
    fn next_fate(&mut self) -> Fate {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let fate = match (self.random >> 33) % 20 {
            0 => Fate::RequestLost,
            1 => Fate::AnswerLost,
            2 => Fate::NotNow,
            _ => return Fate::Taken,
        };
        self.faults += 1;
        fate
    }

    fn append(&mut self, bytes: Bytes) -> (ErrorCode, i64) {
        let batch = Batches::new(bytes).next().unwrap().unwrap();
        let (header, records) = (batch.header.clone(), batch.records().unwrap());
        let first = header.base_sequence;
        let last = first + header.last_offset_delta;
        let values = records.iter().map(|record| {
            u32::from_be_bytes(record.value.as_deref().unwrap()[..4].try_into().unwrap())
        });
        let values: Vec<u32> = values.collect();
        if values.contains(&POISON) {
            return (ErrorCode::MessageTooLarge, -1);
        }
        let recent = self.recent.entry(header.producer_id).or_default();
        if let Some((_, _, offset)) = recent.iter().find(|one| (one.0, one.1) == (first, last)) {
            return (ErrorCode::None, *offset);
        }
        if first != recent.back().map_or(0, |(_, last, _)| last + 1) {
            return (ErrorCode::OutOfOrderSequenceNumber, -1);
        }
        let offset = self.values.len() as i64;
        recent.push_back((first, last, offset));
        if recent.len() > 5 {
            recent.pop_front();
        }
        self.values.extend(values);
        (ErrorCode::None, offset)
    }
}

/// A broker that runs until the test ends.
fn broker(seed: u64) -> Arc<Mutex<Partition>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let partition = Arc::new(Mutex::new(Partition {
        address: listener.local_addr().unwrap(),
        random: seed,
        faults: 0,
        next_producer_id: 0,
        values: Vec::new(),
        recent: HashMap::new(),
    }));
    let shared = Arc::clone(&partition);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || serve(stream.unwrap(), &shared));
        }
    });
    partition
}

/// Until the client has gone, or is to think so.
fn serve(mut stream: TcpStream, partition: &Mutex<Partition>) -> Option<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut frame).ok()?;
        let mut reader = Reader::new(Bytes::from(frame));
        let header = decode_request_header(&mut reader).unwrap();
        let version = header.api_version;
        let answer = match header.api_key {
            ApiKey::ApiVersions => {
                encode_response::<ApiVersionsRequest>(version, header.correlation_id, &versions())
            }
            ApiKey::Metadata => {
                let address = partition.lock().unwrap().address;
                let answer = metadata(address);
                encode_response::<MetadataRequest>(version, header.correlation_id, &answer)
            }
            ApiKey::InitProducerId => {
                let mut partition = partition.lock().unwrap();
                partition.next_producer_id += 1;
                let producer_id = partition.next_producer_id;
                let answer =
                    InitProducerIdResponse { producer_id, ..InitProducerIdResponse::default() };
                encode_response::<InitProducerIdRequest>(version, header.correlation_id, &answer)
            }
            ApiKey::Produce => {
                let request = ProduceRequest::decode(&mut reader, version).unwrap();
                let answer = produced(&mut partition.lock().unwrap(), request)?;
                encode_response::<ProduceRequest>(version, header.correlation_id, &answer)
            }
            other => panic!("{other:?} was not to be asked"),
        };
        stream.write_all(&answer.unwrap().concat()).ok()?;
    }
}

/// `None`: the connection breaks.
fn produced(partition: &mut Partition, request: ProduceRequest) -> Option<ProduceResponse> {
    let fate = partition.next_fate();
    let bytes = request.topic_data[0].partition_data[0].records.clone().unwrap().into_bytes();
    let (error, base_offset) = match fate {
        Fate::RequestLost => return None,
        Fate::NotNow => (ErrorCode::NotLeaderOrFollower, -1),
        Fate::Taken => partition.append(bytes),
        Fate::AnswerLost => {
            partition.append(bytes);
            return None;
        }
    };
    let answer = PartitionProduceResponse {
        error_code: error.code(),
        base_offset,
        ..PartitionProduceResponse::default()
    };
    let topic = TopicProduceResponse {
        name: TOPIC.to_owned(),
        partition_responses: vec![answer],
        ..TopicProduceResponse::default()
    };
    Some(ProduceResponse { responses: vec![topic], ..ProduceResponse::default() })
}

fn versions() -> ApiVersionsResponse {
    let speaks = |api_key: i16, max_version: i16| ApiVersion {
        api_key,
        min_version: 0,
        max_version,
        ..ApiVersion::default()
    };
    ApiVersionsResponse {
        api_keys: vec![
            speaks(ProduceRequest::KEY.code(), 9),
            speaks(MetadataRequest::KEY.code(), 9),
            speaks(ApiVersionsRequest::KEY.code(), 3),
            speaks(InitProducerIdRequest::KEY.code(), 4),
        ],
        ..ApiVersionsResponse::default()
    }
}

fn metadata(address: SocketAddr) -> MetadataResponse {
    let broker = MetadataResponseBroker {
        node_id: 1,
        host: address.ip().to_string(),
        port: i32::from(address.port()),
        ..MetadataResponseBroker::default()
    };
    let partition = MetadataResponsePartition {
        leader_id: 1,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..MetadataResponsePartition::default()
    };
    let topic = MetadataResponseTopic {
        name: Some(TOPIC.to_owned()),
        partitions: vec![partition],
        ..MetadataResponseTopic::default()
    };
    MetadataResponse {
        brokers: vec![broker],
        controller_id: 1,
        topics: vec![topic],
        ..MetadataResponse::default()
    }
}

/// Sends all records and returns which of them the producer says are in the log, and where.
fn send(address: SocketAddr) -> Vec<Option<Option<i64>>> {
    socket::block_on(async {
        let mut client = ClientOptions::new(&address.to_string());
        client.retry.backoff_min = Duration::from_millis(2);
        let client = Client::new(client);
        let options = ProducerOptions {
            batch_bytes_max: 200,
            delivery_timeout: Duration::from_secs(30),
            ..ProducerOptions::default()
        };
        let producer = Producer::new(client, options).unwrap();
        let mut deliveries = Vec::new();
        for number in 0..RECORDS {
            let value = Some(Bytes::copy_from_slice(&number.to_be_bytes()));
            let record = Record { value, ..Record::default() };
            deliveries.push(producer.send(TOPIC, None, record).await.unwrap());
        }
        producer.flush().await;
        let mut fates = Vec::new();
        for delivery in deliveries {
            fates.push(delivery.await.unwrap().ok().map(|delivery| delivery.offset));
        }
        fates
    })
    .unwrap()
}

#[test]
fn order_holds_and_nothing_is_lost_or_doubled_whatever_fails_on_the_way() {
    let mut faults = 0;
    for seed in 0..4 {
        let partition = broker(seed);
        let address = partition.lock().unwrap().address;
        let fates = send(address);
        let partition = partition.lock().unwrap();
        faults += partition.faults;
        assert!(
            partition.values.windows(2).all(|pair| pair[0] < pair[1]),
            "seed {seed}: {:?}",
            partition.values
        );
        for (number, fate) in fates.iter().enumerate() {
            let at = partition.values.binary_search(&(number as u32));
            assert_eq!(fate.is_some(), at.is_ok(), "seed {seed}: record {number}");
            if let (Some(Some(offset)), Ok(at)) = (fate, at) {
                assert_eq!(*offset, at as i64, "seed {seed}: record {number}");
            }
        }
        let refused = fates.iter().filter(|fate| fate.is_none()).count();
        assert!((1..20).contains(&refused), "seed {seed}: one batch alone is refused: {refused}");
    }
    assert!(faults > 10, "{faults}");
}
