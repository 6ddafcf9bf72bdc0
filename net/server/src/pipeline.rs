//! The answers that one connection is owed, in the order of its requests. Produce requests overlap:
//! each has its place in the log when the next is read, and their answers wait here for the disk.
//! Two tasks of one core share a pipeline: the reader puts answers in, the writer takes them out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use engine::broker::Reservation;

use crate::limits::{
    ANSWERS_PER_WRITE_MAX, IN_FLIGHT_BYTES_MAX, IN_FLIGHT_REQUESTS_MAX, WRITE_BYTES,
};

/// What comes of one request.
pub(crate) enum Answer {
    /// A whole response frame, size first, and the memory that it holds until it has left.
    Frame { slices: Vec<Bytes>, held: Option<Reservation> },
    /// The client wants no answer (`acks=0`).
    Nothing,
    /// The connection ends here; everything before it is still sent.
    Close { reason: String },
}

pub(crate) type PendingAnswer = Pin<Box<dyn Future<Output = Answer>>>;

/// Cheap to clone; all clones share one pipeline.
#[derive(Clone, Default)]
pub(crate) struct Pipeline {
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Owed>,
    // Counts what is in `waiting` and what the writer has taken but not yet written.
    requests: usize,
    bytes: usize,
    /// The reader puts nothing in any more.
    is_closed: bool,
    /// The writer takes nothing out any more.
    is_broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Owed {
    /// What the request holds in memory until it is answered.
    bytes: usize,
    answer: PendingAnswer,
}

/// What the writer sends in one go.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub slices: Vec<Bytes>,
    /// Set if the connection ends after the slices.
    pub close: Option<String>,
    held: Vec<Reservation>,
    bytes: usize,
    requests: usize,
    request_bytes: usize,
}

impl Pipeline {
    /// Waits until a request of so many bytes may be read. False if the writer has gone.
    pub async fn room_for(&self, bytes: usize) -> bool {
        self.reader_waits(|state| {
            state.requests == 0
                || (state.requests < IN_FLIGHT_REQUESTS_MAX
                    && state.bytes.saturating_add(bytes) <= IN_FLIGHT_BYTES_MAX)
        })
        .await
    }

    /// Waits until everything is answered and written. False if the writer has gone.
    pub async fn drained(&self) -> bool {
        self.reader_waits(|state| state.requests == 0).await
    }

    pub fn is_drained(&self) -> bool {
        self.state.borrow().requests == 0
    }

    /// The next answer in line, for a request that holds `bytes`.
    pub fn push(&self, bytes: usize, answer: PendingAnswer) {
        let mut state = self.state.borrow_mut();
        state.requests = state.requests.strict_add(1);
        state.bytes = state.bytes.strict_add(bytes);
        state.waiting.push_back(Owed { bytes, answer });
        wake(&mut state.writer);
    }

