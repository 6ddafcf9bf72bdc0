//! Our own commands: flags, and how results are shown to people and to scripts.

pub mod api_versions;
pub mod bench;
pub mod cluster;
pub mod config;
pub mod config_clients;
pub mod consume;
pub mod election;
pub mod group;
pub mod log;
pub mod offsets;
pub mod produce;
pub mod quorum;
pub mod recover;
pub mod seal;
pub mod share_group;
pub mod topic;
pub mod transaction;
