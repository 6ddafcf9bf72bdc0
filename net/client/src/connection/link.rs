//! The two tasks of a connection: one writes what has gathered, one reads answers and gives each
//! to who asked. Kafka answers a connection's requests in their order.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use bytes::Bytes;
use futures_channel::oneshot;
use socket::{Closer, ReadError, ReadHalf, Stream, WriteError, WriteHalf};

use super::frames::{BadSize, Frames};
use crate::{limits::IN_FLIGHT_MAX, signal::Signal};

pub type Answer = Result<Bytes, Rc<LinkError>>;

/// Why a connection carries nothing any more.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("{peer} has closed the connection")]
    Ended { peer: String },
    #[error("the connection to {peer} is closed")]
    Closed { peer: String },
    #[error("{peer} announced a frame of {size} bytes; is it a Kafka broker, and without TLS?")]
    FrameSize { peer: String, size: i32 },
    #[error("{peer} answered request {found} where the answer to request {expected} was due")]
    OutOfOrder { peer: String, expected: i32, found: i32 },
    #[error("{peer} answered a request that nobody sent")]
    Unasked { peer: String },
    #[error("more than {IN_FLIGHT_MAX} requests wait for {peer}")]
    Full { peer: String },
}

#[derive(Debug)]
pub struct Link {
    peer: String,
    closer: Closer,
    next_correlation_id: Cell<i32>,
    /// In the order of the requests on the wire.
    waiting: RefCell<VecDeque<(i32, oneshot::Sender<Answer>)>>,
    outgoing: RefCell<Vec<Bytes>>,
    /// Of `outgoing`, and of what the writer has taken and not yet written.
    unwritten_bytes: Cell<usize>,
    something_to_write: Signal,
    something_written: Signal,
    error: RefCell<Option<Rc<LinkError>>>,
}

impl Link {
    pub fn start(stream: Stream, peer: &str) -> Rc<Self> {
        let link = Rc::new(Self {
            peer: peer.to_owned(),
            closer: stream.closer(),
            next_correlation_id: Cell::new(0),
            waiting: RefCell::default(),
            outgoing: RefCell::default(),
            unwritten_bytes: Cell::new(0),
            something_to_write: Signal::default(),
            something_written: Signal::default(),
            error: RefCell::default(),
        });
        let (reads, writes) = stream.split();
        drop(socket::spawn_local(read_all(Rc::clone(&link), reads)));
        drop(socket::spawn_local(write_all(Rc::clone(&link), writes)));
        link
    }

    pub fn is_open(&self) -> bool {
        self.error.borrow().is_none()
    }

    pub fn close(&self) {
        self.fail(LinkError::Closed { peer: self.peer.clone() });
    }

    /// Why the connection is closed.
    pub fn error(&self) -> Rc<LinkError> {
        let known = self.error.borrow().clone();
        known.unwrap_or_else(|| Rc::new(LinkError::Closed { peer: self.peer.clone() }))
    }

    pub fn next_correlation_id(&self) -> i32 {
        let id = self.next_correlation_id.get();
        self.next_correlation_id.set(id.wrapping_add(1) & i32::MAX);
        id
    }

    pub fn ask(
        &self,
        correlation_id: i32,
        frame: Vec<Bytes>,
    ) -> Result<oneshot::Receiver<Answer>, Rc<LinkError>> {
        if self.waiting.borrow().len() >= IN_FLIGHT_MAX {
            return Err(Rc::new(LinkError::Full { peer: self.peer.clone() }));
        }
        self.send(frame)?;
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push_back((correlation_id, sender));
        Ok(receiver)
    }

    pub fn send(&self, frame: Vec<Bytes>) -> Result<(), Rc<LinkError>> {
        if !self.is_open() {
            return Err(self.error());
        }
        let bytes = frame.iter().map(Bytes::len).sum::<usize>();
        self.unwritten_bytes.set(self.unwritten_bytes.get().strict_add(bytes));
        self.outgoing.borrow_mut().extend(frame);
        self.something_to_write.set();
        Ok(())
    }

    pub async fn written_down_to(&self, bytes_max: usize) -> Result<(), Rc<LinkError>> {
        while self.unwritten_bytes.get() > bytes_max {
            if !self.is_open() {
                return Err(self.error());
            }
            self.something_written.wait().await;
        }
        Ok(())
    }

    /// The first reason stays; everybody who waits learns it.
    fn fail(&self, error: LinkError) {
        if self.is_open() {
            *self.error.borrow_mut() = Some(Rc::new(error));
        }
        self.closer.close();
        self.something_to_write.set();
        self.something_written.set();
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for (_, sender) in waiting {
            // Whoever has stopped waiting needs no answer.
            sender.send(Err(self.error())).ok();
        }
    }

    fn deliver(&self, frame: Bytes) -> Result<(), LinkError> {
        let peer = || self.peer.clone();
        let found = frame
            .first_chunk()
            .map(|id| i32::from_be_bytes(*id))
            .ok_or_else(|| LinkError::Unasked { peer: peer() })?;
        let (expected, sender) = self
            .waiting
            .borrow_mut()
            .pop_front()
            .ok_or_else(|| LinkError::Unasked { peer: peer() })?;
        if found != expected {
            // The answer that was due gets its error with all others.
            drop(sender);
            return Err(LinkError::OutOfOrder { peer: peer(), expected, found });
        }
        // Whoever has stopped waiting needs no answer.
        sender.send(Ok(frame)).ok();
        Ok(())
    }
}

async fn read_all(link: Rc<Link>, mut reads: ReadHalf) {
    let error = match read_until_end(&link, &mut reads).await {
        Ok(()) => LinkError::Ended { peer: link.peer.clone() },
        Err(error) => error,
    };
    link.fail(error);
}

async fn read_until_end(link: &Link, reads: &mut ReadHalf) -> Result<(), LinkError> {
    let mut frames = Frames::default();
    loop {
        let wanted = frames.wanted();
        if reads.read_into(frames.buffer(), wanted).await? == 0 {
            return Ok(());
        }
        loop {
            match frames.take() {
                Ok(Some(frame)) => link.deliver(frame)?,
                Ok(None) => break,
                Err(BadSize(size)) => {
                    return Err(LinkError::FrameSize { peer: link.peer.clone(), size });
                }
            }
        }
    }
}

async fn write_all(link: Rc<Link>, mut writes: WriteHalf) {
    while link.is_open() {
        let taken = std::mem::take(&mut *link.outgoing.borrow_mut());
        if taken.is_empty() {
            link.something_to_write.wait().await;
            continue;
        }
        let bytes = taken.iter().map(Bytes::len).sum::<usize>();
        if let Err(error) = writes.write_all_vectored(&taken).await {
            link.fail(error.into());
            return;
        }
        link.unwritten_bytes.set(link.unwritten_bytes.get().strict_sub(bytes));
        link.something_written.set();
    }
}
