//! The boundary with a real guest behind it.
//!
//! - [`support`]: the guest, and a bench to run it on
//! - [`calls`]: what a well-behaved guest sees and does
//! - [`passes`]: records that pass as they came, absent values, headers, shortened lists
//! - [`seam`]: a component driven without the engine's tasks
//! - [`broadcast`]: broadcast state, read and changed
//! - [`faults`]: each way to misbehave, with `on-failure = "fail"`
//! - [`quarantine`]: the same, with the poison set aside
//! - [`state`]: how much it may keep, and what it counts
//! - [`lifetimes`]: what it is given of states with a time to live, and what it says that it has read
//! - [`timers`]: what it is given when they are due, and what it sets
//! - [`windows`]: what a windowed operator is given and may do, and what becomes of a window that it fails on
//! - [`assigned`]: records that the engine has put into windows, several or none for each
//! - [`subtask`]: a windowed operator in a subtask of the engine's
//! - [`merging`]: values of windows that become one
//! - [`logs`]: what it logs, and how much of that
//! - [`loading`]: files that are plugins and files that are not

mod assigned;
mod broadcast;
mod calls;
mod faults;
mod lifetimes;
mod loading;
mod logs;
mod merging;
mod passes;
mod quarantine;
mod seam;
mod state;
mod subtask;
mod support;
mod timers;
mod windows;
