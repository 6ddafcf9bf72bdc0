//! What goes into the coordinator. Wire types stay outside: the server turns a frame into one of
//! these, with every sentinel already turned into `None`.

use std::collections::BTreeSet;

use crate::record::TransactionResult;
use crate::txn::{
    AppendFailure, Identity, RequestId, Ticket, TopicPartition, TransactionState,
    TransactionVersion, TransactionalId,
};
use crate::types::{Millis, ProducerId};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A client asks; exactly one `Output::Reply` with the same id follows, now or later.
    Request { id: RequestId, request: Request },
    /// `next_deadline()` has come. Ticking early or often does no harm.
    Tick,
    /// The records of this append, and of all before it that did not fail, are committed.
    Appended { ticket: Ticket },
    /// The records of this append will never be in the log.
    AppendFailed { ticket: Ticket, failure: AppendFailure },
    /// An answer to `Output::NeedProducerId`: an identity that nobody has had.
    ProducerId { producer_id: ProducerId },
    /// The other answer to `Output::NeedProducerId`.
    NoProducerId,
    /// Every marker of this decision is on disk. Said twice, it does no harm.
    Marked { id: TransactionalId, producer: Identity },
}

#[derive(Clone, Debug)]
pub enum Request {
    InitProducerId(InitProducerId),
    AddPartitions(AddPartitions),
    /// Asks whether the partitions are part of the transaction, and adds nothing.
    VerifyPartitions(AddPartitions),
    EndTransaction(EndTransaction),
    Describe(TransactionalId),
    List(ListTransactions),
}

#[derive(Clone, Debug)]
pub struct InitProducerId {
    pub id: TransactionalId,
    /// Zero if the wire's number was negative.
    pub timeout: Millis,
    /// What a producer has that goes on after an error (KIP-360).
    pub expected: Option<Identity>,
}

#[derive(Clone, Debug)]
pub struct AddPartitions {
    pub id: TransactionalId,
    /// `None` if the wire's numbers are no identity.
    pub producer: Option<Identity>,
    pub partitions: BTreeSet<TopicPartition>,
    pub version: TransactionVersion,
}

#[derive(Clone, Debug)]
pub struct EndTransaction {
    pub id: TransactionalId,
    /// `None` if the wire's numbers are no identity.
    pub producer: Option<Identity>,
    pub result: TransactionResult,
    pub version: TransactionVersion,
}

/// An empty filter lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct ListTransactions {
    /// `None`: every state. States that nobody knows are the server's business.
    pub states: Option<BTreeSet<TransactionState>>,
    pub producer_ids: BTreeSet<i64>,
    /// Only transactions that have been open for longer.
    pub longer_than: Option<Millis>,
}

impl Request {
    pub(crate) fn id(&self) -> Option<&TransactionalId> {
        match self {
            Self::InitProducerId(init) => Some(&init.id),
            Self::AddPartitions(add) | Self::VerifyPartitions(add) => Some(&add.id),
            Self::EndTransaction(end) => Some(&end.id),
            Self::Describe(id) => Some(id),
            Self::List(_) => None,
        }
    }
}
