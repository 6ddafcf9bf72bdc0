//! What of a log is to be cleaned, and which segments become one. Pure.

use core::ops::Range;

use crate::types::{Millis, Offset, Timestamp};

/// What the plan needs to know of a closed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) base: Offset,
    /// The base of the next.
    pub(super) end: Offset,
    pub(super) len: u64,
    /// Of its first batch.
    pub(super) first_timestamp: Option<Timestamp>,
    pub(super) latest_timestamp: Option<Timestamp>,
}

/// When a topic's log is cleaned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanRules {
    /// `min.cleanable.dirty.ratio`: less of the log that is new is not worth a pass.
    pub dirty_ratio_min: f64,
    /// `min.compaction.lag.ms`: younger records are left alone.
    pub lag_min: Millis,
    /// `max.compaction.lag.ms`: older records are cleaned whatever their share.
    pub lag_max: Millis,
    /// `delete.retention.ms`: how long tombstones and markers stay after they were first cleaned.
    pub delete_retention: Millis,
}

/// What a pass would find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cleanable {
    /// So many segments from the first on may be touched.
    pub(super) segments: usize,
    /// Where the records begin that no pass has seen.
    pub(super) first_dirty: Offset,
    /// The share of bytes that no pass has seen; of what may be touched.
    pub dirty_ratio: f64,
    is_overdue: bool,
    is_worth_it: bool,
}

impl Cleanable {
    /// Looks at the closed segments, which are in order. `stable_end` is where the records end whose
    /// fate is decided.
    pub(super) fn survey(
        closed: &[Facts],
        clean_end: Offset,
        stable_end: Offset,
        rules: &CleanRules,
        now: Timestamp,
    ) -> Self {
        let is_young = |latest: Option<Timestamp>| {
            0 < rules.lag_min.0
                && latest.is_some_and(|latest| age(latest, now) < i128::from(rules.lag_min.0))
        };
        let is_touchable = |facts: &&Facts| {
            let is_clean = facts.end <= clean_end;
            facts.end <= stable_end && (is_clean || !is_young(facts.latest_timestamp))
        };
        let segments = closed.iter().take_while(is_touchable).count();
        let touchable = closed.split_at(segments).0;
        let first_base = touchable.first().map_or(clean_end, |first| first.base);
        let first_dirty = clean_end.max(first_base);
        let is_dirty = |facts: &&Facts| first_dirty < facts.end;
        let bytes = |facts: &Facts| facts.len;
        let all: u64 = touchable.iter().map(bytes).sum();
        let dirty: u64 = touchable.iter().filter(is_dirty).map(bytes).sum();
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let dirty_ratio = if all == 0 { 0.0 } else { dirty as f64 / all as f64 };
        let is_overdue = touchable
            .iter()
            .filter(is_dirty)
            .filter_map(|facts| facts.first_timestamp.filter(|first| 0 < first.0))
            .any(|first| i128::from(rules.lag_max.0) < age(first, now));
        let is_worth_it = 0 < dirty && (is_overdue || rules.dirty_ratio_min < dirty_ratio);
        Self { segments, first_dirty, dirty_ratio, is_overdue, is_worth_it }
    }

    pub fn is_due(&self) -> bool {
        self.is_worth_it
    }

    /// Whether this log is cleaned before `other`.
    pub fn is_before(&self, other: &Self) -> bool {
        (self.is_overdue, self.dirty_ratio) > (other.is_overdue, other.dirty_ratio)
    }
}

fn age(at: Timestamp, now: Timestamp) -> i128 {
    i128::from(now.0) - i128::from(at.0)
}

/// How large a segment and its indexes may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) segment_bytes: u64,
    pub(super) index_bytes_max: u64,
    pub(super) index_interval_bytes: u64,
}

impl Sizes {
    /// No index of a segment of `len` bytes is larger: an entry of either kind has 12 bytes at most.
    fn index_bytes(&self, len: u64) -> u64 {
        const BATCH_BYTES_MIN: u64 = 61;
        len / self.index_interval_bytes.max(BATCH_BYTES_MIN) * 12
    }
}

