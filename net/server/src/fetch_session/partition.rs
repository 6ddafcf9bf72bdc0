//! One partition of a session: what the consumer last asked of it, and what it was last told.
//! An answer that would tell nothing new is left out.

use engine::types::TopicId;

/// How a session knows a partition: by topic id since Fetch v13, by name before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TopicKey {
    Id(TopicId),
    Name(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    pub topic: TopicKey,
    /// As on the wire: it may name no partition at all.
    pub index: i32,
}

/// What a consumer asks of one partition, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub fetch_offset: i64,
    pub log_start_offset: i64,
    pub max_bytes: i32,
    pub current_leader_epoch: i32,
    pub last_fetched_epoch: i32,
}

/// What an answer says about one partition, as far as sessions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub has_records: bool,
    pub has_error: bool,
    pub diverges: bool,
}

/// A high watermark that no answer has: the next answer is news whatever it says.
const NEVER_SHOWN: i64 = -1;

#[derive(Clone, Debug)]
pub(crate) struct SessionPartition {
    pub position: Position,
    high_watermark: i64,
    log_start_offset: i64,
}

impl SessionPartition {
    pub fn new(position: Position) -> Self {
        Self { position, high_watermark: NEVER_SHOWN, log_start_offset: NEVER_SHOWN }
    }

    /// Remembers what the consumer is told; true if any of it is news.
    pub fn show(&mut self, shown: Shown) -> bool {
        let is_news = shown.has_records
            || shown.has_error
            || shown.diverges
            || self.high_watermark != shown.high_watermark
            || self.log_start_offset != shown.log_start_offset;
        self.log_start_offset = shown.log_start_offset;
        // An error goes out every time, and the first answer without one goes out as well.
        let keeps = !shown.has_error && !shown.diverges;
        self.high_watermark = if keeps { shown.high_watermark } else { NEVER_SHOWN };
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Position = Position {
        fetch_offset: 0,
        log_start_offset: -1,
        max_bytes: 1,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };

    fn quiet(high_watermark: i64) -> Shown {
        Shown {
            high_watermark,
            log_start_offset: 0,
            has_records: false,
            has_error: false,
            diverges: false,
        }
    }

    #[test]
    fn what_was_shown_once_is_no_news() {
        let mut partition = SessionPartition::new(POSITION);
        assert!(partition.show(quiet(5)));
        assert!(!partition.show(quiet(5)));
        assert!(partition.show(quiet(6)));
        assert!(partition.show(Shown { log_start_offset: 3, ..quiet(6) }));
        assert!(!partition.show(Shown { log_start_offset: 3, ..quiet(6) }));
    }

    #[test]
    fn records_are_always_news() {
        let mut partition = SessionPartition::new(POSITION);
        partition.show(quiet(5));
        assert!(partition.show(Shown { has_records: true, ..quiet(5) }));
    }

    #[test]
    fn an_error_is_always_news_and_so_is_its_end() {
        let mut partition = SessionPartition::new(POSITION);
        partition.show(quiet(5));
        let error = Shown { has_error: true, high_watermark: -1, ..quiet(5) };
        assert!(partition.show(error));
        assert!(partition.show(error));
        assert!(partition.show(quiet(5)));
        assert!(!partition.show(quiet(5)));
    }
}
