//! The tests of the whole. What is where:
//!
//! - `architecture`: the order of the rooms of the engine.
//! - `sandbox`: what a guest can do wrong is contained: `faults` names it all, `contained` fails the job over it, `poison` sets records aside.
//! - `simulation`: jobs on one seeded thread under injected faults, compared with their input.

mod architecture;
mod sandbox;
mod simulation;
