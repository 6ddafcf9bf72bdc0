//! A node on a free port with its data in a folder of its own, and a client that speaks frames.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use engine::broker::{Node, NodeOptions, start};
use engine::config::BrokerConfig;
use engine::io::CoreSelection;
use server::Server;
use wire::messages::CreateTopicsRequest;
use wire::messages::create_topics_request::CreatableTopic;
use wire::{Request, decode_response, encode_request};

/// Nothing here takes longer, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Running {
    pub address: SocketAddr,
    folder: PathBuf,
    properties: String,
    node: Option<Node>,
}

impl Running {
    pub fn start(settings: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("corelog-server-{}-{count}", std::process::id()));
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let properties = format!(
            "node.id=1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=data\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=2\n{settings}\n"
        );
        let (address, node) = Self::open(&folder, &properties);
        Self { address, folder, properties, node: Some(node) }
    }

    /// The same node once more, on another port. What lies in its folder may have been changed.
    pub fn start_again(&mut self) {
        assert!(self.node.is_none(), "it has been stopped");
        let (address, node) = Self::open(&self.folder, &self.properties);
        self.address = address;
        self.node = Some(node);
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn open(folder: &Path, properties: &str) -> (SocketAddr, Node) {
        let (config, _) = BrokerConfig::from_properties(properties.as_bytes(), folder).unwrap();
        let (server, listening) = Server::new();
        let options = NodeOptions { config, cores: CoreSelection::Count(2) };
        let node = start(&options, move |broker| server.serve(broker)).unwrap();
        let address = listening.wait().unwrap()[0].address;
        (address, node)
    }

    pub fn client(&self) -> Client {
        self.client_named("test")
    }

    pub fn client_named(&self, id: &str) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, id: id.to_owned(), next_correlation_id: 1 }
    }

    pub fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stopper().stop();
            node.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

pub struct Client {
    stream: TcpStream,
    id: String,
    next_correlation_id: i32,
}

/// A request whose answer is still to be read.
pub struct Sent {
    version: i16,
    pub correlation_id: i32,
}

/// A topic without replicas elsewhere.
pub fn new_topic(name: &str, partitions: i32) -> CreateTopicsRequest {
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    CreateTopicsRequest { topics: vec![topic], timeout_ms: 5000, ..CreateTopicsRequest::default() }
}

impl Client {
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> Sent {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let slices = encode_request(version, correlation_id, Some(&self.id), request).unwrap();
        self.send_bytes(&slices.concat());
        Sent { version, correlation_id }
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // A server that has closed already is found out by the next read.
        self.stream.write_all(bytes).ok();
    }

    pub fn receive<R: Request>(&mut self, sent: &Sent) -> R::Response {
        let frame = self.receive_frame().expect("the connection is open");
        decode_response::<R>(frame, sent.version, sent.correlation_id).unwrap()
    }

    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let sent = self.send(version, request);
        self.receive::<R>(&sent)
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        let created = self.ask(5, &new_topic(name, partitions));
        assert_eq!(created.topics[0].error_code, 0, "{created:?}");
    }

    /// The next frame without its size; `None` when the server has closed.
    pub fn receive_frame(&mut self) -> Option<Bytes> {
        let mut size = [0; 4];
        self.fill(&mut size)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
        self.fill(&mut frame)?;
        Some(Bytes::from(frame))
    }

    /// Whether anything has come that is not received yet.
    pub fn has_answer(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let is_there = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).unwrap();
        is_there
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) => {
                let kind = error.kind();
                assert!(
                    kind != std::io::ErrorKind::WouldBlock && kind != std::io::ErrorKind::TimedOut,
                    "neither an answer nor the end came in time"
                );
                None
            }
        }
    }
}
