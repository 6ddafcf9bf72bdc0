//! Deadlines by what they are for. Setting one again moves it: a heartbeat must not leave the
//! earlier deadline behind to expire a living member.

use std::collections::{BTreeSet, HashMap};

use crate::group::{GroupId, MemberId};
use crate::types::Millis;

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A member, or one that was only told its id, has not been heard of.
    Session(GroupId, MemberId),
    /// The joining phase has lasted long enough.
    Join(GroupId),
    /// Members that joined have not asked for their assignment.
    Sync(GroupId),
    /// It is time to look for offsets past their retention.
    Retention,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: HashMap<Timer, Millis>,
    order: BTreeSet<(Millis, Timer)>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, deadline: Millis) {
        if let Some(before) = self.deadlines.insert(timer.clone(), deadline) {
            self.order.remove(&(before, timer.clone()));
        }
        self.order.insert((deadline, timer));
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(deadline) = self.deadlines.remove(timer) {
            self.order.remove(&(deadline, timer.clone()));
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the earliest deadline that is not after `now`.
    pub(crate) fn take_due(&mut self, now: Millis) -> Option<Timer> {
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
        let timer = Timer::Join(GroupId::new("g"));
        timers.set(timer.clone(), Millis(10));
        timers.set(timer.clone(), Millis(20));
        assert_eq!(timers.take_due(Millis(19)), None);
        assert_eq!(timers.take_due(Millis(20)), Some(timer));
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn deadlines_fire_in_the_order_of_time() {
        let mut timers = Timers::default();
        timers.set(Timer::Retention, Millis(2));
        timers.set(Timer::Sync(GroupId::new("g")), Millis(1));
        timers.cancel(&Timer::Join(GroupId::new("g")));
        assert_eq!(timers.take_due(Millis(5)), Some(Timer::Sync(GroupId::new("g"))));
        assert_eq!(timers.take_due(Millis(5)), Some(Timer::Retention));
    }
}
