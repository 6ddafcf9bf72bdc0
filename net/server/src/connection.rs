//! One connection: a task that reads requests and one that writes answers. What one client sends,
//! however broken, ends at most its own connection, with one line in the log.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use engine::broker::Stopping;
use futures_util::future::{Either, select};
use socket::{Closer, Stream, WriteHalf};

use crate::context::Context;
use crate::dispatch::{self, Dispatched};
use crate::frame::{Frame, FrameError, FrameReader};
use crate::limits::HANG_UP_MILLIS;
use crate::pipeline::{Answer, Pipeline};

/// Why the connection ends, for the log.
enum End {
    /// The client closed between two requests, or the server stops.
    Orderly,
    Refused {
        reason: String,
    },
}

/// Seen by the task that closes idle connections.
#[derive(Clone)]
pub(crate) struct Watch {
    pub closer: Closer,
    pub pipeline: Pipeline,
    pub is_writing: Rc<Cell<bool>>,
}

impl Watch {
    pub fn new(stream: &Stream) -> Self {
        Self { closer: stream.closer(), pipeline: Pipeline::default(), is_writing: Rc::default() }
    }
}

/// Serves the connection until it ends.
pub(crate) async fn serve(stream: Stream, context: Rc<Context>, watch: Watch) {
    let peer = stream.peer_address();
    let (read_half, write_half) = stream.split();
    let frame_bytes_max = usize::try_from(context.broker.config().connections.request_bytes_max)
        .unwrap_or(usize::MAX);
    let reader = FrameReader::new(read_half, frame_bytes_max);
    let writer = socket::spawn_local(write(write_half, watch.clone()));
    let end = read(reader, &context, &watch.pipeline).await;
    if let End::Refused { reason } = end {
        watch.pipeline.push(0, Box::pin(std::future::ready(Answer::Close { reason })));
    }
    watch.pipeline.close();
    if let Err(reason) = writer.await {
        tracing::info!(%peer, reason, "connection closed");
    }
    watch.closer.close();
}

/// Reads and dispatches until the connection ends. Answers go into the pipeline.
async fn read(mut reader: FrameReader, context: &Rc<Context>, pipeline: &Pipeline) -> End {
    let stopping = context.broker.stopping();
    loop {
        let announced = {
            let announced = std::pin::pin!(reader.announced());
            match select(announced, stopping.wait()).await {
                Either::Left((announced, _)) => announced,
                Either::Right(((), _)) => return End::Orderly,
            }
        };
        let frame = match announced {
            Ok(Some(size)) => reader.body(size, context.broker.budget(), pipeline).await,
            Ok(None) => return End::Orderly,
            Err(error) => Err(error),
        };
        let Frame { bytes, reservation } = match frame {
            Ok(frame) => frame,
            // A client that goes away is no news.
            Err(FrameError::Read(_)) => return End::Orderly,
            Err(error) => return End::Refused { reason: error.to_string() },
        };
        let frame_bytes = bytes.len();
        let dispatch = Box::pin(dispatch::dispatch(context, pipeline, bytes, reservation));
        let dispatched = {
            let hang_up = std::pin::pin!(reader.hang_up());
            match select(dispatch, hang_up).await {
                Either::Left((dispatched, _)) => dispatched,
                // Nobody waits for a long poll any more; what takes no time is still answered,
                // since the client may have closed its sending side only.
                Either::Right(((), dispatch)) => {
                    match socket::timeout(Duration::from_millis(HANG_UP_MILLIS), dispatch).await {
                        Ok(dispatched) => dispatched,
                        Err(_) => return End::Orderly,
                    }
                }
            }
        };
        match dispatched {
            Dispatched::Owed { answer, mute } => {
                pipeline.push(frame_bytes, answer);
                if !mute.is_zero() {
                    muted(&mut reader, &stopping, mute).await;
                }
            }
            Dispatched::Refused { reason } => return End::Refused { reason },
            Dispatched::WriterGone => return End::Orderly,
        }
    }
}

/// Its answer leaves at once, but the client is not listened to for that time (KIP-219): also one that does
/// not keep to what it was told is slowed down.
async fn muted(reader: &mut FrameReader, stopping: &Stopping, time: Duration) {
    let (until, gone) = (std::pin::pin!(socket::sleep(time)), std::pin::pin!(reader.gone()));
    select(select(until, gone), stopping.wait()).await;
}

/// Writes answers until the last. The error is what the log says about the connection.
async fn write(mut half: WriteHalf, watch: Watch) -> Result<(), String> {
    while let Some(mut outgoing) = watch.pipeline.next().await {
        if !outgoing.slices.is_empty() {
            watch.is_writing.set(true);
            let written = half.write_all_vectored(&outgoing.slices).await;
            watch.is_writing.set(false);
            if written.is_err() {
                // The client has gone; what it asked for is finished all the same.
                watch.pipeline.break_off();
                watch.closer.close();
                return Ok(());
            }
        }
        watch.pipeline.written(&mut outgoing);
        if let Some(reason) = outgoing.close {
            watch.pipeline.break_off();
            watch.closer.close();
            return Err(reason);
        }
    }
    Ok(())
}
