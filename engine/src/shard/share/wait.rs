//! Consumers that wait for records: for new ones, or for some that come back from others.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::select;

use crate::shard::Shard;
use crate::shard::share::ShareSeen;

impl Shard {
    /// Returns when a queue has changed since it was seen, or the time is over.
    pub async fn share_wait(self: &Rc<Self>, seen: Vec<ShareSeen>, at_most: Duration) {
        let (sender, woken) = oneshot::channel();
        let wake = Rc::new(RefCell::new(Some(sender)));
        let mut tickets = Vec::with_capacity(seen.len());
        let mut is_due = false;
        for one in seen {
            let host = self.known_queue(&one.key);
            let Some(host) = host.filter(|host| host.version() == one.version) else {
                is_due = true;
                break;
            };
            if host.partition.high_watermark().is_some_and(|end| one.end < end) {
                is_due = true;
                break;
            }
            let grown = host.partition.waiters.borrow_mut().add(one.end, Rc::clone(&wake));
            let changed = host.next_wake.get();
            host.next_wake.set(changed.strict_add(1));
            host.wakes.borrow_mut().insert(changed, Rc::clone(&wake));
            tickets.push((host, grown, changed));
        }
        if !is_due {
            let stop = self.stopping.wait();
            let sleep = self.runtime.sleep(at_most);
            futures_util::pin_mut!(stop, sleep);
            select(woken, select(sleep, stop)).await;
        }
        for (host, grown, changed) in tickets {
            host.partition.waiters.borrow_mut().remove(grown);
            host.wakes.borrow_mut().remove(&changed);
        }
    }
}
