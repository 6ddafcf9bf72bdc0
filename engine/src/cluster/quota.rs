//! Which quota counts for a client. Several may fit it; the most particular one decides, and it also
//! says who shares it: a limit of a user is for all of the user's clients together.

use crate::cluster::image::{ClusterImage, QuotaEntity};

/// What a quota limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaKind {
    /// Bytes of requests to produce, each second.
    ProducedBytes,
    /// Bytes of records that are read, each second.
    ConsumedBytes,
    /// Time that is spent on requests, in percent of one core's.
    RequestTime,
    /// Partitions that are created and deleted, each second.
    Mutations,
}

impl QuotaKind {
    pub const ALL: [Self; 4] =
        [Self::ProducedBytes, Self::ConsumedBytes, Self::RequestTime, Self::Mutations];

    /// By this name Kafka knows it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ProducedBytes => "producer_byte_rate",
            Self::ConsumedBytes => "consumer_byte_rate",
            Self::RequestTime => "request_percentage",
            Self::Mutations => "controller_mutation_rate",
        }
    }
}

/// New connections of one address, each second.
pub const CONNECTION_RATE: &str = "connection_creation_rate";

pub(super) const USER: &str = "user";
pub(super) const CLIENT_ID: &str = "client-id";
pub(super) const ADDRESS: &str = "ip";

/// Who uses up a quota together. What is empty makes no difference between clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuotaGroup {
    pub user: String,
    pub client_id: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ClientQuota {
    pub limit: f64,
    pub group: QuotaGroup,
}

/// One level of a quota's entity: a name, the default of all names, or neither.
#[derive(Clone, Copy)]
enum Level<'a> {
    Named(&'a str),
    Default,
    Absent,
}

impl ClusterImage {
    /// Where nobody has a quota, nobody needs to look for one.
    pub fn has_client_quotas(&self) -> bool {
        !self.quotas.is_empty()
    }

    /// The quota that counts for the user's client, if any does. Nothing is known of a client without
    /// an id, so that only quotas of its user count for it.
    pub fn client_quota(
        &self,
        kind: QuotaKind,
        user: &str,
        client_id: &str,
    ) -> Option<ClientQuota> {
        use Level::{Absent, Default, Named};
        let (of_user, of_client) = (Named(user), Named(client_id));
        // Whether the user and the client of a level tell those apart who share its quota.
        let levels = [
            (of_user, of_client, true, true),
            (of_user, Default, true, true),
            (of_user, Absent, true, false),
            (Default, of_client, true, true),
            (Default, Default, true, true),
            (Default, Absent, true, false),
            (Absent, of_client, false, true),
            (Absent, Default, false, true),
        ];
        levels.into_iter().find_map(|(user_level, client_level, by_user, by_client)| {
            if by_client && client_id.is_empty() {
                return None;
            }
            let limit = self.quota_of(&entity(user_level, client_level), kind.key())?;
            let part =
                |name: &str, counts: bool| if counts { name.to_owned() } else { String::new() };
            let group =
                QuotaGroup { user: part(user, by_user), client_id: part(client_id, by_client) };
            Some(ClientQuota { limit, group })
        })
    }

    /// How many connections an address may open each second: for named addresses or hosts, and for
    /// all others.
    pub fn connection_rates(&self) -> (Vec<(&str, f64)>, Option<f64>) {
        let mut named = Vec::new();
        let mut others = None;
        for (entity, key, limit) in self.client_quotas() {
            match entity {
                [(kind, name)] if kind == ADDRESS && key == CONNECTION_RATE => match name {
                    Some(name) => named.push((name.as_str(), limit)),
                    None => others = Some(limit),
                },
                _ => {}
            }
        }
        (named, others)
    }

    /// What is set for exactly this entity, whose parts are sorted.
    pub(super) fn quota_of(&self, entity: &QuotaEntity, key: &str) -> Option<f64> {
        self.quotas.get(entity)?.get(key).copied()
    }
}

