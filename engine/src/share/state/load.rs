//! From the log to the state of queues.

use bytes::Bytes;

use crate::share::Coordinator;
use crate::share::format::{DecodeRecordError, decode};
use crate::types::Offset;

impl Coordinator {
    /// Takes one record of the log, in the log's order, before the first step.
    pub fn replay(
        &mut self,
        at: Offset,
        key: &Bytes,
        value: Option<&Bytes>,
    ) -> Result<(), DecodeRecordError> {
        self.pruning.appended(at);
        let Some((key, record)) = decode(key, value)? else { return Ok(()) };
        self.pruning.place(&key, &record, at);
        let queue = self.queues.entry(key.clone()).or_default();
        record.apply_to(&mut queue.current);
        if queue.is_nothing() {
            self.queues.remove(&key);
        }
        Ok(())
    }

    /// The log is read.
    pub fn loaded(&mut self) {
        for queue in self.queues.values_mut() {
            queue.durable.clone_from(&queue.current);
        }
    }

    /// The queues whose state is kept here.
    pub fn keys(&self) -> impl Iterator<Item = &crate::share::ShareKey> {
        self.queues.keys()
    }
}
