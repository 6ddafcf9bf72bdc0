//! Which versions of which request a broker speaks.

use std::collections::HashMap;

use wire::{
    ApiKey, ErrorCode,
    messages::{ApiVersionsRequest, ApiVersionsResponse},
};

use super::{CallError, Shared};

#[derive(Clone, Debug, Default)]
pub struct VersionTable {
    ranges: HashMap<i16, (i16, i16)>,
}

impl VersionTable {
    fn of(response: &ApiVersionsResponse) -> Self {
        let ranges = response.api_keys.iter();
        Self {
            ranges: ranges.map(|key| (key.api_key, (key.min_version, key.max_version))).collect(),
        }
    }

    /// The newest version that the broker speaks, this client knows, and is not above `limit`.
    pub fn common(&self, key: ApiKey, limit: i16) -> Option<i16> {
        let ours = key.valid_versions();
        let (theirs_min, theirs_max) = *self.ranges.get(&key.code())?;
        let newest = theirs_max.min(*ours.end()).min(limit);
        let oldest = theirs_min.max(*ours.start());
        (oldest <= newest).then_some(newest)
    }

    pub fn speaks(&self, key: ApiKey) -> bool {
        self.common(key, i16::MAX).is_some()
    }

    pub fn describe(&self, key: ApiKey) -> String {
        match self.ranges.get(&key.code()) {
            Some((min, max)) => format!("{min} to {max}"),
            None => "none".to_owned(),
        }
    }

    /// All keys, ours and unknown ones, with the oldest and newest version.
    pub fn ranges(&self) -> impl Iterator<Item = (i16, i16, i16)> {
        self.ranges.iter().map(|(key, (min, max))| (*key, *min, *max))
    }
}

/// Asks in our newest version; a broker that does not know it says in version 0 what it knows
/// (KIP-511), and is asked again in that.
pub(super) async fn negotiate(connection: &Shared) -> Result<VersionTable, CallError> {
    let newest = *ApiKey::ApiVersions.valid_versions().end();
    let mut version = newest;
    loop {
        let request = if version >= 3 {
            ApiVersionsRequest {
                client_software_name: "corelog".to_owned(),
                client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
                ..ApiVersionsRequest::default()
            }
        } else {
            ApiVersionsRequest::default()
        };
        let response = connection.start(version, &request)?.answer().await?;
        let table = VersionTable::of(&response);
        if response.error_code == ErrorCode::None.code() {
            return Ok(table);
        }
        let lower = next_version(version, &table);
        version = lower.ok_or_else(|| CallError::Unsupported {
            peer: connection.peer.clone(),
            api: ApiKey::ApiVersions.name(),
            theirs: table.describe(ApiKey::ApiVersions),
            ours: format!("0 to {newest}"),
        })?;
    }
}

/// The version to try after `refused`: what the answer names, else 0; `None` when all is tried.
fn next_version(refused: i16, table: &VersionTable) -> Option<i16> {
    if refused == 0 {
        return None;
    }
    Some(table.common(ApiKey::ApiVersions, refused - 1).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(ranges: &[(i16, (i16, i16))]) -> VersionTable {
        VersionTable { ranges: ranges.iter().copied().collect() }
    }

    #[test]
    fn a_refused_version_is_followed_by_the_newest_that_the_broker_names() {
        let key = ApiKey::ApiVersions.code();
        assert_eq!(next_version(4, &table(&[(key, (0, 3))])), Some(3));
        assert_eq!(next_version(4, &table(&[(key, (0, 2))])), Some(2));
        assert_eq!(next_version(4, &table(&[])), Some(0));
        assert_eq!(next_version(0, &table(&[])), None);
    }

    #[test]
    fn the_newest_common_version_is_used_and_none_if_there_is_none() {
        let key = ApiKey::Metadata.code();
        assert_eq!(table(&[(key, (0, 9))]).common(ApiKey::Metadata, i16::MAX), Some(9));
        assert_eq!(table(&[(key, (0, 99))]).common(ApiKey::Metadata, 12), Some(12));
        assert_eq!(table(&[(key, (90, 99))]).common(ApiKey::Metadata, i16::MAX), None);
        assert_eq!(table(&[]).common(ApiKey::Metadata, i16::MAX), None);
    }
}
