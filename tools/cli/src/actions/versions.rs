//! Which requests a broker speaks, and which of them this client can use.

use client::VersionTable;
use wire::ApiKey;

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    pub code: i16,
    /// `None` if we do not know it.
    pub name: Option<&'static str>,
    /// The broker's oldest and newest version; `None` if it has none.
    pub versions: Option<(i16, i16)>,
    /// The newest version that both know.
    pub usable: Option<i16>,
}

/// All that the broker speaks and all that brokers may speak, by their codes.
pub fn spoken(table: &VersionTable) -> Vec<Spoken> {
    let mut found: Vec<Spoken> = table
        .ranges()
        .map(|(code, min, max)| {
            let key = ApiKey::from_code(code);
            Spoken {
                code,
                name: key.map(ApiKey::name),
                versions: Some((min, max)),
                usable: key.and_then(|key| table.common(key, i16::MAX)),
            }
        })
        .collect();
    let absent = ApiKey::ALL
        .iter()
        .filter(|key| key.broker_advertised() && !found.iter().any(|one| one.code == key.code()));
    let absent: Vec<Spoken> = absent
        .map(|key| Spoken {
            code: key.code(),
            name: Some(key.name()),
            versions: None,
            usable: None,
        })
        .collect();
    found.extend(absent);
    found.sort_by_key(|one| one.code);
    found
}
