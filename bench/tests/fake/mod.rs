//! A broker that is just enough of one for the harness, and can be told to be slow or to lie: whether
//! the harness notices is what its figures are worth.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic"
)]

mod answers;
mod store;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use bytes::Bytes;
use wire::{
    ApiKey, Message, Reader, Request, decode_request_header, encode_response,
    messages::{
        ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FetchRequest,
        InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
    },
};

use store::Store;

/// What is wrong with it. Places are counted in Produce requests, from 0, of the whole broker.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "each test file has its own part of these")]
pub enum Fault {
    None,
    /// Nobody is answered for so long, once.
    Stall {
        at: u64,
        length: Duration,
    },
    /// Everything is acknowledged and nothing kept.
    KeepsNothing,
    /// Everything from here on is acknowledged and not kept.
    KeepsNothingFrom(u64),
    /// One batch is acknowledged and not kept.
    Drops(u64),
    /// One batch is kept twice.
    Repeats(u64),
    /// One batch of a partition takes its place behind the next.
    Swaps(u64),
    /// A byte of one batch's records is another.
    Damages(u64),
    /// One batch has other records, under a checksum that fits them.
    Replaces(u64),
    /// An offset is left out in front of one batch.
    Skips(u64),
    /// The end of a partition moves with all that is acknowledged, but reading stops at this batch.
    Withholds(u64),
}

/// Runs until the test ends.
pub struct FakeBroker {
    pub address: String,
}

impl FakeBroker {
    pub fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let store = Arc::new(Mutex::new(Store::new(address.port(), fault)));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let store = Arc::clone(&store);
                std::thread::spawn(move || serve(stream.unwrap(), &store));
            }
        });
        Self { address: address.to_string() }
    }
}

/// Until the client has gone.
fn serve(mut stream: TcpStream, store: &Mutex<Store>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut frame).ok()?;
        let mut reader = Reader::new(Bytes::from(frame));
        let header = decode_request_header(&mut reader).unwrap();
        let asked = (header.api_version, header.correlation_id);
        // Who holds the lock and waits lets everybody wait.
        let answer = answer(header.api_key, asked, &mut reader, &mut store.lock().unwrap());
        stream.write_all(&answer).ok()?;
    }
}

fn answer(key: ApiKey, asked: (i16, i32), reader: &mut Reader, store: &mut Store) -> Vec<u8> {
    match key {
        ApiKey::ApiVersions => encoded::<ApiVersionsRequest>(asked, &answers::versions()),
        ApiKey::Metadata => {
            let request = MetadataRequest::decode(reader, asked.0).unwrap();
            encoded::<MetadataRequest>(asked, &answers::metadata(store, &request))
        }
        ApiKey::CreateTopics => {
            let request = CreateTopicsRequest::decode(reader, asked.0).unwrap();
            encoded::<CreateTopicsRequest>(asked, &answers::created(store, request))
        }
        ApiKey::DeleteTopics => {
            let request = DeleteTopicsRequest::decode(reader, asked.0).unwrap();
            encoded::<DeleteTopicsRequest>(asked, &answers::deleted(store, request))
        }
        ApiKey::ListOffsets => {
            let request = ListOffsetsRequest::decode(reader, asked.0).unwrap();
            encoded::<ListOffsetsRequest>(asked, &answers::offsets(store, request))
        }
        ApiKey::InitProducerId => {
            encoded::<InitProducerIdRequest>(asked, &answers::producer_id(store))
        }
        ApiKey::Produce => {
            if let Some(length) = store.stall() {
                wait(length);
            }
            let request = ProduceRequest::decode(reader, asked.0).unwrap();
            encoded::<ProduceRequest>(asked, &answers::produced(store, request))
        }
        ApiKey::Fetch => {
            let request = FetchRequest::decode(reader, asked.0).unwrap();
            encoded::<FetchRequest>(asked, &answers::fetched(store, request))
        }
        other => panic!("{other:?} was not to be asked"),
    }
}

fn encoded<R: Request>((version, correlation_id): (i16, i32), response: &R::Response) -> Vec<u8> {
    encode_response::<R>(version, correlation_id, response).unwrap().concat()
}

/// At least so long: nobody ever sends.
fn wait(length: Duration) {
    let (sender, receiver) = mpsc::channel::<()>();
    assert_eq!(receiver.recv_timeout(length), Err(RecvTimeoutError::Timeout));
    drop(sender);
}
