//! Deadlines by what they are for. Setting one again moves it: a heartbeat must not leave the
//! earlier deadline behind to expire a living member.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::types::Millis;

/// `T` says what a deadline is for.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    deadlines: HashMap<T, Millis>,
    order: BTreeSet<(Millis, T)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { deadlines: HashMap::new(), order: BTreeSet::new() }
    }
}

impl<T: Clone + Ord + Hash> Timers<T> {
    pub(crate) fn set(&mut self, timer: T, deadline: Millis) {
        if let Some(before) = self.deadlines.insert(timer.clone(), deadline) {
            self.order.remove(&(before, timer.clone()));
        }
        self.order.insert((deadline, timer));
    }

    pub(crate) fn cancel(&mut self, timer: &T) {
        if let Some(deadline) = self.deadlines.remove(timer) {
            self.order.remove(&(deadline, timer.clone()));
        }
    }

    pub(crate) fn is_set(&self, timer: &T) -> bool {
        self.deadlines.contains_key(timer)
    }

    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the earliest deadline that is not after `now`.
    pub(crate) fn take_due(&mut self, now: Millis) -> Option<T> {
        let (deadline, _) = self.order.first()?;
        if *deadline > now {
            return None;
        }
        let (_, timer) = self.order.pop_first()?;
        self.deadlines.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_was_moved_does_not_fire_at_its_old_time() {
        let mut timers = Timers::default();
        timers.set("join", Millis(10));
        timers.set("join", Millis(20));
        assert_eq!(timers.take_due(Millis(19)), None);
        assert_eq!(timers.take_due(Millis(20)), Some("join"));
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn deadlines_fire_in_the_order_of_time() {
        let mut timers = Timers::default();
        timers.set("retention", Millis(2));
        timers.set("sync", Millis(1));
        timers.cancel(&"join");
        assert_eq!(timers.take_due(Millis(5)), Some("sync"));
        assert_eq!(timers.take_due(Millis(5)), Some("retention"));
    }
}
