//! Readers that wait for one partition to grow. A reader waits on many partitions with one ticket;
//! the first that grows wakes it, and the ticket leaves the others when it is dropped.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_channel::oneshot;

use crate::types::Offset;

/// Wakes its receiver at most once, whoever comes first.
pub type Wake = Rc<RefCell<Option<oneshot::Sender<()>>>>;

#[derive(Default)]
pub struct Waiters {
    next_key: u64,
    waiting: BTreeMap<u64, (Offset, Wake)>,
}

impl Waiters {
    /// Wakes when the readable end grows beyond `seen`. The key takes the waiter out again.
    pub fn add(&mut self, seen: Offset, wake: Wake) -> u64 {
        let key = self.next_key;
        self.next_key = self.next_key.strict_add(1);
        self.waiting.insert(key, (seen, wake));
        key
    }

    pub fn remove(&mut self, key: u64) {
        self.waiting.remove(&key);
    }

    /// Wakes those who have seen less than `end`.
    pub fn grown_to(&mut self, end: Offset) {
        self.waiting.retain(|_, (seen, wake)| {
            let stays = end <= *seen;
            if !stays {
                fire(wake);
            }
            stays
        });
    }

    /// Wakes everybody: the partition is leaving, or its leader changes.
    pub fn wake_all(&mut self) {
        for (_, wake) in std::mem::take(&mut self.waiting).into_values() {
            fire(&wake);
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn fire(wake: &Wake) {
    if let Some(sender) = wake.borrow_mut().take() {
        // A reader that has gone needs no waking.
        sender.send(()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake() -> (Wake, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Rc::new(RefCell::new(Some(sender))), receiver)
    }

    #[test]
    fn a_reader_wakes_only_when_the_end_passes_what_it_has_seen() {
        let mut waiters = Waiters::default();
        let (wake, mut woken) = wake();
        let five = Offset::new(5).unwrap();
        waiters.add(five, wake);
        waiters.grown_to(five);
        assert_eq!(woken.try_recv(), Ok(None));
        waiters.grown_to(five.advance(1));
        assert_eq!(woken.try_recv(), Ok(Some(())));
        assert!(waiters.is_empty());
    }

    #[test]
    fn one_ticket_on_two_partitions_wakes_once() {
        let (mut left, mut right) = (Waiters::default(), Waiters::default());
        let (wake, mut woken) = wake();
        left.add(Offset::ZERO, Rc::clone(&wake));
        let key = right.add(Offset::ZERO, wake);
        left.grown_to(Offset::ZERO.advance(1));
        assert_eq!(woken.try_recv(), Ok(Some(())));
        right.remove(key);
        assert!(right.is_empty());
    }
}
