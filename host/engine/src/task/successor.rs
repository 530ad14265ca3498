//! The operator of a new version, which waits to take over from the one that works.

use super::SubtaskPlace;
use crate::error::EngineError;
use crate::operator::{Operator, OperatorFactory};
use std::sync::Arc;

/// An operator that is made and opened, and takes over a subtask with its state: see `OperatorSubtask::swap`. It is on
/// probation, and what makes it comes with it, so that whoever takes its place later is of its version too.
pub struct Successor {
    pub(super) factory: Arc<dyn OperatorFactory>,
    pub(super) schemas: Vec<Option<String>>,
    pub(super) operator: Box<dyn Operator>,
}

impl Successor {
    /// The operator for `place`, which is where the subtask stands in the job of the new version. One that cannot be made or opened fails here.
    pub fn new(place: SubtaskPlace) -> Result<Self, EngineError> {
        let mut operator = place.make_operator()?;
        operator.set_probation(true);
        Ok(Self { factory: place.factory, schemas: place.schemas, operator })
    }
}
