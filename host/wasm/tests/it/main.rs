//! The boundary with a real guest behind it.
//!
//! - [`support`]: the guest, and a bench to run it on
//! - [`calls`]: what a well-behaved guest sees and does
//! - [`broadcast`]: broadcast state, read and changed
//! - [`faults`]: each way to misbehave, with `on-failure = "fail"`
//! - [`quarantine`]: the same, with the poison set aside
//! - [`state`]: how much it may keep, and what it counts
//! - [`logs`]: what it logs, and how much of that
//! - [`loading`]: files that are plugins and files that are not

mod broadcast;
mod calls;
mod faults;
mod loading;
mod logs;
mod quarantine;
mod state;
mod support;
