//! What is wrong with partitions, what a start would do about it, and what each repair would lose:
//! told before anything is changed. A repair keeps what it takes away, gives no offset out twice, and
//! leaves a folder that can be looked at again wherever it is interrupted.

mod apply;
mod backup;
mod data_folder;
mod examine;
mod judge;
mod leftovers;
mod loss;
pub mod report;
mod scan;
#[cfg(test)]
mod tests;
mod view;

pub use apply::{Changes, apply, bring_in};
pub use backup::Backup;
pub use data_folder::DataFolder;
pub use examine::{Partition, examine};
pub use report::{Finding, RepairKind, Start};
