//! The tests of the whole. What is where:
//!
//! - `simulation`: jobs on one seeded thread under injected faults, compared with their input.

mod simulation;