/// Neighbours that together fit into one segment, even if nothing of them goes.
pub(super) fn group(segments: &[Facts], sizes: &Sizes) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let (mut len, mut first) = (0_u64, Offset::ZERO);
    for (number, facts) in segments.iter().enumerate() {
        let together = len.saturating_add(facts.len);
        let span = first.distance_to(facts.end);
        let fits = together <= sizes.segment_bytes
            && sizes.index_bytes(together) <= sizes.index_bytes_max
            && span <= u64::from(i32::MAX.unsigned_abs());
        match groups.last_mut() {
            Some(group) if fits => {
                group.end = number.strict_add(1);
                len = together;
            }
            Some(_) | None => {
                groups.push(number..number.strict_add(1));
                (len, first) = (facts.len, facts.base);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn rules() -> CleanRules {
        CleanRules {
            dirty_ratio_min: 0.5,
            lag_min: Millis(0),
            lag_max: Millis(u64::MAX),
            delete_retention: Millis(0),
        }
    }

    /// Segments of ten offsets and a hundred bytes; one begins every ten seconds.
    fn segments(count: u64) -> Vec<Facts> {
        (0..count)
            .map(|number| Facts {
                base: offset(number * 10),
                end: offset(number * 10 + 10),
                len: 100,
                first_timestamp: Some(Timestamp(900_000 + i64::try_from(number).unwrap() * 10_000)),
                latest_timestamp: Some(Timestamp(
                    909_999 + i64::try_from(number).unwrap() * 10_000,
                )),
            })
            .collect()
    }

    fn survey(clean_end: u64, stable_end: u64, rules: &CleanRules) -> Cleanable {
        Cleanable::survey(&segments(4), offset(clean_end), offset(stable_end), rules, NOW)
    }

    #[test]
    fn a_log_is_due_when_more_of_it_is_new_than_the_ratio() {
        assert!(survey(0, 40, &rules()).is_due());
        assert!(survey(10, 40, &rules()).is_due());
        let half = survey(20, 40, &rules());
        assert!((half.dirty_ratio - 0.5).abs() < 1e-9);
        assert!(!half.is_due(), "more, not as much");
        let eager = CleanRules { dirty_ratio_min: 0.0, ..rules() };
        assert!(survey(30, 40, &eager).is_due());
        assert!(!survey(40, 40, &eager).is_due(), "nothing is new");
    }

    #[test]
    fn what_is_not_decided_is_not_touched() {
        let found = survey(0, 29, &rules());
        assert_eq!((found.segments, found.first_dirty), (2, offset(0)));
        assert_eq!(survey(0, 9, &rules()).segments, 0);
        assert!(!survey(0, 9, &rules()).is_due());
    }

    #[test]
    fn young_records_wait_and_what_was_cleaned_does_not_get_young() {
        let patient = CleanRules { lag_min: Millis(75_000), ..rules() };
        assert_eq!(survey(0, 40, &patient).segments, 2);
        assert_eq!(survey(30, 40, &patient).segments, 3);
    }

    #[test]
    fn old_records_do_not_wait_for_the_ratio() {
        let strict = CleanRules { lag_max: Millis(75_000), dirty_ratio_min: 1.0, ..rules() };
        assert!(survey(20, 40, &strict).is_due());
        assert!(!survey(30, 40, &strict).is_due(), "70 seconds are not too many");
        assert!(survey(20, 40, &strict).is_before(&survey(0, 40, &rules())));
    }

    #[test]
    fn a_log_that_lost_its_front_is_dirty_from_its_first_segment() {
        let rest = segments(4).split_off(2);
        let found = Cleanable::survey(&rest, offset(3), offset(40), &rules(), NOW);
        assert_eq!(found.first_dirty, offset(20));
    }

    #[test]
    fn neighbours_that_fit_into_one_segment_become_one() {
        let sizes = |segment_bytes, index_bytes_max| Sizes {
            segment_bytes,
            index_bytes_max,
            index_interval_bytes: 100,
        };
        let of = |sizes| group(&segments(5), &sizes);
        assert_eq!(of(sizes(250, 1000)), [0..2, 2..4, 4..5]);
        assert_eq!(of(sizes(10, 1000)).len(), 5, "a large one stays alone");
        assert_eq!(of(sizes(10_000, 36)), [0..3, 3..5]);
        let mut far = segments(3);
        far[1].end = offset(1 << 31);
        far[2] = Facts { base: offset(1 << 31), end: offset((1 << 31) + 10), ..far[2] };
        assert_eq!(group(&far, &sizes(10_000, 1000)), [0..1, 1..2, 2..3]);
    }
}
