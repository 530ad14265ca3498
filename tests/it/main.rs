//! The tests of the whole. What is where:
//!
//! - `architecture`: the order of the rooms and of the crates.
//! - `house`: how the project is written: comments, the length of files and of the front page.
//! - `book`: every page is in the book, links lead somewhere, and commands are run or say why not; `command_page`: the page of all commands is what `--help` prints.
//! - `responsiveness`: checkpoints expire on time while every data thread is inside a guest that spins.
//! - `sandbox`: what a guest can do wrong is contained: `faults` names it all, `contained` fails over it, `poison` sets records aside,
//!   `jobs` does both in whole jobs; `limits` holds each limit's name and count, `answers` what a guest answers byte by byte, `waiting` and `waiting_jobs` traps that
//!   wait, `catalogue` every way to misbehave wherever a guest is entered and `ongoing` what goes on, both beside a healthy job (`neighbour`).
//! - `simulation`: jobs on one seeded thread under injected faults, compared with their input.
//! - `outbox`: the same for sinks with an outbox, and what the user has to decide there.
//! - `corruption`: every byte of a checkpoint changed, every object cut off.
//! - `stores`: what every store promises; stores that cannot be used; the real binary on S3.
//!
//! The real binary, from outside (`weir_tests::process`):
//!
//! - `languages`: plugins in every language do the same; `language_jobs`: the examples in each as they stand; `own_ways`: what a language prints and throws;
//!   `packaged`: the SDKs as they are packaged; `native_packages`: which packages are refused.
//! - `pages`: pages of the book, gone through step by step.
//! - `kills`: SIGKILL at random moments, and what is committed in the end.
//! - `crash_points`: SIGKILL at named points of the protocol.
//! - `sequences`: random sequences of all that can happen to a job, and what is committed in the end.
//! - `standard_output`: what every command does where it cannot say what it has to say.
//! - `state`: what `weir state` shows of typed state.
//! - `stops`: Ctrl-C and SIGTERM.
//! - `limits`: what whoever speaks to a running job can cost it.
//! - `running`: what a running job can be asked for, rescales and upgrades among it.
//! - `overruled`: what was changed while a job ran is over where the job file is changed there.
//! - `secrets`: what stands for a variable or a file in a job file is nowhere to be seen.
//! - `told`: what is said of a running job's changes, and that what a refusal advises works.
//! - `asked`: the state of a key, what was set aside, and whether a component would fit, asked of a running job.
//! - `backpressure`: what `unaligned` does behind a slow sink.
//! - `savepoints`: format 1 of a savepoint, and runs from one without the job's files.
//! - `hostile`: plugins that mean harm, at every command that reads one.
//! - `registries`: plugins in a registry, and jobs that name them there; `bad_registries` and `bad_pushes`: registries that mean harm, `registry_credentials`: those that ask for a password.
//! - `takeover`: several processes on one job.
//! - `lost_log`: a log that is gone, or has lost its newest entries.
//! - `moved`: projects that are moved or copied between two runs.
//! - `changes`: job files and inputs that are others when a job goes on.
//! - `migrations`: plugins whose new version keeps other state.
//! - `bad_rows`: input that cannot be read.
//! - `times`: the times of records, and how far event time has come over a kill.
//! - `operator_times`: watermarks that an operator makes of the times that it finds, over kills and in quiet.
//! - `quiet`: sources that go quiet, and rows from the future.
//! - `files`: the order of a file's records, and what of a folder is not read or is refused.
//! - `followed`: files that grow, and are rotated, under a job that is killed.
//! - `inputs`: operators with several inputs, and what `check` says of them.
//! - `kafka`: a broker as source and sink; `postgres`: a database as sink; `server_scripts`: the examples of both, run by their scripts.
//! - `kept_state`: what operators keep and count, and bounds on it.
//! - `lost_output`: committed files that are gone or were written to.
//! - `rerun`: what a replay gives, and how a dry run tells two plugins apart; `rerun_windows`: what fires in both.
//! - `nexmark`: the queries of the benchmark, against a reference in Python; `nexmark_clock`: the one whose windows go by the clock, by a clock that is simulated.
//! - `lifetimes`: what is kept for a time to live, over kills and in `weir state`; `lifetime_changes`: versions that keep it for another time.
//! - `timers`: timers of plugins, over kills, upgrades and quiet.
//! - `time_versions`: new versions of operators with open windows and set timers, which migrate their state or go by another time.
//! - `poison_times`: timers and windows that trap, over kills.
//! - `joins`: as-of joins and windows of two inputs, over kills; `row_joins`: the SDK's other joins.
//! - `window_kinds`: windows of every kind that speak more than once, over kills.
//! - `flights`: the example plugins with windows, against a reference in Python, over kills.
//! - `damage`: bits flipped in the storage, and objects cut off or gone.

mod architecture;
mod asked;
mod backpressure;
mod bad_pushes;
mod bad_registries;
mod bad_rows;
mod book;
mod changes;
mod command_page;
mod corruption;
mod crash_points;
mod damage;
mod dev;
mod dev_changes;
mod dev_versions;
mod files;
mod flights;
mod followed;
mod hostile;
mod house;
mod inputs;
mod joins;
mod kafka;
mod kept_state;
mod kills;
mod language_jobs;
mod languages;
mod lifetime_changes;
mod lifetimes;
mod limits;
mod lost_log;
mod lost_output;
mod migrations;
mod moved;
mod native_packages;
mod nexmark;
mod nexmark_clock;
mod operator_times;
mod ordeal;
mod outbox;
mod overruled;
mod own_ways;
mod packaged;
mod pages;
mod plugin_tests;
mod poison_times;
mod postgres;
mod projects;
mod quiet;
mod registries;
mod registry_credentials;
mod rerun;
mod rerun_windows;
mod responsiveness;
mod row_joins;
mod running;
mod sandbox;
mod savepoints;
mod secrets;
mod seen;
mod sequences;
mod server_scripts;
mod simulation;
mod standard_output;
mod state;
mod stops;
mod stores;
mod takeover;
mod time_versions;
mod timers;
mod times;
mod told;
mod window_kinds;
mod windows;
mod written;

/// The binary under test.
const WEIR: &str = env!("CARGO_BIN_EXE_weir-under-test");
/// Has plugins examined in processes that are measured.
const EXAMINER: &str = env!("CARGO_BIN_EXE_examine-plugins");
