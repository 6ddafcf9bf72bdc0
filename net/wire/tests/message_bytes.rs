//! Messages against themselves and against broken bytes.

use bytes::Bytes;
use codegen::proof;
use wire::messages::{ApiVersionsRequest, CATALOG, MetadataRequest, ProduceRequest};
use wire::{DecodeError, EncodeError, Message, Reader, UnknownTags, Writer};

#[test]
fn every_message_survives_reading_and_writing_in_every_version() {
    for sample in proof::samples(CATALOG, 3, 5).unwrap() {
        let written = (sample.entry.recode)(&sample.bytes, sample.version, sample.version);
        assert_eq!(written, Ok(sample.bytes), "{} {}", sample.entry.name, sample.version);
    }
}

#[test]
fn every_prefix_of_a_message_is_refused() {
    proof::refuse_prefixes(CATALOG, 4, 2);
}

#[test]
fn a_mutated_message_never_panics_and_reads_back_if_it_is_accepted() {
    proof::survive_mutations(CATALOG, 5, 40);
}

fn decode<T: Message>(bytes: &'static [u8], version: i16) -> Result<T, DecodeError> {
    T::decode(&mut Reader::new(Bytes::from_static(bytes)), version)
}

fn encode<T: Message>(message: &T, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

#[test]
fn unknown_tagged_fields_come_back_at_their_place() {
    let bytes = &[2, b'a', 2, b'b', 2, 1, 1, 7, 200, 1, 2, 8, 9];
    let request = decode::<ApiVersionsRequest>(bytes, 3).unwrap();
    let expected = vec![(1, Bytes::from_static(&[7])), (200, Bytes::from_static(&[8, 9]))];
    assert_eq!(request.unknown_tagged_fields, UnknownTags(expected));
    assert_eq!(encode(&request, 3).unwrap(), bytes.as_slice());
    assert_eq!(
        encode(&request, 2),
        Err(EncodeError::FieldNotInVersion {
            field: "ApiVersionsRequest.unknown_tagged_fields",
            version: 2
        })
    );
}

#[test]
fn an_absurd_count_is_refused_before_memory_is_claimed() {
    let huge = decode::<MetadataRequest>(&[0x7f, 0xff, 0xff, 0xff, 0], 1);
    let expected =
        DecodeError::CountTooLarge { count: 0x7fff_ffff, element_bytes_min: 2, remaining: 1 };
    assert_eq!(huge, Err(expected));
    let compact = decode::<MetadataRequest>(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0], 9);
    assert!(matches!(compact, Err(DecodeError::CountTooLarge { count: 0xffff_fffe, .. })));
}

/// The densest thing that a client can mean; the budget of memory must not refuse it.
#[test]
fn metadata_of_all_topics_with_two_letters_can_be_asked_for() {
    use wire::messages::metadata_request::MetadataRequestTopic;
    let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['.', '_', '-']);
    let names = letters.clone().flat_map(|one| letters.clone().map(move |two| [one, two]));
    let topic = |name: [char; 2]| MetadataRequestTopic {
        name: Some(name.iter().collect()),
        ..MetadataRequestTopic::default()
    };
    let topics = names.map(topic).collect::<Vec<_>>();
    let request = MetadataRequest { topics: Some(topics), ..MetadataRequest::default() };
    let bytes = encode(&request, 9).unwrap();
    assert_eq!(MetadataRequest::decode(&mut Reader::new(bytes), 9), Ok(request));
}

#[test]
fn a_version_that_does_not_exist_is_refused_both_ways() {
    let expected = DecodeError::UnsupportedVersion { name: "ProduceRequest", version: 14 };
    assert_eq!(decode::<ProduceRequest>(&[], 14), Err(expected));
    let expected = EncodeError::UnsupportedVersion { name: "ProduceRequest", version: 2 };
    assert_eq!(encode(&ProduceRequest::default(), 2), Err(expected));
}

#[test]
fn null_is_refused_where_the_version_has_no_null() {
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let expected = EncodeError::NullNotInVersion { field: "MetadataRequest.topics", version: 0 };
    assert_eq!(encode(&request, 0), Err(expected));
    assert_eq!(encode(&request, 1).unwrap(), [0xff; 4].as_slice());
}

#[test]
fn a_produce_request_has_the_bytes_that_clients_send() {
    use wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
    let partition = PartitionProduceData {
        index: 1,
        records: Some(Bytes::from_static(b"xyz").into()),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: "t".to_owned(),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    let old = [
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 3, 0xe8, 0, 0, 0, 1, 0, 1, b't'][..],
        &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, b'x', b'y', b'z'][..],
    ];
    assert_eq!(encode(&request, 3).unwrap(), old.concat());
    let flexible = [
        &[0, 0xff, 0xff, 0, 0, 3, 0xe8, 2, 2, b't', 2, 0, 0, 0, 1][..],
        &[4, b'x', b'y', b'z', 0, 0, 0][..],
    ];
    assert_eq!(encode(&request, 9).unwrap(), flexible.concat());
}
