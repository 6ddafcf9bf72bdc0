//! The engine's records against Kafka's own classes. Needs Java and Kafka's jars, and fails without
//! them: a comparison that is skipped proves nothing.

use codegen::proof::compare_with_kafka;

#[test]
fn every_record_in_every_version_is_what_kafka_makes_of_it() {
    match compare_with_kafka(&engine::records::CATALOGS.concat(), 2, 10) {
        Ok(compared) => println!("{compared} comparisons"),
        Err(difference) => panic!("{difference}"),
    }
}
