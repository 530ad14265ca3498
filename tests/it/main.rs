//! The tests of the whole. What is where:
//!
//! - `architecture`: the order of the rooms of the engine.
//! - `simulation`: jobs on one seeded thread under injected faults, compared with their input.

mod architecture;
mod simulation;
