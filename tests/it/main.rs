//! The one integration binary. First what holds the repository's shape, then what drives the real `cartwright`.

mod arrows;
mod dependencies;
mod files;

mod straight_path;
mod telemetry;
mod hooks;
mod recorded;
mod rehearsing;
mod conformance;
mod bad_input;
mod export;
mod failing;
mod operating;
mod anew;
mod bulk;
mod waiting;
mod steps;
mod resent;
mod secrets;
mod leaks;
mod vault;
mod backup;
mod commands;
mod usage;
mod demo;
mod access;
mod live;
mod crash;
mod killed;
mod store_crash;
mod store_test;
mod journals;
mod store_journals;
mod hostile;
mod hostile_webhooks;
