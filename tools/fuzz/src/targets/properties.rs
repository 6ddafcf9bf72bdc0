//! `server.properties`, and the values of single settings as the admin APIs bring them.

use std::collections::BTreeMap;
use std::path::Path;

use engine::config::{
    BrokerConfig, Effective, Key, Keys, Overrides, Scope, TopicConfig, parse_properties,
};

use super::Target;
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "server_properties",
    run,
    seeds,
    // The settings of a broker are some hundred, whatever the file says.
    memory_factor: 256,
    memory_bytes_base: 4 * 1024 * 1024,
    rounds: 150,
};

pub(super) const VALUES: Target = Target {
    name: "setting_values",
    run: values,
    seeds: value_seeds,
    memory_factor: 256,
    memory_bytes_base: 4 * 1024 * 1024,
    rounds: 1_000,
};

fn seeds() -> Vec<Vec<u8>> {
    let files: [&[u8]; 5] = [
        b"node.id=1\nlisteners=PLAINTEXT://127.0.0.1:9092\nlog.dirs=/a,/b\nnum.partitions=3\n",
        b"# old\nbroker.id=0\nport=9092\nhost.name=x\nlog.dirs=/tmp/k\nzookeeper.connect=z:2181\n",
        b"process.roles=broker,controller\nnode.id = 7\ncontroller.quorum.voters=7@h:9093\n\
          listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n\
          listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n",
        b"node.id:1\nlog.retention.hours 168\nlog.retention.ms=\\\n  1000\\u0030\n!x\nrack=\\t\\=\\:",
        b"min.insync.replicas=2\ndefault.replication.factor=1\nlog.cleanup.policy=compact,delete\n\
          compression.type=zstd\nlog.segment.bytes=1048576\nadvertised.listeners=A://h:1,B://[::1]:2\n",
    ];
    files.iter().map(|file| file.to_vec()).collect()
}

fn run(data: &[u8]) {
    if let Ok(lines) = parse_properties(data) {
        let pairs: Vec<_> = lines.into_iter().map(|line| (line.key, line.value)).collect();
        let written: String = pairs.iter().map(|(key, value)| assignment(key, value)).collect();
        let again = parse_properties(written.as_bytes()).expect("every letter is escaped");
        let again: Vec<_> = again.into_iter().map(|line| (line.key, line.value)).collect();
        assert_eq!(again, pairs);
    }
    match BrokerConfig::from_properties(data, Path::new("/base")) {
        Ok((_config, notices)) => assert!(notices.iter().all(|one| !one.to_string().is_empty())),
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a word");
            assert!(errors.iter().all(|one| !one.to_string().is_empty()));
        }
    }
}

fn assignment(key: &str, value: &str) -> String {
    let escaped = |text: &str| -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    format!("{}={}\n", escaped(key), escaped(value))
}

const SCOPES: [Scope; 4] = [Scope::Broker, Scope::Topic, Scope::Group, Scope::ClientMetrics];

fn value_seeds() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 8] =
        [b"1", b"-1", b"compact,delete", b"true", b"0.5", b"a:b,c:d", b"PLAINTEXT://h:9092", b"1h"];
    let seed = |(at, text): (usize, &&[u8])| {
        let place = u8::try_from(at.strict_mul(31)).unwrap_or_default();
        [&[place & 3, 0, place], *text].concat()
    };
    texts.iter().enumerate().map(seed).collect()
}

/// A value that is taken is taken again in the form in which it is shown.
fn values(data: &[u8]) {
    let mut source = Source::new(data);
    let scope = SCOPES.get(source.below(4)).copied().unwrap_or(Scope::Broker);
    let place = usize::from(u16::from_be_bytes(source.number()));
    let keys: Vec<&Key> = Keys::all().of(scope).collect();
    let Some(key) = place.checked_rem(keys.len()).and_then(|at| keys.get(at)) else { return };
    let text = String::from_utf8_lossy(source.rest()).into_owned();
    if let Ok(value) = key.check(&text) {
        let shown = value.text();
        let again = key.check(&shown).map(|again| again.text());
        assert_eq!(again.as_deref(), Ok(shown.as_str()), "{} = {text:?}", key.name);
    }
    resolve(key.name, text);
}

/// Values that no check has seen, as an older version may have stored them.
fn resolve(name: &str, value: String) {
    let own = BTreeMap::from([(name.to_owned(), value)]);
    let none = BTreeMap::new();
    for layer in 0..3 {
        let at = |place: i32| if layer == place { &own } else { &none };
        let overrides =
            Overrides { resource: at(0), broker: at(1), cluster: at(2), statics: &none };
        TopicConfig::resolve(overrides);
        for entry in [Effective::topic(overrides), Effective::cluster(overrides)].concat() {
            assert!(!entry.sensitive || entry.value.is_none(), "{} is a secret", entry.name);
        }
    }
}
