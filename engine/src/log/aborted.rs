//! Which transactions a reader of committed data must leave out: the active segment's are in
//! memory, those of closed segments in their `.txnindex` files.

use bytes::Bytes;

use crate::log::Log;
use crate::log::error::ReadError;
use crate::log::file_names::FileKind;
use crate::log::format::transaction_index::{AbortedTransaction, TransactionIndex};
use crate::types::Offset;
use crate::types::limits::SMALL_FILE_BYTES_MAX;

impl Log {
    /// The aborted transactions that have records in `from..end`.
    pub async fn aborted_transactions(
        &self,
        from: Offset,
        end: Offset,
    ) -> Result<Vec<AbortedTransaction>, ReadError> {
        self.undisturbed(async || self.collect_aborted(from, end).await).await
    }

    async fn collect_aborted(
        &self,
        from: Offset,
        end: Offset,
    ) -> Result<Vec<AbortedTransaction>, ReadError> {
        let mut found = Vec::new();
        // A marker never stands before its records: earlier segments have nothing to say.
        let mut next = Some(self.readable_segment(from)?);
        while let Some(segment) = next {
            let after = self.state.borrow().segment_after(segment.base());
            let collected = if after.is_none() {
                self.state.borrow().aborted.collect(from, end)
            } else if let Some(standing) = segment.standing() {
                standing.aborted.collect(from, end)
            } else {
                let name = FileKind::TransactionIndex.name(segment.base());
                let bytes = self.directory.read_file(&name, SMALL_FILE_BYTES_MAX).await?;
                let bytes: Bytes = bytes.unwrap_or_default();
                let index = TransactionIndex::decode(segment.base(), &bytes).map_err(|error| {
                    ReadError::Corrupt {
                        path: self.folder().join(&name),
                        position: 0,
                        reason: error.to_string(),
                    }
                })?;
                index.collect(from, end)
            };
            found.extend(collected.aborted);
            if collected.is_complete {
                break;
            }
            next = after;
        }
        Ok(found)
    }
}
