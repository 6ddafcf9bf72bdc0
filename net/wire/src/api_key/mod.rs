//! Which operations exist, in which versions, and which header goes before each of them.

mod table;

use std::ops::RangeInclusive;

pub use table::ApiKey;

/// What the schemas say about one operation.
struct ApiFacts {
    name: &'static str,
    version_min: i16,
    version_max: i16,
    /// The first version with compact lengths and tagged fields, if there is one.
    request_flexible_from: Option<i16>,
    response_flexible_from: Option<i16>,
    on_broker: bool,
    on_controller: bool,
    latest_version_unstable: bool,
}

impl ApiKey {
    pub const fn code(self) -> i16 {
        self as i16
    }

    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The versions that can be read and written.
    pub const fn valid_versions(self) -> RangeInclusive<i16> {
        let facts = self.facts();
        facts.version_min..=facts.version_max
    }

    /// The newest version may still change; a broker does not offer it unless told to.
    pub const fn latest_version_unstable(self) -> bool {
        self.facts().latest_version_unstable
    }

    /// The versions that Kafka's answer to ApiVersions names, or none when only an unstable one
    /// exists. Produce claims the versions 0 to 2, which it refuses, since older clients built on
    /// librdkafka look for them (KIP-896).
    pub fn advertised_versions(self) -> Option<RangeInclusive<i16>> {
        let facts = self.facts();
        let low = if self == Self::Produce { 0 } else { facts.version_min };
        let unstable = i16::from(facts.latest_version_unstable);
        let high = facts.version_max.strict_sub(unstable);
        (low <= high).then_some(low..=high)
    }

    /// Whether a broker's listener answers it. Kafka leaves out the two telemetry operations while
    /// nothing is configured to receive telemetry.
    pub const fn broker_advertised(self) -> bool {
        self.facts().on_broker
    }

    /// Clients push their own metrics by these; KIP-714.
    pub const fn is_telemetry(self) -> bool {
        matches!(self, Self::GetTelemetrySubscriptions | Self::PushTelemetry)
    }

    /// Whether a controller's listener answers it.
    pub const fn controller_advertised(self) -> bool {
        self.facts().on_controller
    }

    /// Whether the request has compact lengths and tagged fields in this version.
    pub const fn flexible(self, version: i16) -> bool {
        is_flexible(self.facts().request_flexible_from, version)
    }

    /// Right for versions beyond the known ones too, as a newer client's ApiVersions needs.
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.flexible(version) { 2 } else { 1 }
    }

    /// The answer to ApiVersions always has the oldest header: its reader does not know yet what
    /// the broker speaks.
    pub fn response_header_version(self, version: i16) -> i16 {
        let flexible = is_flexible(self.facts().response_flexible_from, version);
        i16::from(flexible && self != Self::ApiVersions)
    }
}

const fn is_flexible(from: Option<i16>, version: i16) -> bool {
    match from {
        Some(from) => version >= from,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_by_its_code() {
        for key in ApiKey::ALL {
            assert_eq!(ApiKey::from_code(key.code()), Some(*key));
        }
        assert_eq!(ApiKey::from_code(4), None, "LeaderAndIsr has no version left");
    }

    #[test]
    fn header_versions_follow_the_flexible_versions() {
        assert_eq!(ApiKey::Produce.request_header_version(8), 1);
        assert_eq!(ApiKey::Produce.request_header_version(9), 2);
        assert_eq!(ApiKey::Produce.response_header_version(8), 0);
        assert_eq!(ApiKey::Produce.response_header_version(9), 1);
        assert_eq!(ApiKey::SaslHandshake.request_header_version(1), 1);
        assert_eq!(ApiKey::ApiVersions.request_header_version(i16::MAX), 2);
        assert_eq!(ApiKey::ApiVersions.response_header_version(4), 0);
    }

    #[test]
    fn produce_claims_versions_that_old_clients_look_for() {
        assert_eq!(ApiKey::Produce.valid_versions(), 3..=13);
        assert_eq!(ApiKey::Produce.advertised_versions(), Some(0..=13));
    }
}
