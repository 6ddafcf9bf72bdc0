//! `.kafka_cleanshutdown`: says that a log folder was closed in order, so that its logs need no
//! recovery. It is written last at a stop and removed first at a start.
//!
//! ```text
//! {"version":0,"brokerEpoch":57}
//! ```
//!
//! What counts is that the file exists. The broker epoch, if it can be read, tells the controller
//! which run of the broker wrote it (KIP-966): a broker that cannot name its last epoch may have
//! lost records.

use crate::types::limits::CLEAN_SHUTDOWN_BYTES_MAX;

/// The file's name in a log folder.
pub const FILE: &str = ".kafka_cleanshutdown";

/// The file's text. `broker_epoch` is the one of the run that ends.
pub fn encode(broker_epoch: u64) -> Vec<u8> {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}").into_bytes()
}

/// The broker epoch in the file; `None` if there is none, as in the empty files of Kafka before
/// 3.9 and in damaged ones. The shutdown was clean all the same.
pub fn decode(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > CLEAN_SHUTDOWN_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let fields = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut epoch = None;
    for field in fields.split(',') {
        let (name, value) = field.split_once(':')?;
        if name.trim() == "\"brokerEpoch\"" {
            epoch = value.trim().parse::<u64>().ok().filter(|epoch| epoch.cast_signed() >= 0);
        }
    }
    epoch
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_kafkas() {
        assert_eq!(encode(57), b"{\"version\":0,\"brokerEpoch\":57}");
    }

    #[test]
    fn the_epoch_is_found_wherever_it_stands() {
        assert_eq!(decode(&encode(57)), Some(57));
        assert_eq!(decode(b" { \"brokerEpoch\" : 3 , \"other\" : true }\n"), Some(3));
    }

    #[test]
    fn a_file_without_an_epoch_is_still_a_file() {
        for text in ["", "{}", "{\"version\":0,\"brokerEpoch\":-1}", "{\"brokerEpoch\":", "true"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
