//! How much of the disk one core's large reads take at a time. A disk serves what it was given in its
//! own order, and schedulers serve reads first: an append that comes behind many megabytes of reads waits for
//! all of them. So only so many are given to it, and few while somebody appends.

use std::cell::Cell;
use std::time::Duration;

use crate::io::event::Event;
use crate::io::runtime::Moment;
use crate::types::limits::{READS_BESIDE_APPENDS_MAX, READS_IN_FLIGHT_MAX};

/// Whoever has written so recently will write again.
const APPENDS_ARE_RECENT: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub struct DiskShare {
    /// Reads that have asked, and those of them that have ended.
    asked: Cell<u64>,
    ended: Cell<u64>,
    appended_at: Cell<Option<Moment>>,
    moved: Event,
}

/// A large read's place at the disk, until it is dropped.
#[derive(Debug)]
pub struct DiskPlace<'a> {
    share: &'a DiskShare,
}

impl Drop for DiskPlace<'_> {
    fn drop(&mut self) {
        self.share.ended.set(self.share.ended.get().strict_add(1));
        self.share.moved.notify();
    }
}

impl DiskShare {
    /// Somebody writes what others wait for.
    pub fn note_append(&self, now: Moment) {
        self.appended_at.set(Some(now));
    }

    /// Waits for a place, in the order of the first polls. To be waited for to its end: a place that was
    /// asked for is counted.
    pub async fn place(&self, now: impl Fn() -> Moment) -> DiskPlace<'_> {
        let number = self.asked.get();
        self.asked.set(number.strict_add(1));
        let place = DiskPlace { share: self };
        self.moved
            .until(|| {
                let free = self.ended.get().strict_add(self.places(now()));
                (number < free).then_some(())
            })
            .await;
        place
    }

    fn places(&self, now: Moment) -> u64 {
        let last = self.appended_at.get();
        match last.is_some_and(|last| now.since(last) < APPENDS_ARE_RECENT) {
            true => READS_BESIDE_APPENDS_MAX,
            false => READS_IN_FLIGHT_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn at(millis: u64) -> impl Fn() -> Moment {
        move || Moment(Duration::from_millis(millis))
    }

    #[test]
    fn large_reads_get_few_places_while_somebody_appends() {
        let share = DiskShare::default();
        share.note_append(Moment(Duration::from_millis(1000)));
        let mut places = Vec::new();
        while let Some(place) = share.place(at(1099)).now_or_never() {
            places.push(place);
        }
        assert_eq!(places.len() as u64, READS_BESIDE_APPENDS_MAX);
    }

    #[test]
    fn a_read_that_ends_makes_place_for_the_one_that_has_waited_longest() {
        let share = DiskShare::default();
        let mut places: Vec<_> =
            (0..READS_IN_FLIGHT_MAX).map(|_| share.place(at(0)).now_or_never().unwrap()).collect();
        let mut first = Box::pin(share.place(at(0)));
        let mut second = Box::pin(share.place(at(0)));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        places.pop();
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.as_mut().now_or_never().is_some());
    }

    #[test]
    fn a_read_that_is_given_up_while_it_waits_leaves_its_place_to_others() {
        let share = DiskShare::default();
        let places: Vec<_> =
            (0..READS_IN_FLIGHT_MAX).map(|_| share.place(at(0)).now_or_never().unwrap()).collect();
        let waiting = share.place(at(0));
        assert!(Box::pin(waiting).as_mut().now_or_never().is_none());
        drop(places);
        for _ in 0..READS_IN_FLIGHT_MAX {
            std::mem::forget(share.place(at(0)).now_or_never().unwrap());
        }
        assert!(share.place(at(0)).now_or_never().is_none());
    }
}