    /// Nothing more comes; the writer ends when all is written.
    pub fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.is_closed = true;
        wake(&mut state.writer);
    }

    /// Nothing more is written; the reader need not wait.
    pub fn break_off(&self) {
        let mut state = self.state.borrow_mut();
        state.is_broken = true;
        wake(&mut state.reader);
    }

    /// Waits for the first answer and takes with it those that are ready. `None` after the last.
    pub async fn next(&self) -> Option<Outgoing> {
        let mut outgoing = Outgoing::default();
        poll_fn(|context| {
            loop {
                let Some(mut owed) = self.state.borrow_mut().waiting.pop_front() else {
                    break;
                };
                match owed.answer.as_mut().poll(context) {
                    Poll::Ready(answer) => {
                        if outgoing.take(owed.bytes, answer) {
                            return Poll::Ready(());
                        }
                    }
                    Poll::Pending => {
                        self.state.borrow_mut().waiting.push_front(owed);
                        // Something that is ready must not wait for what is not.
                        return if outgoing.requests == 0 {
                            Poll::Pending
                        } else {
                            Poll::Ready(())
                        };
                    }
                }
            }
            let mut state = self.state.borrow_mut();
            if outgoing.requests == 0 && !state.is_closed {
                state.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        (outgoing.requests != 0).then_some(outgoing)
    }

    /// The bytes of `outgoing` have left, and what they held is free.
    pub fn written(&self, outgoing: &mut Outgoing) {
        outgoing.held.clear();
        let mut state = self.state.borrow_mut();
        state.requests = state.requests.strict_sub(outgoing.requests);
        state.bytes = state.bytes.strict_sub(outgoing.request_bytes);
        wake(&mut state.reader);
    }

    async fn reader_waits(&self, is_due: impl Fn(&State) -> bool) -> bool {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if state.is_broken {
                return Poll::Ready(false);
            }
            if is_due(&state) {
                return Poll::Ready(true);
            }
            state.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Outgoing {
    /// True if this is enough for one write.
    fn take(&mut self, request_bytes: usize, answer: Answer) -> bool {
        self.requests = self.requests.strict_add(1);
        self.request_bytes = self.request_bytes.strict_add(request_bytes);
        match answer {
            Answer::Frame { slices, held } => {
                self.bytes = slices.iter().map(Bytes::len).fold(self.bytes, usize::strict_add);
                self.slices.extend(slices);
                self.held.extend(held);
            }
            Answer::Nothing => {}
            Answer::Close { reason } => self.close = Some(reason),
        }
        self.close.is_some() || ANSWERS_PER_WRITE_MAX <= self.requests || WRITE_BYTES <= self.bytes
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures_channel::oneshot;
    use futures_util::FutureExt;

    use super::*;

    fn frame(text: &'static str) -> Answer {
        Answer::Frame { slices: vec![Bytes::from_static(text.as_bytes())], held: None }
    }

    fn later(pipeline: &Pipeline) -> oneshot::Sender<Answer> {
        let (sender, receiver) = oneshot::channel();
        pipeline.push(10, Box::pin(async move { receiver.await.unwrap() }));
        sender
    }

    fn taken(pipeline: &Pipeline) -> Option<String> {
        let mut outgoing = pipeline.next().now_or_never()??;
        pipeline.written(&mut outgoing);
        Some(outgoing.slices.iter().map(|slice| str::from_utf8(slice).unwrap()).collect())
    }

    #[test]
    fn answers_leave_in_the_order_of_their_requests() {
        let pipeline = Pipeline::default();
        let (first, second) = (later(&pipeline), later(&pipeline));
        second.send(frame("2")).ok().unwrap();
        assert_eq!(taken(&pipeline), None);
        first.send(frame("1")).ok().unwrap();
        assert_eq!(taken(&pipeline).as_deref(), Some("12"));
        assert!(pipeline.is_drained());
    }

    #[test]
    fn a_ready_answer_does_not_wait_for_the_one_behind_it() {
        let pipeline = Pipeline::default();
        let (first, _second) = (later(&pipeline), later(&pipeline));
        first.send(frame("1")).ok().unwrap();
        assert_eq!(taken(&pipeline).as_deref(), Some("1"));
        assert!(!pipeline.is_drained());
    }

    #[test]
    fn a_request_without_an_answer_keeps_its_place() {
        let pipeline = Pipeline::default();
        let (first, second) = (later(&pipeline), later(&pipeline));
        first.send(Answer::Nothing).ok().unwrap();
        second.send(frame("2")).ok().unwrap();
        assert_eq!(taken(&pipeline).as_deref(), Some("2"));
    }

    #[test]
    fn nothing_leaves_after_a_close() {
        let pipeline = Pipeline::default();
        let (first, second, third) = (later(&pipeline), later(&pipeline), later(&pipeline));
        first.send(frame("1")).ok().unwrap();
        second.send(Answer::Close { reason: "broken".to_owned() }).ok().unwrap();
        third.send(frame("3")).ok().unwrap();
        let outgoing = pipeline.next().now_or_never().unwrap().unwrap();
        assert_eq!((outgoing.slices.len(), outgoing.close.as_deref()), (1, Some("broken")));
    }

    #[test]
    fn the_reader_waits_while_too_many_answers_are_owed() {
        let pipeline = Pipeline::default();
        let mut senders: VecDeque<_> =
            (0..IN_FLIGHT_REQUESTS_MAX).map(|_| later(&pipeline)).collect();
        assert_eq!(pipeline.room_for(1).now_or_never(), None);
        senders.pop_front().unwrap().send(Answer::Nothing).ok().unwrap();
        assert!(pipeline.next().now_or_never().flatten().is_some_and(|mut outgoing| {
            pipeline.written(&mut outgoing);
            true
        }));
        assert_eq!(pipeline.room_for(1).now_or_never(), Some(true));
    }

    #[test]
    fn the_reader_waits_while_too_many_bytes_are_held() {
        let pipeline = Pipeline::default();
        assert_eq!(pipeline.room_for(usize::MAX).now_or_never(), Some(true));
        let _first = later(&pipeline);
        assert_eq!(pipeline.room_for(IN_FLIGHT_BYTES_MAX).now_or_never(), None);
        assert_eq!(pipeline.room_for(IN_FLIGHT_BYTES_MAX - 10).now_or_never(), Some(true));
    }

    #[test]
    fn a_closed_pipeline_ends_after_its_last_answer() {
        let pipeline = Pipeline::default();
        let first = later(&pipeline);
        pipeline.close();
        assert!(pipeline.next().now_or_never().is_none());
        first.send(frame("1")).ok().unwrap();
        assert_eq!(taken(&pipeline).as_deref(), Some("1"));
        assert!(pipeline.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_reader_does_not_wait_for_a_writer_that_has_gone() {
        let pipeline = Pipeline::default();
        let _first = later(&pipeline);
        pipeline.break_off();
        assert_eq!(pipeline.drained().now_or_never(), Some(false));
    }
}
