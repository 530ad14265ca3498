//! An operator that is never run, in the place of a plugin: what a plan says of it is what it declares.

use weir_engine::operator::{Operator, OperatorDescriptor, OperatorFactory, Subtask};
use weir_engine::{EngineError, ErrorKind};

pub(super) struct Declared(pub OperatorDescriptor);

impl OperatorFactory for Declared {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _: &Subtask, _: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Err(EngineError::new(ErrorKind::Bug, "it is not run"))
    }
}
