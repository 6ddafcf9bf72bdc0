//! What a setting is for, in one sentence: tools print it beside the value, and one of them takes a
//! missing sentence for a broken broker.

use crate::config::key::ValueKind;

/// Never empty. A key without a sentence of its own is told by its name and type.
pub fn documentation(name: &str, kind: Option<ValueKind>) -> String {
    sentence(name).map_or_else(|| by_name(name, kind), ToOwned::to_owned)
}

fn by_name(name: &str, kind: Option<ValueKind>) -> String {
    let unit = match (name.rsplit('.').next(), kind) {
        (Some("ms"), _) => "A time in milliseconds",
        (Some("minutes"), _) => "A time in minutes",
        (Some("hours"), _) => "A time in hours",
        (Some("seconds"), _) => "A time in seconds",
        (Some("bytes"), _) => "A size in bytes",
        (Some("threads"), _) => "A number of threads",
        (Some("enable" | "enabled"), _) | (_, Some(ValueKind::Boolean)) => "True or false",
        (_, Some(ValueKind::Int | ValueKind::Short | ValueKind::Long)) => "A whole number",
        (_, Some(ValueKind::Double)) => "A number",
        (_, Some(ValueKind::List)) => "A list, separated by commas",
        (_, Some(ValueKind::Class)) => "The name of a Java class",
        (_, Some(ValueKind::Password)) => "A secret",
        (_, Some(ValueKind::String) | None) => "A text",
    };
    let words = name.replace(['.', '_', '-'], " ");
    format!("{unit}: {words}.")
}

/// The settings that are changed most often.
fn sentence(name: &str) -> Option<&'static str> {
    Some(match name {
        "auto.create.topics.enable" => "Whether asking for an unknown topic creates it.",
        "corelog.journal.bytes" => {
            "How large each core's journal may become in each data folder, in whole files of 16 MiB."
        }
        "corelog.stop.seal.ms" => {
            "How long a stop moves records from the journals to logs that may as well wait for the next start."
        }
        "cleanup.policy" | "log.cleanup.policy" => {
            "What becomes of old records: delete, compact to the last of each key, or both."
        }
        "compression.type" => {
            "The codec in which the broker keeps records; producer keeps what was sent."
        }
        "delete.retention.ms" | "log.cleaner.delete.retention.ms" => {
            "How long a compacted topic keeps the mark of a deleted key."
        }
        "delete.topic.enable" => "Whether topics can be deleted.",
        "fetch.max.bytes" => "The most bytes that one fetch is answered with.",
        "flush.messages" | "log.flush.interval.messages" => {
            "After how many records the log is written to disk at the latest."
        }
        "flush.ms" | "log.flush.interval.ms" => {
            "After how long the log is written to disk at the latest."
        }
        "group.max.session.timeout.ms" => "The longest session a group's member may ask for.",
        "group.min.session.timeout.ms" => "The shortest session a group's member may ask for.",
        "index.interval.bytes" | "log.index.interval.bytes" => {
            "How many bytes of records lie between two entries of the offset index."
        }
        "listeners" => "The addresses this broker accepts connections on.",
        "log.dirs" | "log.dir" => "The folders that hold the partitions.",
        "max.connections" => "The most connections at a time.",
        "max.connections.per.ip" => "The most connections at a time from one address.",
        "max.message.bytes" | "message.max.bytes" => "The largest batch of records that is taken.",
        "message.timestamp.after.max.ms" | "log.message.timestamp.after.max.ms" => {
            "How far a record's time may be ahead of the broker's clock."
        }
        "message.timestamp.before.max.ms" | "log.message.timestamp.before.max.ms" => {
            "How far a record's time may be behind the broker's clock."
        }
        "message.timestamp.type" | "log.message.timestamp.type" => {
            "Whose time a record has: the producer's, or the broker's at the append."
        }
        "min.cleanable.dirty.ratio" | "log.cleaner.min.cleanable.ratio" => {
            "The share of a log that has to be new before it is compacted again."
        }
        "min.insync.replicas" => "How many replicas must have a record before acks=all is met.",
        "num.partitions" => "How many partitions a topic gets if nobody says.",
        "offsets.retention.minutes" => "How long an empty group's offsets are kept.",
        "preallocate" | "log.preallocate" => "Whether a new segment takes its space at once.",
        "retention.bytes" | "log.retention.bytes" => {
            "The size of a partition above which its oldest segments go; -1 is without limit."
        }
        "retention.ms" | "log.retention.ms" => {
            "The age above which segments go; -1 is without limit."
        }
        "segment.bytes" | "log.segment.bytes" => "The size at which the next segment begins.",
        "segment.ms" | "log.roll.ms" => "The age at which the next segment begins.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key::{Keys, Scope};

    #[test]
    fn every_key_has_a_sentence() {
        for scope in [Scope::Topic, Scope::Broker, Scope::Group, Scope::ClientMetrics] {
            for key in Keys::all().of(scope) {
                let text = documentation(key.name, Some(key.kind));
                assert!(text.ends_with('.') && text.contains(' '), "{}: {text}", key.name);
            }
        }
    }

    #[test]
    fn a_key_without_its_own_sentence_is_told_by_name_and_unit() {
        let told = documentation("connections.max.idle.ms", Some(ValueKind::Long));
        assert_eq!(told, "A time in milliseconds: connections max idle ms.");
    }
}
