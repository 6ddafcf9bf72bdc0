//! The listeners of a node as a whole: which addresses to bind, which to advertise, and which of them
//! other brokers and controllers use. The settings depend on each other, so they are read together.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::listener::{Address, Listener, ListenerName, SecurityProtocol};
use crate::config::settings::Settings;

type Protocols = BTreeMap<ListenerName, SecurityProtocol>;

const META_ADDRESSES: [&str; 3] = ["0.0.0.0", "::", "0:0:0:0:0:0:0:0"];

#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) listeners: Vec<Listener>,
    pub(super) advertised: Vec<Listener>,
    pub(super) controllers: Vec<ListenerName>,
}

impl Addresses {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let controllers: Vec<_> = settings
            .list("controller.listener.names")
            .iter()
            .map(|name| ListenerName::new(name))
            .collect();
        let bound = bound(settings);
        let protocols = protocols(settings, &bound, &controllers);
        let listeners = secured(settings, "listeners", bound, &protocols);
        check_distinct(settings, &listeners);
        let advertised = advertised(settings, &listeners, &controllers, &protocols);
        if advertised.is_empty() {
            settings.refuse("listeners", "a broker needs a listener that is no controller's");
        }
        check_inter_broker(settings, &advertised);
        Self { listeners, advertised, controllers }
    }
}

fn bound(settings: &mut Settings) -> Vec<Address> {
    let old = settings.text("port").is_some() || settings.text("host.name").is_some();
    if settings.is_set("listeners") || !old {
        return addresses(settings, "listeners");
    }
    let port = port(settings, "port", 9092);
    let host = settings.text("host.name").map(ToOwned::to_owned);
    vec![Address { name: ListenerName::new("PLAINTEXT"), host, port }]
}

fn port(settings: &mut Settings, key: &str, otherwise: u16) -> u16 {
    let Some(text) = settings.text(key) else { return otherwise };
    text.parse().unwrap_or_else(|_| {
        settings.refuse(key, "a port is a number from 0 to 65535");
        otherwise
    })
}

fn addresses(settings: &mut Settings, key: &str) -> Vec<Address> {
    let mut found = Vec::new();
    for text in settings.list(key) {
        match Address::parse(&text) {
            Some(address) => found.push(address),
            None => settings.refuse(key, format!("'{text}' is not of the form NAME://host:port")),
        }
    }
    found
}

/// The map that is set, or Kafka's: each protocol's own name, and for controller listeners that
/// nobody mapped, no security where no listener uses any.
fn protocols(
    settings: &mut Settings,
    bound: &[Address],
    controllers: &[ListenerName],
) -> Protocols {
    let key = "listener.security.protocol.map";
    let mut map = Protocols::new();
    let text = settings.value(key).map(|value| value.text()).unwrap_or_default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let pair = part.rsplit_once(':');
        match pair.and_then(|(name, how)| Some((name, SecurityProtocol::from_name(how)?))) {
            Some((name, protocol)) => {
                if map.insert(ListenerName::new(name), protocol).is_some() {
                    settings.refuse(key, format!("the listener of '{part}' is mapped twice"));
                }
            }
            None => settings.refuse(
                key,
                format!(
                    "'{part}' is not of the form NAME:PROTOCOL with one of PLAINTEXT, SSL, \
                     SASL_PLAINTEXT, SASL_SSL"
                ),
            ),
        }
    }
    let secured = bound
        .iter()
        .any(|one| !matches!(one.name.as_str(), "PLAINTEXT") && map.contains_key(&one.name));
    if !settings.is_set(key) && !secured {
        for name in controllers {
            map.entry(name.clone()).or_insert(SecurityProtocol::Plaintext);
        }
    }
    map
}

fn secured(
    settings: &mut Settings,
    key: &str,
    addresses: Vec<Address>,
    protocols: &Protocols,
) -> Vec<Listener> {
    let mut listeners = Vec::new();
    for Address { name, host, port } in addresses {
        match protocols.get(&name) {
            Some(protocol) => listeners.push(Listener { name, host, port, protocol: *protocol }),
            None => settings.refuse(
                key,
                format!("no security protocol is defined for listener {name}; set listener.security.protocol.map"),
            ),
        }
    }
    listeners
}

fn check_distinct(settings: &mut Settings, listeners: &[Listener]) {
    let mut names = BTreeSet::new();
    let mut places = BTreeSet::new();
    for listener in listeners {
        if !names.insert(&listener.name) {
            settings.refuse("listeners", format!("{} is there twice", listener.name));
        }
        let place = (listener.host.as_deref(), listener.port);
        if listener.port != 0 && !places.insert(place) {
            let reason =
                format!("each listener needs a different port, {} is taken", listener.port);
            settings.refuse("listeners", reason);
        }
    }
}

