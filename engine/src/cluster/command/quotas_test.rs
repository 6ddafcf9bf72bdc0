//! Who may have which quota, and how quotas are found.

use std::collections::BTreeMap;

use crate::cluster::ClusterImage;
use crate::cluster::command::{
    CommandErrorKind, QuotaAlteration, QuotaMatch, alter_quotas, describe_quotas,
};

type Part<'a> = (&'a str, Option<&'a str>);

fn alteration(parts: &[Part<'_>], changes: &[(&str, Option<f64>)]) -> QuotaAlteration {
    let entity = parts.iter().map(|(kind, name)| ((*kind).into(), name.map(Into::into)));
    QuotaAlteration {
        entity: entity.collect(),
        changes: changes.iter().map(|(key, value)| ((*key).into(), *value)).collect(),
        is_resolved: true,
    }
}

/// Refusals by the place of the alteration.
fn alter(image: &mut ClusterImage, asked: &[QuotaAlteration]) -> Vec<Option<String>> {
    let outcome = alter_quotas(image, asked, false);
    for record in &outcome.records {
        image.apply(record).unwrap();
    }
    let refused = outcome.answers.into_iter().map(|(_, answer)| {
        let error = answer.err()?;
        assert_eq!(error.kind, CommandErrorKind::InvalidRequest);
        Some(error.message)
    });
    refused.collect()
}

fn kept(image: &ClusterImage) -> Vec<(String, f64)> {
    let line = |(entity, key, value): (&[(String, Option<String>)], &str, f64)| {
        let parts = entity
            .iter()
            .map(|(kind, name)| format!("{kind}={}", name.as_deref().unwrap_or("<default>")));
        (format!("{} {key}", parts.collect::<Vec<_>>().join(",")), value)
    };
    image.client_quotas().map(line).collect()
}

#[test]
fn a_quota_is_set_changed_and_taken_back() {
    let mut image = ClusterImage::new("cluster");
    let of = [("user", Some("a")), ("client-id", None)];
    let key = "producer_byte_rate";
    assert_eq!(alter(&mut image, &[alteration(&of, &[(key, Some(5.0))])]), [None]);
    let name = format!("client-id=<default>,user=a {key}");
    assert_eq!(kept(&image), [(name.clone(), 5.0)]);
    let changes = [(key, Some(6.0)), ("request_percentage", Some(0.5))];
    alter(&mut image, &[alteration(&of, &changes)]);
    assert_eq!(kept(&image).len(), 2);
    alter(&mut image, &[alteration(&of, &[("request_percentage", None), ("nonsense", None)])]);
    assert_eq!(kept(&image), [(name, 6.0)]);
    alter(&mut image, &[alteration(&of, &[(key, None)])]);
    assert!(!image.has_client_quotas());
}

#[test]
fn what_is_so_already_is_no_record() {
    let mut image = ClusterImage::new("cluster");
    let same = alteration(&[("user", None)], &[("consumer_byte_rate", Some(1.0))]);
    alter(&mut image, std::slice::from_ref(&same));
    assert!(alter_quotas(&image, &[same], false).records.is_empty());
}

#[test]
fn what_is_only_tried_changes_nothing_and_is_answered_the_same() {
    let image = ClusterImage::new("cluster");
    let good = alteration(&[("user", None)], &[("consumer_byte_rate", Some(1.0))]);
    let bad = alteration(&[("ip", None)], &[("consumer_byte_rate", Some(1.0))]);
    let asked = [good, bad];
    let (tried, done) = (alter_quotas(&image, &asked, true), alter_quotas(&image, &asked, false));
    assert_eq!((tried.records.len(), done.records.len()), (0, 1));
    assert_eq!(tried.answers, done.answers);
}

#[test]
fn one_wrong_key_of_an_entity_refuses_all_of_it_and_nothing_of_others() {
    let mut image = ClusterImage::new("cluster");
    let wrong = [("producer_byte_rate", Some(1.0)), ("nonsense", Some(1.0))];
    let asked = [
        alteration(&[("user", Some("a"))], &wrong),
        alteration(&[("user", Some("b"))], &wrong[..1]),
    ];
    let refused = alter(&mut image, &asked);
    assert_eq!(refused, [Some("Invalid configuration key nonsense".to_owned()), None]);
    assert_eq!(kept(&image), [("user=b producer_byte_rate".to_owned(), 1.0)]);
}

/// As Kafka has it: the first change counts although the entity is answered as refused.
#[test]
fn of_an_entity_that_comes_twice_the_first_counts_and_is_called_ignored() {
    let mut image = ClusterImage::new("cluster");
    let asked = [1.0, 2.0]
        .map(|value| alteration(&[("user", Some("a"))], &[("producer_byte_rate", Some(value))]));
    let refused = alter(&mut image, &asked);
    let message = "Ignoring duplicate entity ClientQuotaEntity(entries={user=a})";
    assert_eq!(refused, [Some(message.to_owned())]);
    assert_eq!(kept(&image), [("user=a producer_byte_rate".to_owned(), 1.0)]);
}

#[test]
fn an_address_that_nobody_can_have_is_refused() {
    let mut image = ClusterImage::new("cluster");
    let mut asked =
        alteration(&[("ip", Some("nowhere"))], &[("connection_creation_rate", Some(1.0))]);
    assert_eq!(alter(&mut image, std::slice::from_ref(&asked)), [None]);
    asked.is_resolved = false;
    let refused = alter(&mut image, &[asked]);
    assert_eq!(refused, [Some("nowhere is not a valid IP or resolvable host.".to_owned())]);
}

#[test]
fn entities_are_found_by_their_parts() {
    let mut image = ClusterImage::new("cluster");
    let entities: [&[Part<'_>]; 4] = [
        &[("user", Some("a"))],
        &[("user", None)],
        &[("user", Some("a")), ("client-id", Some("c"))],
        &[("client-id", Some("c"))],
    ];
    for entity in entities {
        alter(&mut image, &[alteration(entity, &[("producer_byte_rate", Some(1.0))])]);
    }
    let found = |parts: &[(&str, QuotaMatch)], strict| {
        let parts: Vec<_> =
            parts.iter().map(|(kind, wanted)| ((*kind).to_owned(), wanted.clone())).collect();
        let found = describe_quotas(&image, &parts, strict).into_iter().map(|one| {
            let entity: BTreeMap<_, _> = one.entity.into_iter().collect();
            entities.iter().position(|parts| alteration(parts, &[]).entity == entity).unwrap()
        });
        let mut found: Vec<usize> = found.collect();
        found.sort_unstable();
        found
    };
    let a = || QuotaMatch::Named("a".to_owned());
    assert_eq!(found(&[], false), [0, 1, 2, 3]);
    assert_eq!(found(&[], true), []);
    assert_eq!(found(&[("user", a())], false), [0, 2]);
    assert_eq!(found(&[("user", a())], true), [0]);
    assert_eq!(found(&[("user", QuotaMatch::Default)], false), [1]);
    assert_eq!(found(&[("user", QuotaMatch::Any)], false), [0, 1, 2]);
    assert_eq!(found(&[("user", a()), ("client-id", QuotaMatch::Any)], true), [2]);
    assert_eq!(found(&[("ip", QuotaMatch::Any)], false), []);
}
