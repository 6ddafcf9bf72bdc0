//! What a log knows of its producers: who they are, what they sent last, and which transactions
//! are open. Without it a retry would be a second record, a gap a silent loss, and a reader with
//! `read_committed` would see what was later aborted.
//!
//! Pure: time is an argument, and a decision changes nothing until it is applied. The rules are
//! those of Apache Kafka 4.3 (KIP-98, KIP-360, KIP-890).
