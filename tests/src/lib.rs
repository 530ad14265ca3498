//! What the tests of the whole share: the parts of simulated jobs, and guests with a bench to run them on.

pub mod sandbox;
pub mod simulation;
