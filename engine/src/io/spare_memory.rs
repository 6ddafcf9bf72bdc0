//! Memory that many hold and each can do without, such as durable records that are kept for readers. It
//! has one bound for a core: without it each of very many holders would keep what is right for one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Weak;

pub trait LetGo {
    /// Gives up what was said to be held. Must not call [`SpareMemory`].
    fn let_go(&self);
}

/// Who holds how much on one core. Who has gone longest without saying so lets go first.
pub struct SpareMemory {
    bytes_max: u64,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    next_use: u64,
    /// The sum over `holders`.
    bytes: u64,
    holders: BTreeMap<u64, Holder>,
}

struct Holder {
    holder: Weak<dyn LetGo>,
    bytes: u64,
}

/// A holder's own place, which may have been given up since.
#[derive(Debug, Default)]
pub struct SparePlace(Cell<Option<u64>>);

impl SpareMemory {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, state: RefCell::default() }
    }

    pub fn bytes(&self) -> u64 {
        self.state.borrow().bytes
    }

    /// `holder` holds so many bytes now. Makes others let go if that is too much for all; never
    /// `holder` itself, which knows its own bound.
    pub fn note(&self, place: &SparePlace, holder: Weak<dyn LetGo>, bytes: u64) {
        self.forget(place);
        if bytes == 0 {
            return;
        }
        {
            let mut state = self.state.borrow_mut();
            let used = state.next_use;
            state.next_use = used.strict_add(1);
            state.bytes = state.bytes.strict_add(bytes);
            state.holders.insert(used, Holder { holder, bytes });
            place.0.set(Some(used));
        }
        while let Some(oldest) = self.oldest_beyond() {
            if let Some(holder) = oldest.upgrade() {
                holder.let_go();
            }
        }
    }

    /// Nothing is held there any more.
    pub fn forget(&self, place: &SparePlace) {
        let mut state = self.state.borrow_mut();
        if let Some(holder) = place.0.take().and_then(|used| state.holders.remove(&used)) {
            state.bytes = state.bytes.strict_sub(holder.bytes);
        }
    }

    /// Who has to let go next; it counts as holding nothing from now on.
    fn oldest_beyond(&self) -> Option<Weak<dyn LetGo>> {
        let mut state = self.state.borrow_mut();
        if state.bytes <= self.bytes_max || state.holders.len() < 2 {
            return None;
        }
        let (_, oldest) = state.holders.pop_first()?;
        state.bytes = state.bytes.strict_sub(oldest.bytes);
        Some(oldest.holder)
    }
}

impl fmt::Debug for SpareMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SpareMemory").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[derive(Default)]
    struct Holding {
        place: SparePlace,
        has_let_go: Cell<bool>,
    }

    impl LetGo for Holding {
        fn let_go(&self) {
            self.has_let_go.set(true);
        }
    }

    fn note(memory: &SpareMemory, holder: &Rc<Holding>, bytes: u64) {
        let weak: Weak<Holding> = Rc::downgrade(holder);
        memory.note(&holder.place, weak, bytes);
    }

    fn holders<const N: usize>() -> [Rc<Holding>; N] {
        std::array::from_fn(|_| Rc::default())
    }

    #[test]
    fn who_has_been_silent_longest_lets_go_first() {
        let memory = SpareMemory::new(100);
        let [one, two, three] = holders();
        note(&memory, &one, 40);
        note(&memory, &two, 40);
        note(&memory, &one, 50);
        note(&memory, &three, 30);
        let let_go = [&one, &two, &three].map(|holder| holder.has_let_go.get());
        assert_eq!((let_go, memory.bytes()), ([false, true, false], 80));
    }

    #[test]
    fn who_holds_more_than_all_may_is_left_alone() {
        let memory = SpareMemory::new(100);
        let [one, two] = holders();
        note(&memory, &one, 40);
        note(&memory, &two, 200);
        assert!(one.has_let_go.get() && !two.has_let_go.get());
    }

    #[test]
    fn a_holder_that_has_let_go_or_is_gone_counts_no_more() {
        let memory = SpareMemory::new(100);
        let [one, two, three] = holders();
        note(&memory, &one, 60);
        note(&memory, &two, 60);
        assert_eq!(memory.bytes(), 60);
        note(&memory, &one, 10);
        assert_eq!(memory.bytes(), 70);
        drop(two);
        note(&memory, &three, 60);
        assert_eq!(memory.bytes(), 70, "the one that is gone made room");
        memory.forget(&one.place);
        memory.forget(&one.place);
        note(&memory, &three, 0);
        assert_eq!(memory.bytes(), 0);
    }
}
