//! Tasks of one simulated core. Which ready task runs next is chance, because a program must be
//! right for every order; time passes only when nothing is ready.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::io::sim::random::Random;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// More polls than any scenario needs: a task that wakes itself for ever is found.
const POLLS_MAX: u64 = 20_000_000;

pub(super) struct Executor {
    now: Cell<Duration>,
    next_task: Cell<u64>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    ready: Arc<Mutex<Vec<u64>>>,
    timers: RefCell<BTreeMap<(Duration, u64), Waker>>,
    next_timer: Cell<u64>,
    random: RefCell<Random>,
    stopped: Cell<bool>,
}

struct TaskWaker {
    task: u64,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap();
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
    }
}

impl Executor {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: Cell::default(),
            next_task: Cell::default(),
            tasks: RefCell::default(),
            ready: Arc::default(),
            timers: RefCell::default(),
            next_timer: Cell::default(),
            random: RefCell::new(Random::new(seed)),
            stopped: Cell::new(false),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.now.get()
    }

    pub(super) fn spawn(&self, task: Task) {
        if self.stopped.get() {
            return;
        }
        let id = self.next_task.get();
        self.next_task.set(id + 1);
        self.tasks.borrow_mut().insert(id, task);
        // The runtime runs a new task at once, inside of the one that starts it; another might not.
        if self.random.borrow_mut().coin() {
            self.poll(id);
        } else {
            self.ready.lock().unwrap().push(id);
        }
    }

    /// Nothing runs any more from now on.
    pub(super) fn stop(&self) {
        self.stopped.set(true);
    }

    /// Nothing will run any more, and what was still to run is gone.
    pub(super) fn end(&self) {
        self.stop();
        self.abandon();
    }

    pub(super) fn run<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> Option<T> {
        let result: Rc<RefCell<Option<T>>> = Rc::default();
        let slot = result.clone();
        self.spawn(Box::pin(async move {
            let value = main.await;
            *slot.borrow_mut() = Some(value);
        }));
        for _ in 0..POLLS_MAX {
            if self.stopped.get() {
                self.abandon();
                return None;
            }
            if let Some(value) = result.borrow_mut().take() {
                return Some(value);
            }
            self.step();
        }
        panic!("the simulation does not end");
    }

    /// A dying process runs no destructors of its tasks; here they run, but can do nothing.
    fn abandon(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
        self.timers.borrow_mut().clear();
    }

    fn step(&self) {
        let chosen = {
            let mut ready = self.ready.lock().unwrap();
            if ready.is_empty() {
                None
            } else {
                let bound = u64::try_from(ready.len()).unwrap();
                let place = usize::try_from(self.random.borrow_mut().below(bound)).unwrap();
                Some(ready.swap_remove(place))
            }
        };
        match chosen {
            Some(id) => self.poll(id),
            None => self.pass_time(),
        }
    }

    fn poll(&self, id: u64) {
        let Some(mut task) = self.tasks.borrow_mut().remove(&id) else { return };
        let waker = Waker::from(Arc::new(TaskWaker { task: id, ready: self.ready.clone() }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut().insert(id, task);
        }
    }

    fn pass_time(&self) {
        let first = self.timers.borrow_mut().pop_first();
        let Some(((at, _), waker)) = first else {
            panic!("every task waits for something that nobody will do");
        };
        self.now.set(at);
        waker.wake();
    }

    pub(super) async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|context| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    pub(super) async fn sleep(&self, duration: Duration) {
        let at = self.now.get() + duration;
        // One timer, however often the task is woken for something else.
        let id = self.next_timer.get();
        self.next_timer.set(id + 1);
        poll_fn(|context| {
            if at <= self.now.get() {
                return Poll::Ready(());
            }
            self.timers.borrow_mut().insert((at, id), context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
