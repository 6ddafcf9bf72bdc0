//! Sets and removes users' credentials (KIP-554). No listener asks for them yet; they are kept.

use engine::cluster::command::{
    CommandError, CommandErrorKind, CredentialDeletion, CredentialUpsertion,
};
use wire::ErrorCode;
use wire::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use wire::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let deletions = request.deletions.into_iter();
    let deletions: Vec<_> = deletions
        .map(|one| CredentialDeletion { user: one.name, mechanism: one.mechanism })
        .collect();
    let upsertions = request.upsertions.into_iter().map(|one| CredentialUpsertion {
        user: one.name,
        mechanism: one.mechanism,
        iterations: one.iterations,
        salt: one.salt,
        salted_password: one.salted_password,
    });
    let upsertions: Vec<_> = upsertions.collect();
    let users: Vec<String> = {
        let (deleted, upserted) = (deletions.iter(), upsertions.iter());
        deleted.map(|one| one.user.clone()).chain(upserted.map(|one| one.user.clone())).collect()
    };
    let results = match context.broker.alter_credentials(deletions, upsertions).await {
        Ok(answers) => answers
            .into_iter()
            .map(|(user, answer)| match answer {
                Ok(()) => result(user, ErrorCode::None, None),
                Err(error) => result(user, error.error_code(), worded(error)),
            })
            .collect(),
        Err(error) => users.into_iter().map(|one| result(one, error.error_code(), None)).collect(),
    };
    AlterUserScramCredentialsResponse { results, ..AlterUserScramCredentialsResponse::default() }
}

/// Where Kafka fails it adds no words.
fn worded(error: CommandError) -> Option<String> {
    (error.kind != CommandErrorKind::UnknownServerError).then_some(error.message)
}

fn result(
    user: String,
    error: ErrorCode,
    error_message: Option<String>,
) -> AlterUserScramCredentialsResult {
    AlterUserScramCredentialsResult {
        user,
        error_code: error.code(),
        error_message,
        ..AlterUserScramCredentialsResult::default()
    }
}
