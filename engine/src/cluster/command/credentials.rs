//! Credentials of users (SCRAM, RFC 5802): what is kept of a password lets a server check it and nobody log
//! in with it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use codec::UnknownTags;
use hmac::digest::KeyInit;
use hmac::{Mac, SimpleHmac};
use sha2::{Digest, Sha256, Sha512};

use crate::cluster::command::error::refuse;
use crate::cluster::command::{CommandError, Outcome};
use crate::cluster::features::METADATA_VERSION;
use crate::cluster::image::ClusterImage;
use crate::records::metadata::{
    MetadataRecord, RemoveUserScramCredentialRecord, UserScramCredentialRecord,
};

/// The first level of `metadata.version` with such records (3.5-IV2).
const LEVEL_CREDENTIALS: i16 = 11;
/// Fewer make a password too easy to guess, more make each login too dear.
const ITERATIONS: std::ops::RangeInclusive<i32> = 4096..=16384;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Sha256,
    Sha512,
}

impl Mechanism {
    const fn from_wire(mechanism: i8) -> Option<Self> {
        match mechanism {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialDeletion {
    pub user: String,
    pub mechanism: i8,
}

/// The client has salted the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialUpsertion {
    pub user: String,
    pub mechanism: i8,
    pub iterations: i32,
    pub salt: Bytes,
    pub salted_password: Bytes,
}

pub type CredentialAnswers = Vec<(String, Result<(), CommandError>)>;

/// One answer for each user, by name.
pub fn alter_credentials(
    image: &ClusterImage,
    deletions: &[CredentialDeletion],
    upsertions: &[CredentialUpsertion],
) -> Outcome<CredentialAnswers> {
    let mut answers: BTreeMap<String, Result<MetadataRecord, CommandError>> = BTreeMap::new();
    let mut answer = |user: &str, altered: Result<MetadataRecord, CommandError>| {
        let twice = || {
            refuse!(
                DuplicateResource,
                "A user credential cannot be altered twice in the same request"
            )
        };
        match answers.get_mut(user) {
            None => {
                answers.insert(user.to_owned(), altered);
            }
            // What was refused stays refused for its first reason.
            Some(before) if before.is_ok() => *before = Err(twice()),
            Some(_) => {}
        }
    };
    for one in deletions {
        answer(&one.user, delete(image, one));
    }
    for one in upsertions {
        answer(&one.user, upsert(image, one));
    }
    let mut records = Vec::new();
    let answers = answers.into_iter().map(|(user, altered)| {
        let altered = altered.map(|record| records.push(record));
        (user, altered)
    });
    let answers = answers.collect();
    Outcome { records, answers }
}

fn delete(
    image: &ClusterImage,
    deletion: &CredentialDeletion,
) -> Result<MetadataRecord, CommandError> {
    let CredentialDeletion { user, mechanism } = deletion;
    check(image, user, *mechanism)?;
    if !image.scram.contains_key(&(*mechanism, user.clone())) {
        return Err(refuse!(
            ResourceNotFound,
            "Attempt to delete a user credential that does not exist"
        ));
    }
    let record = RemoveUserScramCredentialRecord {
        name: user.clone(),
        mechanism: *mechanism,
        unknown_tagged_fields: UnknownTags::default(),
    };
    Ok(record.into())
}

fn upsert(
    image: &ClusterImage,
    upsertion: &CredentialUpsertion,
) -> Result<MetadataRecord, CommandError> {
    let CredentialUpsertion { user, mechanism, iterations, salt, salted_password } = upsertion;
    let known = check(image, user, *mechanism)?;
    if iterations < ITERATIONS.start() {
        return Err(refuse!(UnacceptableCredential, "Too few iterations"));
    }
    if ITERATIONS.end() < iterations {
        return Err(refuse!(UnacceptableCredential, "Too many iterations"));
    }
    if salted_password.is_empty() {
        // Kafka fails here, and answers so.
        return Err(refuse!(UnknownServerError, "the salted password is empty"));
    }
    let (stored_key, server_key) = match known {
        Mechanism::Sha256 => keys::<Sha256>(salted_password),
        Mechanism::Sha512 => keys::<Sha512>(salted_password),
    };
    let record = UserScramCredentialRecord {
        name: user.clone(),
        mechanism: *mechanism,
        salt: salt.clone(),
        stored_key,
        server_key,
        iterations: *iterations,
        unknown_tagged_fields: UnknownTags::default(),
    };
    Ok(record.into())
}

fn check(image: &ClusterImage, user: &str, mechanism: i8) -> Result<Mechanism, CommandError> {
    if image.feature(METADATA_VERSION) < LEVEL_CREDENTIALS {
        return Err(refuse!(
            UnsupportedVersion,
            "The current metadata.version does not support SCRAM"
        ));
    }
    if user.is_empty() {
        return Err(refuse!(UnacceptableCredential, "Username must not be empty"));
    }
    Mechanism::from_wire(mechanism)
        .ok_or_else(|| refuse!(UnsupportedSaslMechanism, "Unknown SCRAM mechanism"))
}

/// What the server compares a client's proof with, and what it proves itself with.
fn keys<D: Digest + hmac::digest::core_api::BlockSizeUser + Clone>(
    salted_password: &[u8],
) -> (Bytes, Bytes) {
    let client_key = authenticated::<D>(salted_password, b"Client Key");
    let stored_key = D::digest(client_key);
    let server_key = authenticated::<D>(salted_password, b"Server Key");
    (Bytes::copy_from_slice(&stored_key), Bytes::from(server_key))
}

fn authenticated<D: Digest + hmac::digest::core_api::BlockSizeUser + Clone>(
    key: &[u8],
    text: &[u8],
) -> Vec<u8> {
    let mac: SimpleHmac<D> = KeyInit::new_from_slice(key).expect("a key may have any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

/// What there is of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCredentials {
    pub user: String,
    /// Mechanism and iterations.
    pub credentials: Result<Vec<(i8, i32)>, CommandError>,
}

/// Of the users that are named, else of all.
pub fn describe_credentials(image: &ClusterImage, users: &[String]) -> Vec<FoundCredentials> {
    let all = image.scram.keys().map(|(_, user)| user.as_str());
    let named: BTreeSet<&str> =
        if users.is_empty() { all.collect() } else { users.iter().map(String::as_str).collect() };
    let found = named.into_iter().map(|user| {
        let credentials = if 1 < users.iter().filter(|other| *other == user).count() {
            Err(refuse!(
                DuplicateResource,
                "Cannot describe SCRAM credentials for the same user twice in a single request: {user}"
            ))
        } else {
            of_user(image, user)
        };
        FoundCredentials { user: user.to_owned(), credentials }
    });
    found.collect()
}

fn of_user(image: &ClusterImage, user: &str) -> Result<Vec<(i8, i32)>, CommandError> {
    let of_user = image.scram_credentials().filter(|one| one.name == user);
    let found: Vec<_> = of_user.map(|one| (one.mechanism, one.iterations)).collect();
    if found.is_empty() {
        return Err(refuse!(
            ResourceNotFound,
            "Attempt to describe a user credential that does not exist: {user}"
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::command::CommandErrorKind;
    use crate::cluster::features::bootstrap_records;

    fn cluster() -> ClusterImage {
        let mut image = ClusterImage::new("cluster");
        apply(&mut image, &bootstrap_records());
        image
    }

    fn apply(image: &mut ClusterImage, records: &[MetadataRecord]) {
        for record in records {
            image.apply(record).unwrap();
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn upsertion(user: &str, mechanism: i8) -> CredentialUpsertion {
        CredentialUpsertion {
            user: user.to_owned(),
            mechanism,
            iterations: 4096,
            salt: Bytes::from_static(b"salt"),
            salted_password: Bytes::from_static(b"thirty-two bytes of salted words"),
        }
    }

    fn deletion(user: &str, mechanism: i8) -> CredentialDeletion {
        CredentialDeletion { user: user.to_owned(), mechanism }
    }

    fn refusals(outcome: &Outcome<CredentialAnswers>) -> Vec<Option<CommandErrorKind>> {
        outcome.answers.iter().map(|(_, one)| one.as_ref().err().map(|one| one.kind)).collect()
    }

    /// The example of RFC 7677: password `pencil`, 4096 iterations.
    #[test]
    fn what_is_kept_of_a_password_is_what_the_standard_says() {
        let salted = "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d";
        let salted: Vec<u8> = (0..salted.len() / 2)
            .map(|at| u8::from_str_radix(&salted[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let (stored_key, server_key) = keys::<Sha256>(&salted);
        assert_eq!(
            hex(&stored_key),
            "586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6"
        );
        assert_eq!(
            hex(&server_key),
            "c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5"
        );
    }

    #[test]
    fn credentials_come_change_and_go() {
        let mut image = cluster();
        let outcome = alter_credentials(&image, &[], &[upsertion("a", 1), upsertion("b", 2)]);
        assert_eq!(refusals(&outcome), [None, None]);
        apply(&mut image, &outcome.records);
        let more = CredentialUpsertion { iterations: 8192, ..upsertion("a", 1) };
        let changed = alter_credentials(&image, &[], &[more]);
        apply(&mut image, &changed.records);
        let found = describe_credentials(&image, &[]);
        let found: Vec<_> =
            found.into_iter().map(|one| (one.user, one.credentials.unwrap())).collect();
        assert_eq!(found, [("a".to_owned(), vec![(1, 8192)]), ("b".to_owned(), vec![(2, 4096)])]);
        let deleted = alter_credentials(&image, &[deletion("a", 1)], &[]);
        apply(&mut image, &deleted.records);
        assert_eq!(describe_credentials(&image, &[]).len(), 1);
    }

    #[test]
    fn a_user_that_comes_twice_is_refused_and_nothing_of_it_counts() {
        let image = cluster();
        let outcome = alter_credentials(
            &image,
            &[],
            &[upsertion("a", 1), upsertion("b", 1), upsertion("a", 2)],
        );
        assert_eq!(refusals(&outcome), [Some(CommandErrorKind::DuplicateResource), None]);
        assert_eq!(outcome.records.len(), 1);
    }

    #[test]
    fn credentials_that_nobody_could_use_are_refused() {
        let image = cluster();
        let refused = |one: CredentialUpsertion| {
            let outcome = alter_credentials(&image, &[], &[one]);
            refusals(&outcome)[0]
        };
        use CommandErrorKind::{UnacceptableCredential, UnsupportedSaslMechanism};
        for iterations in [-1, 4095, 16385] {
            let one = CredentialUpsertion { iterations, ..upsertion("a", 1) };
            assert_eq!(refused(one), Some(UnacceptableCredential), "{iterations}");
        }
        assert_eq!(refused(upsertion("", 1)), Some(UnacceptableCredential));
        assert_eq!(refused(upsertion("a", 3)), Some(UnsupportedSaslMechanism));
        let missing = alter_credentials(&image, &[deletion("a", 1)], &[]);
        assert_eq!(refusals(&missing), [Some(CommandErrorKind::ResourceNotFound)]);
    }

    #[test]
    fn a_cluster_of_an_older_version_takes_no_credentials() {
        let outcome = alter_credentials(&ClusterImage::new("old"), &[], &[upsertion("a", 1)]);
        assert_eq!(refusals(&outcome), [Some(CommandErrorKind::UnsupportedVersion)]);
    }
}
