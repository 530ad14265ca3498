//! What the tests of the whole share: the parts of simulated jobs, guests with a bench to run them on, and the real binary with what it reads
//! and leaves behind; and plugins that mean harm.

pub mod hostile;
pub mod process;
pub mod sandbox;
pub mod simulation;
