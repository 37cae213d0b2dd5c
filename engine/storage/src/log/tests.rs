//! Crashes and failing disks. Random operations go to the log and to storage in memory; whatever happens to the log,
//! what is read back must be what the model had after the acknowledged operations, or an error that says so.

mod crash;
mod disk;
mod model;
