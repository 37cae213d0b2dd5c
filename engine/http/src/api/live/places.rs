//! How many streams there are: of each principal, and in all.

use std::{collections::HashMap, sync::Arc};

use axum::http::StatusCode;
use parking_lot::Mutex;

use crate::problem::Problem;

/// Streams of one token or person.
const STREAMS_PER_PRINCIPAL_MAX: usize = 64;
/// Streams in all.
const STREAMS_MAX: usize = 1_024;
/// When to try again, in seconds.
const PATIENCE_SECONDS: u64 = 10;

/// Streams by principal.
#[derive(Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<String, usize>>>);

/// One stream's place, until it is dropped.
pub(super) struct Place {
    places: Arc<Mutex<HashMap<String, usize>>>,
    name: String,
}

impl Places {
    /// Streams that are open now.
    pub(crate) fn taken(&self) -> usize {
        self.0.lock().values().sum()
    }

    /// A place for one more stream.
    pub(super) fn take(&self, name: &str) -> Result<Place, Problem> {
        let mut taken = self.0.lock();
        let (own, all) = (taken.get(name).copied().unwrap_or_default(), taken.values().sum::<usize>());
        let limit = match (own >= STREAMS_PER_PRINCIPAL_MAX, all >= STREAMS_MAX) {
            (true, _) => format!("there are {STREAMS_PER_PRINCIPAL_MAX} live streams of this token or person already"),
            (_, true) => format!("there are {STREAMS_MAX} live streams already"),
            _ => {
                *taken.entry(name.to_owned()).or_default() += 1;
                return Ok(Place { places: Arc::clone(&self.0), name: name.to_owned() });
            }
        };
        Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", limit)
            .help("Close streams that nobody reads, or ask for several kinds and stores with one.")
            .retry_after(PATIENCE_SECONDS))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(count) = taken.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_share_and_places_are_given_back() {
        let places = Places::default();
        let mut held: Vec<Place> = (0..STREAMS_PER_PRINCIPAL_MAX).map(|_| places.take("a").expect("room")).collect();
        let refused = places.take("a").err().expect("too many");
        assert_eq!((refused.status.as_u16(), refused.code), (429, "too_many_streams"));
        assert!(places.take("b").is_ok(), "others go on");
        assert_eq!(places.taken(), STREAMS_PER_PRINCIPAL_MAX);
        held.pop();
        assert!(places.take("a").is_ok());
    }

    #[test]
    fn there_is_a_limit_for_all_together() {
        let places = Places::default();
        let held: Vec<Place> = (0..STREAMS_MAX)
            .map(|number| places.take(&format!("p{}", number / STREAMS_PER_PRINCIPAL_MAX)).expect("room"))
            .collect();
        assert_eq!(places.take("new").err().expect("too many").code, "too_many_streams");
        drop(held);
        assert!(places.0.lock().is_empty(), "nobody is remembered for nothing");
    }
}
