//! The file that takes the place of some segments, and its indexes, while they are written under
//! names that no start believes.

use std::rc::Rc;

use crate::io::{BlockBuffer, Directory, File, IoError, Runtime};
use crate::log::file_names::{CLEANED, FileKind};
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::index::SegmentIndex;
use crate::log::segment::{Segment, Standing};
use crate::record::BatchHeader;
use crate::types::Offset;
use crate::types::limits::WRITE_BYTES_MAX;

pub(super) struct Output {
    runtime: Runtime,
    directory: Directory,
    file: File,
    segment: Segment,
    index: SegmentIndex,
    interval_bytes: u64,
    buffer: Option<BlockBuffer>,
    filled: usize,
    written: u64,
    /// Something is not as it was.
    pub(super) is_changed: bool,
}

/// A whole segment with its indexes, durable under the names that end with `.cleaned`.
pub(super) struct Finished {
    pub(super) segment: Rc<Segment>,
    pub(super) kinds: Vec<FileKind>,
}

pub(super) fn cleaned_name(kind: FileKind, base: Offset) -> String {
    format!("{}{CLEANED}", kind.name(base))
}

impl Output {
    /// The caller sees to it that the folder stays while the file is created.
    pub(super) async fn create(
        runtime: &Runtime,
        directory: &Directory,
        base: Offset,
        interval_bytes: u64,
    ) -> Result<Self, IoError> {
        let name = cleaned_name(FileKind::Log, base);
        directory.remove(&name).await?;
        let file = runtime.create_file(&directory.path().join(name)).await?;
        Ok(Self {
            runtime: runtime.clone(),
            directory: directory.clone(),
            file,
            segment: Segment::new(base, 0, runtime.wall_clock()),
            index: SegmentIndex::new(base),
            interval_bytes,
            buffer: None,
            filled: 0,
            written: 0,
            is_changed: false,
        })
    }

    pub(super) async fn append(
        &mut self,
        header: &BatchHeader,
        mut bytes: &[u8],
    ) -> Result<(), IoError> {
        let position = self.segment.len.get();
        let latest = self.segment.note_timestamp(header.max_timestamp(), header.last_offset());
        self.index.observe(header, position, latest, self.interval_bytes);
        self.segment.len.set(position.strict_add(bytes.len() as u64));
        while !bytes.is_empty() {
            let buffer = self.buffer.get_or_insert_with(|| self.runtime.allocate(WRITE_BYTES_MAX));
            let free = buffer.as_mut_slice().get_mut(self.filled..).unwrap_or_default();
            let (now, later) = bytes.split_at(free.len().min(bytes.len()));
            if let Some(free) = free.get_mut(..now.len()) {
                free.copy_from_slice(now);
            }
            self.filled = self.filled.strict_add(now.len());
            bytes = later;
            if self.filled == WRITE_BYTES_MAX {
                self.write().await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), IoError> {
        let Some(buffer) = self.buffer.take().filter(|_| 0 < self.filled) else { return Ok(()) };
        let blocks = buffer.freeze(self.filled);
        self.file.write_at(&blocks, self.written).await?;
        self.written = self.written.strict_add(self.filled as u64);
        self.filled = 0;
        Ok(())
    }

    /// Makes all of it durable, and opens it for the readers to come.
    pub(super) async fn finish(mut self, aborted: TransactionIndex) -> Result<Finished, IoError> {
        self.write().await?;
        let base = self.segment.base();
        self.file.truncate(self.segment.len.get()).await?;
        self.file.sync().await?;
        if let Some(latest) = self.segment.latest.get() {
            self.index.times.append(latest.timestamp, latest.offset);
        }
        let mut kinds = vec![FileKind::OffsetIndex, FileKind::TimeIndex];
        let mut contents =
            vec![self.index.offsets.as_bytes().to_vec(), self.index.times.as_bytes().to_vec()];
        if !aborted.is_empty() {
            kinds.push(FileKind::TransactionIndex);
            contents.push(aborted.encode());
        }
        for (kind, content) in kinds.iter().zip(contents) {
            self.directory.write_file(&cleaned_name(*kind, base), content).await?;
        }
        kinds.push(FileKind::Log);
        let path = self.directory.path().join(cleaned_name(FileKind::Log, base));
        let file = Rc::new(self.runtime.open_file_to_read(&path).await?);
        self.segment.set_index(self.index);
        self.segment.is_index_written.set(true);
        self.segment.stand_in(Standing { file, aborted: Rc::new(aborted) });
        Ok(Finished { segment: Rc::new(self.segment), kinds })
    }
}