/// In the order in which the image keeps its parts.
fn entity(user: Level<'_>, client_id: Level<'_>) -> QuotaEntity {
    let part = |kind: &str, level| match level {
        Level::Named(name) => Some((kind.to_owned(), Some(name.to_owned()))),
        Level::Default => Some((kind.to_owned(), None)),
        Level::Absent => None,
    };
    [part(CLIENT_ID, client_id), part(USER, user)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::metadata::ClientQuotaRecord;
    use crate::records::metadata::client_quota_record::EntityData;

    const DEFAULT: Option<&str> = None;

    type Part<'a> = (&'a str, Option<&'a str>);

    fn set(image: &mut ClusterImage, parts: &[Part<'_>], key: &str, value: f64) {
        let entity = parts.iter().map(|(kind, name)| EntityData {
            entity_type: (*kind).to_owned(),
            entity_name: name.map(ToOwned::to_owned),
            ..EntityData::default()
        });
        let record = ClientQuotaRecord {
            entity: entity.collect(),
            key: key.to_owned(),
            value,
            ..ClientQuotaRecord::default()
        };
        image.apply(&record.into()).unwrap();
    }

    fn produced(image: &ClusterImage, user: &str, client_id: &str) -> Option<(f64, String)> {
        let quota = image.client_quota(QuotaKind::ProducedBytes, user, client_id)?;
        Some((quota.limit, format!("{}/{}", quota.group.user, quota.group.client_id)))
    }

    #[test]
    fn of_all_quotas_that_fit_the_most_particular_counts() {
        let key = QuotaKind::ProducedBytes.key();
        let from_least_particular: [(&[Part<'_>], &str); 8] = [
            (&[("client-id", DEFAULT)], "/c"),
            (&[("client-id", Some("c"))], "/c"),
            (&[("user", DEFAULT)], "u/"),
            (&[("user", DEFAULT), ("client-id", DEFAULT)], "u/c"),
            (&[("user", DEFAULT), ("client-id", Some("c"))], "u/c"),
            (&[("user", Some("u"))], "u/"),
            (&[("user", Some("u")), ("client-id", DEFAULT)], "u/c"),
            (&[("user", Some("u")), ("client-id", Some("c"))], "u/c"),
        ];
        let mut image = ClusterImage::new("cluster");
        assert_eq!(produced(&image, "u", "c"), None);
        for (limit, (parts, group)) in (1_u8..).map(f64::from).zip(from_least_particular) {
            set(&mut image, parts, key, limit);
            assert_eq!(produced(&image, "u", "c"), Some((limit, group.to_owned())), "{parts:?}");
        }
        // Somebody else has what is left of it.
        assert_eq!(produced(&image, "u", "d"), Some((7.0, "u/d".to_owned())));
        assert_eq!(produced(&image, "v", "c"), Some((5.0, "v/c".to_owned())));
        assert_eq!(produced(&image, "v", "d"), Some((4.0, "v/d".to_owned())));
    }

    #[test]
    fn a_quota_of_another_kind_does_not_count() {
        let mut image = ClusterImage::new("cluster");
        set(&mut image, &[("user", Some("u"))], QuotaKind::ConsumedBytes.key(), 1.0);
        set(&mut image, &[("user", DEFAULT)], QuotaKind::ProducedBytes.key(), 2.0);
        assert_eq!(produced(&image, "u", "c"), Some((2.0, "u/".to_owned())));
    }

    #[test]
    fn a_client_without_an_id_has_only_its_users_quotas() {
        let key = QuotaKind::ProducedBytes.key();
        let mut image = ClusterImage::new("cluster");
        set(&mut image, &[("client-id", DEFAULT)], key, 1.0);
        set(&mut image, &[("user", Some("u")), ("client-id", DEFAULT)], key, 2.0);
        assert_eq!(produced(&image, "u", ""), None);
        set(&mut image, &[("user", DEFAULT)], key, 3.0);
        assert_eq!(produced(&image, "u", ""), Some((3.0, "u/".to_owned())));
    }

    #[test]
    fn addresses_have_rates_by_name_and_by_default() {
        let mut image = ClusterImage::new("cluster");
        assert_eq!(image.connection_rates(), (Vec::new(), None));
        set(&mut image, &[("ip", Some("10.0.0.1"))], CONNECTION_RATE, 5.0);
        set(&mut image, &[("ip", DEFAULT)], CONNECTION_RATE, 7.0);
        set(&mut image, &[("user", DEFAULT)], QuotaKind::Mutations.key(), 9.0);
        assert_eq!(image.connection_rates(), (vec![("10.0.0.1", 5.0)], Some(7.0)));
    }
}
