//! Who gets a slot, who waits, who is turned away. Pure.

use super::{Head, Place, Position};
use crate::{id::RunId, workflow::OnLimit};

/// What a run asks for, by the version it is pinned to.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its place in the queue: taken when it has to wait, and its turn when it waits already.
    pub place: Place,
    /// How many may hold a slot at once.
    pub limit: u32,
    /// What to do when there is none.
    pub on_limit: OnLimit,
    /// How many may wait.
    pub queue_max: Option<u32>,
    /// It was admitted before (it waited, or a person retried it): it waits for its turn whatever `on_limit` says.
    pub again: bool,
}

/// The first of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Its place.
    pub place: Place,
    /// Which run.
    pub run: RunId,
    /// How many may hold a slot at once, as that run's version says.
    pub limit: u32,
}

/// What comes of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The slot is the run's.
    Taken,
    /// It waits at its place.
    Queued,
    /// It is turned away.
    Refused(Refusal),
}

/// Why a run is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `on_limit: skip`
    Skipped,
    /// `on_limit: fail`
    Full,
    /// `queue_max` wait already.
    QueueFull,
}

/// Answers a run that is at `now` in its group (never [`Position::Held`]). A free slot goes to the first in line: a run
/// gets it when nobody stands in front of it.
pub fn ask(head: &Head, first: Option<&First>, now: Position<'_>, ask: &Ask) -> Answer {
    let has_room = head.held < ask.limit;
    if has_room && first.is_none_or(|first| ask.place <= first.place) {
        return Answer::Taken;
    }
    if ask.again || matches!(now, Position::Queued(_)) {
        return Answer::Queued;
    }
    match ask.on_limit {
        OnLimit::Skip => Answer::Refused(Refusal::Skipped),
        OnLimit::Fail => Answer::Refused(Refusal::Full),
        OnLimit::Queue if ask.queue_max.is_some_and(|max| head.waiting >= u64::from(max)) => {
            Answer::Refused(Refusal::QueueFull)
        }
        OnLimit::Queue | OnLimit::Replace => Answer::Queued,
    }
}

/// Who can have a slot now and must be told. One at a time: whoever takes a slot tells the next.
pub fn next_to_wake<'a>(head: &Head, first: Option<&'a First>) -> Option<&'a RunId> {
    first.filter(|first| head.held < first.limit).map(|first| &first.run)
}
