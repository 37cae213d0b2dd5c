//! Runs without the world: the engine as it is, over storage in memory, in virtual time, with somebody who answers in the
//! world's place. Tests of workflows and replays of recorded runs are made of it.
//!
//! Read in this order: [`play()`] (a case from its start until nothing moves), [`stand_in`] (the seam at which calls are
//! answered), [`stubs`] (answers of a test file), [`scene`] (a test case becomes what [`play()`] takes), [`look`] (journals
//! become an outcome).

mod called;
mod look;
mod play;
mod recorded;
mod scene;
mod stand_in;
mod stubs;
mod time;

pub(crate) use stand_in::{http, woo};

pub use called::only_called;
pub use look::outcome;
pub use play::{Means, PlayError, Played, play};
pub use recorded::{Recording, Replayed, Unplayable, replay};
pub use scene::{BodyCheck, Happens, Refused, Scene, SceneError, scene};
pub use stand_in::{Asked, Child, Given, StandIn, Stands};
pub use stubs::{Stubs, Used};
