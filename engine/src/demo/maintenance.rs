//! Now and then one store is updated: for half a minute it answers everything with WordPress's maintenance page. Work for
//! it waits and goes on by itself.

use std::time::Duration;

use cartwright_store_sim::faults::Fault;
use tokio::time::Instant;

use super::{news::Paper, shops::Store};

/// Before the first one.
const FIRST_AFTER: Duration = Duration::from_secs(15);
const LASTS: Duration = Duration::from_secs(30);
/// The page says how long it will still take, to within this.
const COUNTDOWN: Duration = Duration::from_secs(10);
/// From one's end to the next one's beginning.
const PAUSE: Duration = Duration::from_secs(120);

/// Which store is closed, or will be, and until when.
#[derive(Debug)]
pub(super) struct Maintenance {
    stores: usize,
    /// Whose turn it is.
    store: usize,
    /// What the page says, while there is one.
    left: Option<Duration>,
    due: Instant,
}

impl Maintenance {
    pub(super) fn new(stores: usize, now: Instant) -> Self {
        Self { stores, store: stores / 2, left: None, due: now + FIRST_AFTER }
    }

    /// When something changes.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The store that is closed now.
    pub(super) fn closed(&self) -> Option<usize> {
        self.left.map(|_| self.store)
    }

    /// The store that the next change closes.
    pub(super) fn next_to_close(&self) -> Option<usize> {
        self.left.is_none().then_some(self.store)
    }

    /// Closes the store, or counts down, or opens it again and turns to the next one.
    pub(super) fn turn(&mut self, stores: &[Store], paper: &Paper) {
        let Some(store) = stores.get(self.store) else { return };
        let left = self.left.map_or(LASTS, |left| left.saturating_sub(COUNTDOWN));
        store.faults.clear();
        if left.is_zero() {
            paper.print(&store.name, "store", "is back", "the maintenance is over".to_owned());
            self.store = (self.store + 1) % self.stores;
            self.left = None;
            self.due += PAUSE;
            return;
        }
        if self.left.is_none() {
            let what = format!("maintenance for {} s, its work waits", LASTS.as_secs());
            paper.print(&store.name, "store", "closes", what);
        }
        store.faults.always(Fault::Maintenance { retry_after_secs: left.as_secs() });
        self.left = Some(left);
        self.due += COUNTDOWN;
    }
}

#[cfg(test)]
mod tests {
    use cartwright_store_sim::{Request, faults::Outcome};

    use super::{super::shops::Shops, *};

    #[tokio::test]
    async fn stores_close_one_after_the_other_and_open_again() {
        let shops = Shops::open(3).await.expect("stores");
        let closed = || -> Vec<usize> {
            let is_closed = |at: &usize| {
                let target = "/wp-json/".to_owned();
                let request =
                    Request { method: "GET".into(), target, headers: Vec::new(), body: Vec::new(), https: false };
                let store = &shops.stores[*at];
                let outcome = store.faults.handle(&store.shop, request).outcome;
                matches!(outcome, Outcome::Answer(answer) if answer.status == 503)
            };
            (0..3).filter(is_closed).collect()
        };
        let (start, paper) = (Instant::now(), Paper::default());
        let mut maintenance = Maintenance::new(3, start);
        for expect in [1, 2, 0] {
            assert_eq!(maintenance.next_to_close(), Some(expect));
            for _ in 0..3 {
                maintenance.turn(&shops.stores, &paper);
                assert_eq!((closed(), maintenance.closed()), (vec![expect], Some(expect)));
            }
            maintenance.turn(&shops.stores, &paper);
            assert_eq!((closed(), maintenance.closed()), (vec![], None));
        }
        assert_eq!(maintenance.due(), start + FIRST_AFTER + 3 * (LASTS + PAUSE));
        let told: Vec<&str> = paper.take().iter().map(|news| news.does).collect();
        assert_eq!(told, ["closes", "is back", "closes", "is back", "closes", "is back"]);
    }
}
