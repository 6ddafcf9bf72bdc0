//! Which credentials users have (KIP-554); never the secrets.

use engine::cluster::command::{FoundCredentials, describe_credentials};
use wire::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use wire::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let users = request.users.unwrap_or_default().into_iter().map(|user| user.name);
    let users: Vec<String> = users.collect();
    let found = describe_credentials(&context.broker.image(), &users);
    DescribeUserScramCredentialsResponse {
        results: found.into_iter().map(result).collect(),
        ..DescribeUserScramCredentialsResponse::default()
    }
}

fn result(found: FoundCredentials) -> DescribeUserScramCredentialsResult {
    let FoundCredentials { user, credentials } = found;
    match credentials {
        Ok(credentials) => {
            let infos = credentials.into_iter().map(|(mechanism, iterations)| CredentialInfo {
                mechanism,
                iterations,
                ..CredentialInfo::default()
            });
            DescribeUserScramCredentialsResult {
                user,
                credential_infos: infos.collect(),
                ..DescribeUserScramCredentialsResult::default()
            }
        }
        Err(error) => DescribeUserScramCredentialsResult {
            user,
            error_code: error.error_code().code(),
            error_message: Some(error.message),
            ..DescribeUserScramCredentialsResult::default()
        },
    }
}
