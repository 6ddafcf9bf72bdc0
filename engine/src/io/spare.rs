//! What many hold and each can do without, such as durable records that are kept for readers. It has one
//! bound for a core: without it each of very many holders would keep what is right for one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::{Rc, Weak};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpareKind {
    /// Bytes in memory that could be read from the disk.
    Memory,
    /// Files that are open for writing.
    Writers,
}

pub trait LetGo {
    /// Gives up what was said to be held, or soon will. Must not call [`Spare`] before it returns.
    fn let_go(self: Rc<Self>, kind: SpareKind);
}

/// Who holds how much of one kind on one core. Who has gone longest without saying so lets go first.
pub struct Spare {
    kind: SpareKind,
    max: u64,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    next_use: u64,
    /// The sum over `holders`.
    held: u64,
    holders: BTreeMap<u64, Holder>,
}

struct Holder {
    holder: Weak<dyn LetGo>,
    amount: u64,
}

/// A holder's own place, which may have been given up since.
#[derive(Debug, Default)]
pub struct SparePlace(Cell<Option<u64>>);

impl Spare {
    pub(super) fn new(kind: SpareKind, max: u64) -> Self {
        Self { kind, max, state: RefCell::default() }
    }

    pub fn held(&self) -> u64 {
        self.state.borrow().held
    }

    /// `holder` holds so much now. Makes others let go if that is too much for all; never
    /// `holder` itself, which knows its own bound.
    pub fn note(&self, place: &SparePlace, holder: Weak<dyn LetGo>, amount: u64) {
        self.forget(place);
        if amount == 0 {
            return;
        }
        {
            let mut state = self.state.borrow_mut();
            let used = state.next_use;
            state.next_use = used.strict_add(1);
            state.held = state.held.strict_add(amount);
            state.holders.insert(used, Holder { holder, amount });
            place.0.set(Some(used));
        }
        while let Some(oldest) = self.oldest_beyond() {
            if let Some(holder) = oldest.upgrade() {
                holder.let_go(self.kind);
            }
        }
    }

    /// Nothing is held there any more.
    pub fn forget(&self, place: &SparePlace) {
        let mut state = self.state.borrow_mut();
        if let Some(holder) = place.0.take().and_then(|used| state.holders.remove(&used)) {
            state.held = state.held.strict_sub(holder.amount);
        }
    }

    /// Who has to let go next; it counts as holding nothing from now on.
    fn oldest_beyond(&self) -> Option<Weak<dyn LetGo>> {
        let mut state = self.state.borrow_mut();
        if state.held <= self.max || state.holders.len() < 2 {
            return None;
        }
        let (_, oldest) = state.holders.pop_first()?;
        state.held = state.held.strict_sub(oldest.amount);
        Some(oldest.holder)
    }
}

impl fmt::Debug for Spare {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Spare")
            .field("kind", &self.kind)
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Holding {
        place: SparePlace,
        has_let_go: Cell<bool>,
    }

    impl LetGo for Holding {
        fn let_go(self: Rc<Self>, kind: SpareKind) {
            assert_eq!(kind, SpareKind::Memory);
            self.has_let_go.set(true);
        }
    }

    fn note(memory: &Spare, holder: &Rc<Holding>, bytes: u64) {
        let weak: Weak<Holding> = Rc::downgrade(holder);
        memory.note(&holder.place, weak, bytes);
    }

    fn holders<const N: usize>() -> [Rc<Holding>; N] {
        std::array::from_fn(|_| Rc::default())
    }

    #[test]
    fn who_has_been_silent_longest_lets_go_first() {
        let memory = Spare::new(SpareKind::Memory, 100);
        let [one, two, three] = holders();
        note(&memory, &one, 40);
        note(&memory, &two, 40);
        note(&memory, &one, 50);
        note(&memory, &three, 30);
        let let_go = [&one, &two, &three].map(|holder| holder.has_let_go.get());
        assert_eq!((let_go, memory.held()), ([false, true, false], 80));
    }

    #[test]
    fn who_holds_more_than_all_may_is_left_alone() {
        let memory = Spare::new(SpareKind::Memory, 100);
        let [one, two] = holders();
        note(&memory, &one, 40);
        note(&memory, &two, 200);
        assert!(one.has_let_go.get() && !two.has_let_go.get());
    }

    #[test]
    fn a_holder_that_has_let_go_or_is_gone_counts_no_more() {
        let memory = Spare::new(SpareKind::Memory, 100);
        let [one, two, three] = holders();
        note(&memory, &one, 60);
        note(&memory, &two, 60);
        assert_eq!(memory.held(), 60);
        note(&memory, &one, 10);
        assert_eq!(memory.held(), 70);
        drop(two);
        note(&memory, &three, 60);
        assert_eq!(memory.held(), 70, "the one that is gone made room");
        memory.forget(&one.place);
        memory.forget(&one.place);
        note(&memory, &three, 0);
        assert_eq!(memory.held(), 0);
    }
}
