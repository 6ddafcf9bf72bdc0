//! What a client may ask of the controller. A command looks at the image, answers item by item, and
//! returns the records that make it true; nothing changes until the log has them.

mod configs;
mod credentials;
mod describe;
mod elect;
pub(super) mod error;
mod group_config;
mod internal_topic;
mod leadership;
#[cfg(test)]
mod one_node_test;
mod partitions;
mod producer_ids;
mod quotas;
#[cfg(test)]
mod quotas_test;
mod reassign;
mod registration;
mod settings;
mod topics;
mod topics_delete;

pub use configs::{
    ConfigAnswers, ConfigChange, ConfigOperation, ResourceChange, ResourceReplacement,
    alter_configs, replace_configs,
};
pub use credentials::{
    CredentialAnswers, CredentialDeletion, CredentialUpsertion, FoundCredentials,
    alter_credentials, describe_credentials,
};
pub use describe::describe_configs;
pub use elect::{Election, elect, elect_everywhere};
pub use error::{CommandError, CommandErrorKind};
pub use internal_topic::{
    CONSUMER_OFFSETS, METADATA, SHARE_GROUP_STATE, TRANSACTION_STATE, consumer_offsets,
    is_internal, share_group_state, transaction_state,
};
pub use leadership::{fence_broker, unfence_broker};
pub use partitions::{GrowAnswers, GrowTopic, create_partitions};
pub use producer_ids::{PRODUCER_ID_BLOCK, ProducerIdBlock, allocate_producer_ids};
pub use quotas::{
    FoundQuotas, QuotaAlteration, QuotaAnswers, QuotaMatch, alter_quotas, describe_quotas,
};
pub use reassign::reassign;
pub use registration::{Registration, format, register_broker, unregister_broker};
pub use topics::{CreateAnswers, CreateTopic, CreatedTopic, create_topics};
pub use topics_delete::{DeleteAnswers, DeletedTopic, TopicRef, delete_topics};

use crate::records::metadata::MetadataRecord;

/// The answers of a command, and the records to append before they are given.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<A> {
    pub records: Vec<MetadataRecord>,
    pub answers: A,
}
