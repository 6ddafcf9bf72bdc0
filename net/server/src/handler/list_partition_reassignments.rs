//! Replicas that are on their way to other brokers. A node that is its own cluster moves none, whatever
//! topics are asked for, and also where there are no such topics.

use wire::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use crate::context::{Caller, Context};

pub(crate) async fn handle(
    _context: &Context,
    _caller: &Caller,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse {
        error_message: None,
        ..ListPartitionReassignmentsResponse::default()
    }
}
