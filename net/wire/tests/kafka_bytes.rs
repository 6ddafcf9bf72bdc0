//! Our bytes against those of Kafka's own classes. Needs Java and Kafka's jars, and fails without
//! them: a comparison that is skipped proves nothing.

use codegen::proof::{Kafka, compare_with_kafka};
use wire::ApiKey;

fn versions(listed: &str) -> Vec<(i16, Vec<i16>)> {
    let entries = listed.split(' ').map(|entry| {
        let mut numbers = entry.split(':').map(|number| number.parse::<i16>().expect("a number"));
        (numbers.next().expect("a key"), numbers.collect())
    });
    entries.collect()
}

#[test]
fn every_message_in_every_version_is_what_kafka_makes_of_it() {
    match compare_with_kafka(wire::messages::CATALOG, 1, 3) {
        Ok(compared) => println!("{compared} comparisons"),
        Err(difference) => panic!("{difference}"),
    }
}

#[test]
fn each_listener_offers_what_kafkas_listener_offers() {
    let kafka = Kafka::find().unwrap_or_else(|error| panic!("{error}"));
    let questions = ["apis BROKER".to_owned(), "apis CONTROLLER".to_owned(), "headers".to_owned()];
    let answers = kafka.ask(&questions).unwrap();
    let offered = |is_offered: fn(ApiKey) -> bool| {
        let keys = ApiKey::ALL.iter().filter(|key| is_offered(**key));
        let entries = keys.filter_map(|key| {
            let versions = key.advertised_versions()?;
            Some((key.code(), vec![*versions.start(), *versions.end()]))
        });
        entries.collect::<Vec<_>>()
    };
    assert_eq!(offered(ApiKey::broker_advertised), versions(&answers[0]));
    assert_eq!(offered(ApiKey::controller_advertised), versions(&answers[1]));

    let headers = ApiKey::ALL.iter().flat_map(|key| {
        key.valid_versions().map(|version| {
            let request = key.request_header_version(version);
            (key.code(), vec![version, request, key.response_header_version(version)])
        })
    });
    assert_eq!(headers.collect::<Vec<_>>(), versions(&answers[2]));
}
