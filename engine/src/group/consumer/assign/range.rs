//! The range assignor: each topic's partitions are cut into ranges, one for each member that reads
//! it, in the order of their names; the first get one more where it does not come out even.

use std::collections::BTreeMap;

use crate::group::MemberId;
use crate::group::consumer::Partitions;
use crate::group::consumer::assign::{Claim, Claims, indexes};
use crate::types::TopicId;

/// What is left of a topic.
struct Cut {
    quota: u32,
    /// Members that still get one more.
    extra: u32,
    next: u32,
    end: u32,
}

pub(super) fn assign(claims: &Claims) -> BTreeMap<MemberId, Partitions> {
    let mut readers: BTreeMap<TopicId, u32> = BTreeMap::new();
    for topic in claims.members.values().flat_map(|claim| &claim.topics) {
        *readers.entry(*topic).or_default() += 1;
    }
    let mut cuts: BTreeMap<TopicId, Cut> = readers
        .into_iter()
        .map(|(topic, readers)| {
            let end = claims.partition_count(topic);
            (topic, Cut { quota: end / readers, extra: end % readers, next: 0, end })
        })
        .collect();
    let mut assigned = BTreeMap::new();
    for (member, claim) in in_order(claims) {
        let mut partitions = Partitions::new();
        for topic in &claim.topics {
            let Some(cut) = cuts.get_mut(topic) else { continue };
            let one_more = u32::from(0 < cut.extra);
            cut.extra -= one_more;
            let end = cut.next.saturating_add(cut.quota + one_more).min(cut.end);
            if cut.next < end {
                partitions.insert(*topic, indexes(cut.next..end).collect());
            }
            cut.next = end;
        }
        assigned.insert(member.clone(), partitions);
    }
    assigned
}

/// Static members first, by their instance ids, so that they keep their ranges when they come back
/// under another member id.
fn in_order(claims: &Claims) -> Vec<(&MemberId, &Claim)> {
    let mut members: Vec<_> = claims.members.iter().collect();
    members.sort_by_key(|(id, claim)| (claim.instance.is_none(), claim.instance.clone(), *id));
    members
}
