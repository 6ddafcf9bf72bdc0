//! What comes out of the coordinator: answers, records for its partition's log, and markers for the
//! logs of others.

use std::collections::BTreeSet;

use crate::record::TransactionResult;
use crate::txn::{
    Identity, RecordBytes, RequestId, Ticket, TopicPartition, TransactionState, TransactionVersion,
    TransactionalId, TxnError,
};
use crate::types::{Millis, ProducerId, Timestamp};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Answer this request. Replies that promise something stored come only after its `Appended`.
    Reply { request: RequestId, reply: Reply },
    /// Append these records as one batch, in the order of tickets, and report the ticket's end
    /// with `Appended` or `AppendFailed`.
    Append { ticket: Ticket, records: Vec<RecordBytes> },
    /// Write these markers, again and again until all are on disk, and say `Marked`.
    Mark(Markers),
    /// Get a new producer id and say `ProducerId`, or `NoProducerId`.
    NeedProducerId,
}

/// A decision that has to reach every partition of the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markers {
    pub id: TransactionalId,
    pub producer: Identity,
    pub result: TransactionResult,
    pub version: TransactionVersion,
    pub partitions: BTreeSet<TopicPartition>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    InitProducerId(Result<Identity, TxnError>),
    AddPartitions(Result<(), TxnError>),
    VerifyPartitions(Result<Vec<Verified>, TxnError>),
    /// The identity for the next transaction, where each has its own.
    EndTransaction(Result<Option<Identity>, TxnError>),
    Describe(Result<Described, TxnError>),
    List(Vec<Listed>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub partition: TopicPartition,
    pub error: Option<TxnError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub id: TransactionalId,
    pub state: TransactionState,
    pub producer: Identity,
    pub timeout: Millis,
    pub started: Option<Timestamp>,
    pub partitions: BTreeSet<TopicPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: TransactionalId,
    pub producer_id: ProducerId,
    pub state: TransactionState,
}

impl Reply {
    /// The same reply when what it promised could not be stored.
    pub(crate) fn refused(self, error: TxnError) -> Self {
        match self {
            Self::InitProducerId(_) => Self::InitProducerId(Err(error)),
            Self::AddPartitions(_) => Self::AddPartitions(Err(error)),
            Self::VerifyPartitions(_) => Self::VerifyPartitions(Err(error)),
            Self::EndTransaction(_) => Self::EndTransaction(Err(error)),
            Self::Describe(_) => Self::Describe(Err(error)),
            Self::List(listed) => Self::List(listed),
        }
    }
}
