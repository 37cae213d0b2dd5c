//! A run: its journal ([`entry`]), the state folded from it ([`state`]), the one transition function ([`apply`]) and
//! what comes next ([`decide`]).

pub mod answer;
pub mod apply;
pub mod approval;
mod attempt;
pub mod child;
pub mod decide;
pub mod entry;
pub mod iteration;
mod person;
pub mod stage;
pub mod state;
pub mod undo;
pub mod doubt;
pub mod steps;
pub mod unanswered;
pub mod writes;
pub mod row;
