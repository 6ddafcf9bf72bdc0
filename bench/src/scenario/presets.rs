//! The scenarios that the executable brings along, from `bench/scenarios`.

pub const BUILTIN: [(&str, &str); 17] = [
    ("produce", include_str!("../../scenarios/produce.toml")),
    ("append-at-rest", include_str!("../../scenarios/append-at-rest.toml")),
    ("consume", include_str!("../../scenarios/consume.toml")),
    ("latency", include_str!("../../scenarios/latency.toml")),
    ("backfill", include_str!("../../scenarios/backfill.toml")),
    ("tail", include_str!("../../scenarios/tail.toml")),
    ("fan-out", include_str!("../../scenarios/fan-out.toml")),
    ("partitions", include_str!("../../scenarios/partitions.toml")),
    ("rest", include_str!("../../scenarios/rest.toml")),
    ("growth-connections", include_str!("../../scenarios/growth-connections.toml")),
    ("growth-records", include_str!("../../scenarios/growth-records.toml")),
    ("growth-codecs", include_str!("../../scenarios/growth-codecs.toml")),
    ("growth-acks", include_str!("../../scenarios/growth-acks.toml")),
    ("growth-cores", include_str!("../../scenarios/growth-cores.toml")),
    ("java-clients", include_str!("../../scenarios/java-clients.toml")),
    ("linkedin-2014", include_str!("../../scenarios/linkedin-2014.toml")),
    ("short", include_str!("../../scenarios/short.toml")),
];

pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTIN.into_iter().find(|(known, _)| *known == name).map(|(_, text)| text)
}

pub fn builtin_names() -> String {
    BUILTIN.map(|(name, _)| name).join(", ")
}
