//! What the tests of the whole share: the parts of simulated jobs, and the real binary with what it reads and leaves behind.

pub mod process;
pub mod simulation;
