//! The only way to another core. Each core reads one bounded mailbox; a full one makes the sender
//! wait, so that a slow core slows those who ask it and nobody else.

use futures_channel::{mpsc, oneshot};
use futures_util::SinkExt;

use crate::shard::ask::Ask;
use crate::types::CoreId;
use crate::types::limits::MAILBOX_ASKS_MAX;

/// The reading end; exactly one, on the core that it belongs to.
pub type Mailbox = mpsc::Receiver<Ask>;

/// A core has gone: the process is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// One writing end for each core, in the order of their numbers.
#[derive(Clone)]
pub struct Mailboxes {
    to: Vec<mpsc::Sender<Ask>>,
}

impl Mailboxes {
    pub fn new(cores: u16) -> (Self, Vec<Mailbox>) {
        let (to, mailboxes) = (0..cores).map(|_| mpsc::channel(MAILBOX_ASKS_MAX)).unzip();
        (Self { to }, mailboxes)
    }

    pub fn cores(&self) -> u16 {
        u16::try_from(self.to.len()).expect("made from a u16")
    }

    /// Waits for room, then hands the ask over. Asks of one sender arrive in the order sent.
    pub async fn send(&self, core: CoreId, ask: Ask) -> Result<(), Gone> {
        let mut sender = self.to.get(usize::from(core.0)).ok_or(Gone)?.clone();
        sender.send(ask).await.map_err(|_| Gone)
    }

    /// Tells every core to come to an end, from any thread. A full mailbox takes this all the same:
    /// each new sender has a place of its own.
    pub fn stop_all(&self) {
        for sender in &self.to {
            // A core that has gone has stopped.
            drop(sender.clone().try_send(Ask::Stop));
        }
    }

    /// Sends what `ask` makes of the address for the answer, and waits for that answer.
    pub async fn ask<T>(
        &self,
        core: CoreId,
        ask: impl FnOnce(oneshot::Sender<T>) -> Ask,
    ) -> Result<T, Gone> {
        let (answer, answered) = oneshot::channel();
        self.send(core, ask(answer)).await?;
        answered.await.map_err(|_| Gone)
    }
}
