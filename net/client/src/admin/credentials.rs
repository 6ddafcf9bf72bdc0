//! Passwords of users for SCRAM (RFC 5802, KIP-554). A password never leaves this process: the
//! broker is sent its salted hash.

use bytes::Bytes;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};
use wire::messages::{
    AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest,
    alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion},
    describe_user_scram_credentials_request::UserName,
};

use super::{Admin, Outcomes};
use crate::{ClientError, Target, check};

const SALT_BYTES: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramMechanism {
    Sha256,
    Sha512,
}

/// A mechanism and its number of iterations.
pub type ScramCredential = (ScramMechanism, i32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialChange {
    Set { mechanism: ScramMechanism, iterations: u32, password: String },
    Delete { mechanism: ScramMechanism },
}

impl ScramMechanism {
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    const fn to_wire(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// What RFC 5802 calls `Hi`: PBKDF2 for one block.
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Bytes {
        match self {
            Self::Sha256 => hash_again::<Hmac<Sha256>>(password, salt, iterations),
            Self::Sha512 => hash_again::<Hmac<Sha512>>(password, salt, iterations),
        }
    }
}

fn hash_again<M: Mac + hmac::digest::KeyInit>(
    password: &[u8],
    salt: &[u8],
    iterations: u32,
) -> Bytes {
    let digest = |parts: &[&[u8]]| {
        let mut mac =
            <M as Mac>::new_from_slice(password).expect("a key of any length is good for an HMAC");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes()
    };
    let mut last = digest(&[salt, &1_u32.to_be_bytes()]);
    let mut sum = last.to_vec();
    for _ in 1..iterations {
        last = digest(&[&last]);
        sum.iter_mut().zip(&last).for_each(|(sum, byte)| *sum ^= byte);
    }
    Bytes::from(sum)
}

impl Admin {
    /// Which mechanisms users have a password for; all users if none is named.
    pub async fn describe_credentials(
        &self,
        users: &[String],
    ) -> Result<Outcomes<String, Vec<ScramCredential>>, ClientError> {
        let user = |name: &String| UserName { name: name.clone(), ..UserName::default() };
        let request = DescribeUserScramCredentialsRequest {
            users: (!users.is_empty()).then(|| users.iter().map(user).collect()),
            ..DescribeUserScramCredentialsRequest::default()
        };
        let ask = async || {
            let response = self.client.call(Target::Any, &request).await?;
            let doing = || "read credentials".to_owned();
            check(response.error_code, response.error_message.as_deref(), doing)?;
            Ok::<_, ClientError>(response.results)
        };
        let results = self.client.retry().run(ask).await?.into_iter();
        let outcomes = results.map(|result| {
            let doing = || format!("read the credentials of user {:?}", result.user);
            let outcome = check(result.error_code, result.error_message.as_deref(), doing);
            let infos = result.credential_infos.iter().filter_map(|info| {
                let known = ScramMechanism::ALL;
                let mechanism = known.into_iter().find(|one| one.to_wire() == info.mechanism)?;
                Some((mechanism, info.iterations))
            });
            let credentials = infos.collect();
            (result.user, outcome.map(|()| credentials))
        });
        Ok(outcomes.collect())
    }

    pub async fn alter_credentials(
        &self,
        user: &str,
        changes: &[CredentialChange],
    ) -> Result<(), ClientError> {
        let mut request = AlterUserScramCredentialsRequest::default();
        for change in changes {
            match change {
                CredentialChange::Delete { mechanism } => {
                    request.deletions.push(ScramCredentialDeletion {
                        name: user.to_owned(),
                        mechanism: mechanism.to_wire(),
                        ..ScramCredentialDeletion::default()
                    });
                }
                CredentialChange::Set { mechanism, iterations, password } => {
                    let mut salt = [0; SALT_BYTES];
                    getrandom::fill(&mut salt).map_err(|_| ClientError::NoRandomness)?;
                    request.upsertions.push(ScramCredentialUpsertion {
                        name: user.to_owned(),
                        mechanism: mechanism.to_wire(),
                        iterations: i32::try_from(*iterations).unwrap_or(i32::MAX),
                        salted_password: mechanism.salted(password.as_bytes(), &salt, *iterations),
                        salt: Bytes::copy_from_slice(&salt),
                        ..ScramCredentialUpsertion::default()
                    });
                }
            }
        }
        let ask = async || {
            let response = self.client.call(Target::Any, &request).await?;
            for result in response.results {
                let doing = || format!("change the credentials of user {:?}", result.user);
                check(result.error_code, result.error_message.as_deref(), doing)?;
            }
            Ok::<_, ClientError>(())
        };
        self.client.retry().run(ask).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_salted_as_the_standard_has_it() {
        // The first vectors of PBKDF2 with HMAC-SHA-256: "password" and "salt", once and 4096 times.
        let hex = |bytes: &Bytes| {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join("")
        };
        let salted = |times| hex(&ScramMechanism::Sha256.salted(b"password", b"salt", times));
        assert_eq!(salted(1), "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b");
        assert_eq!(
            salted(4096),
            "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"
        );
        assert_eq!(ScramMechanism::Sha512.salted(b"password", b"salt", 1).len(), 64);
    }
}
