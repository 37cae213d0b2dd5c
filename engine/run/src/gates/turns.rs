//! Turns at gates: who comes first goes first. Events of one workflow line up as the dispatcher takes them, then at the
//! gates of their keys, so that a gate sees them in order and its commits do not fight.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed},
};

use parking_lot::Mutex;
use tokio::sync::watch;

/// Who is last in each line.
#[derive(Default)]
pub(crate) struct Turns {
    last: Mutex<HashMap<String, (u64, watch::Receiver<()>)>>,
    next: AtomicU64,
}

/// A place in some lines. Dropping it lets the next ones go.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    number: u64,
    keys: Vec<String>,
    before: Vec<watch::Receiver<()>>,
    _done: watch::Sender<()>,
}

impl Turns {
    /// Takes the last place in all these lines at once, so that no two wait for each other.
    pub(crate) fn take(self: &Arc<Self>, keys: Vec<String>) -> Turn {
        let (done, waits) = watch::channel(());
        let number = self.next.fetch_add(1, Relaxed);
        let mut last = self.last.lock();
        let mut before = Vec::new();
        for key in &keys {
            match last.insert(key.clone(), (number, waits.clone())) {
                Some((other, waits)) if other != number => before.push(waits),
                _ => {}
            }
        }
        drop(last);
        Turn { turns: Arc::clone(self), number, keys, before, _done: done }
    }
}

impl Turn {
    /// Waits until all before it are gone.
    pub(crate) async fn comes(&mut self) {
        for mut waits in std::mem::take(&mut self.before) {
            // Nothing is ever sent: it ends when the one before is dropped.
            while waits.changed().await.is_ok() {}
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut last = self.turns.last.lock();
        for key in &self.keys {
            if last.get(key).is_some_and(|(number, _)| *number == self.number) {
                last.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[tokio::test]
    async fn who_comes_first_goes_first_and_nothing_is_left_behind() {
        let turns = Arc::new(Turns::default());
        let order = Arc::new(Mutex::new(Vec::new()));
        let lines: [&[&str]; 5] = [&["a", "b"], &["b"], &["c"], &["b", "a"], &["a", "a"]];
        let tasks: Vec<_> = (0..lines.len())
            .map(|number| {
                let mut turn = turns.take(keys(lines[number]));
                let order = Arc::clone(&order);
                async move {
                    turn.comes().await;
                    order.lock().push(number);
                    tokio::task::yield_now().await;
                }
            })
            .collect();
        // Polled in the wrong order.
        futures_util::future::join_all(tasks.into_iter().rev()).await;
        let order = order.lock().clone();
        let place = |number| order.iter().position(|other| *other == number).expect("all went");
        assert!(place(0) < place(1) && place(1) < place(3) && place(3) < place(4), "{order:?}");
        assert!(turns.last.lock().is_empty());
    }
}