fn advertised(
    settings: &mut Settings,
    listeners: &[Listener],
    controllers: &[ListenerName],
    protocols: &Protocols,
) -> Vec<Listener> {
    let key = "advertised.listeners";
    if settings.text(key).is_none() {
        return advertised_by_default(settings, listeners, controllers);
    }
    let wanted = addresses(settings, key);
    let found = secured(settings, key, wanted, protocols);
    for listener in &found {
        if !listeners.iter().any(|bound| bound.name == listener.name) {
            let reason = format!("listener {} is not one of listeners", listener.name);
            settings.refuse(key, reason);
        }
        if listener.host.as_deref().is_some_and(|host| META_ADDRESSES.contains(&host)) {
            settings.refuse(key, "0.0.0.0 cannot be reached; name an address that clients can use");
        }
    }
    found.into_iter().filter(|listener| !controllers.contains(&listener.name)).collect()
}

/// What is bound is advertised; the oldest keys may still name another host and port. An address
/// that means "every interface" is left open, for the node to put its own name there.
fn advertised_by_default(
    settings: &mut Settings,
    listeners: &[Listener],
    controllers: &[ListenerName],
) -> Vec<Listener> {
    let old_host = settings.text("advertised.host.name").map(ToOwned::to_owned);
    let old_port = settings.text("advertised.port").is_some();
    let mut found: Vec<_> =
        listeners.iter().filter(|one| !controllers.contains(&one.name)).cloned().collect();
    for listener in &mut found {
        if old_host.is_some() {
            listener.host.clone_from(&old_host);
        }
        if old_port {
            listener.port = port(settings, "advertised.port", listener.port);
        }
        if listener.host.as_deref().is_some_and(|host| META_ADDRESSES.contains(&host)) {
            listener.host = None;
        }
    }
    found
}

/// Nobody connects to another node yet; a file that Kafka would refuse is refused all the same.
fn check_inter_broker(settings: &mut Settings, advertised: &[Listener]) {
    let key = "inter.broker.listener.name";
    let Some(name) = settings.text(key).map(ListenerName::new) else { return };
    if settings.is_set("security.inter.broker.protocol") {
        settings.refuse(key, "security.inter.broker.protocol must not be set at the same time");
    }
    if !advertised.iter().any(|listener| listener.name == name) {
        settings.refuse(key, "it is not one of advertised.listeners");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Addresses, Vec<String>) {
        let mut settings = Settings::read(text.as_bytes());
        let addresses = Addresses::read(&mut settings);
        (addresses, settings.errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_combined_node_advertises_its_brokers_listener_only() {
        let (found, errors) = read(
            "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n\
             controller.listener.names=CONTROLLER\n",
        );
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(found.listeners.len(), 2);
        assert_eq!(found.advertised.len(), 1);
    }

    #[test]
    fn named_listeners_take_their_protocol_from_the_map() {
        let (found, errors) = read(
            "listeners=INTERNAL://:1,external://:2\ninter.broker.listener.name=internal\n\
             listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:SASL_SSL\n",
        );
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(found.listeners[1].protocol, SecurityProtocol::SaslSsl);
    }

    #[test]
    fn the_oldest_keys_still_name_the_addresses() {
        let (found, errors) = read("port=1\nadvertised.host.name=outside\nadvertised.port=2\n");
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((found.listeners[0].host.as_deref(), found.listeners[0].port), (None, 1));
        let advertised = &found.advertised[0];
        assert_eq!((advertised.host.as_deref(), advertised.port), (Some("outside"), 2));
    }

    #[test]
    fn wrong_listeners_are_named() {
        for (text, word) in [
            ("listeners=PLAINTEXT:9092", "NAME://host:port"),
            ("listeners=A://:9092", "no security protocol is defined for listener A"),
            ("listeners=PLAINTEXT://:1,PLAINTEXT://:2", "twice"),
            ("listeners=PLAINTEXT://:1,SSL://:1", "different port"),
            ("advertised.listeners=PLAINTEXT://0.0.0.0:1", "cannot be reached"),
            ("advertised.listeners=SSL://a:1", "not one of listeners"),
            ("inter.broker.listener.name=SSL", "not one of advertised.listeners"),
            ("listener.security.protocol.map=A:B", "NAME:PROTOCOL"),
            ("port=x", "a number from 0 to 65535"),
        ] {
            let (_, errors) = read(text);
            assert!(errors.iter().any(|error| error.contains(word)), "{text}: {errors:?}");
        }
    }
}
