//! Standard input as records of a topic. A thread reads the input, so that records already read
//! are sent while a person types the next one.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::Bytes;
use client::Client;
use client::batch::Record;
use client::producer::{Producer, ProducerOptions};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;

use crate::actions::lines::{LineFormat, LineSplitter};
use crate::exit::Failure;

pub struct Produce {
    pub topic: String,
    pub partition: Option<i32>,
    pub format: LineFormat,
    /// Wait for each record before the next is sent.
    pub one_by_one: bool,
    pub options: ProducerOptions,
    /// Written to standard output whenever input is awaited.
    pub prompt: Option<&'static str>,
}

const PIECE_BYTES: usize = 64 << 10;
/// Pieces that are read and not yet taken.
const PIECES_MAX: usize = 8;

/// Sends every line until the input ends; returns how many records the broker has taken.
pub async fn run(client: Client, produce: &Produce) -> Result<u64, Failure> {
    let producer = Producer::new(client, produce.options.clone())?;
    let failure = Rc::new(RefCell::new(None));
    let sent = send_all(&producer, produce, &failure).await;
    // What was read before a wrong line is sent all the same.
    producer.flush().await;
    let count = sent?;
    // The tasks that watch deliveries run before the failure is looked for.
    socket::yield_now().await;
    match failure.borrow_mut().take() {
        Some(failure) => Err(failure),
        None => Ok(count),
    }
}

type FirstFailure = Rc<RefCell<Option<Failure>>>;

async fn send_all(
    producer: &Producer,
    produce: &Produce,
    failure: &FirstFailure,
) -> Result<u64, Failure> {
    let mut input = Input::start()?;
    let mut splitter = LineSplitter::default();
    let mut number: u64 = 0;
    loop {
        if let Some(prompt) = produce.prompt {
            crate::out::print(prompt)?;
        }
        let piece = input.next().await?;
        if let Some(piece) = &piece {
            splitter.push(piece);
        }
        while let Some(line) = splitter.next_line() {
            number = number.strict_add(1);
            send(producer, produce, &line, number, failure).await?;
        }
        if piece.is_none() {
            if let Some(line) = splitter.finish() {
                number = number.strict_add(1);
                send(producer, produce, &line, number, failure).await?;
            }
            return Ok(number);
        }
        if failure.borrow().is_some() {
            return Ok(number);
        }
    }
}

async fn send(
    producer: &Producer,
    produce: &Produce,
    line: &[u8],
    number: u64,
    failure: &FirstFailure,
) -> Result<(), Failure> {
    let record = produce.format.record(line, number)?;
    let record = Record { timestamp: socket::wall_clock_millis(), ..record };
    if produce.one_by_one {
        let sent = producer.send_and_wait(&produce.topic, produce.partition, record).await;
        return sent.map(drop).map_err(Failure::failed);
    }
    let delivery = producer.send(&produce.topic, produce.partition, record).await?;
    let failure = Rc::clone(failure);
    // The task runs on by itself; only failures are of interest.
    drop(socket::spawn_local(async move {
        if let Ok(Err(error)) = delivery.await {
            failure.borrow_mut().get_or_insert_with(|| Failure::failed(error));
        }
    }));
    Ok(())
}

/// Standard input, read by a thread that stays a bounded number of pieces ahead.
struct Input {
    pieces: UnboundedReceiver<io::Result<Bytes>>,
    /// Takes a place for each piece that was handed over.
    places: std::sync::mpsc::Receiver<()>,
}

impl Input {
    fn start() -> Result<Self, Failure> {
        let (sender, pieces) = unbounded();
        let (taken, places) = sync_channel(PIECES_MAX);
        std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || read_input(&sender, &taken))?;
        Ok(Self { pieces, places })
    }

    /// `None` at the end of the input.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(piece) = self.pieces.next().await else { return Ok(None) };
        // The thread took a place before it sent the piece.
        self.places.try_recv().ok();
        piece
            .map(Some)
            .map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))
    }
}

fn read_input(pieces: &UnboundedSender<io::Result<Bytes>>, places: &SyncSender<()>) {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let piece = match io::stdin().lock().read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => Ok(Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = piece.is_err();
        if places.send(()).is_err() || pieces.unbounded_send(piece).is_err() || is_last {
            return;
        }
    }
}
