//! Whatever a guest does, it is contained: it fails with the right error or is set aside, and has no effect.

mod answers;
mod catalogue;
mod chance;
mod contained;
mod faults;
mod jobs;
mod limits;
mod mirrors;
mod neighbour;
mod ongoing;
mod poison;
mod waiting;
mod waiting_jobs;
