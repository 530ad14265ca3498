//! What the tests of the whole share: the parts of simulated jobs.

pub mod simulation;
