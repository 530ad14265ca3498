//! Puts what counting guests emit into the lines that the native counter writes.

use super::operators::descriptor;
use std::sync::Arc;
use weir_engine::element::RecordBatch;
use weir_engine::operator::{OperatorDescriptor, Subtask};
use weir_engine::{BatchBuilder, EngineError, Operator, OperatorContext, OperatorFactory};

/// `key count` for a count and a sum in 16 bytes, and for `value#count`.
pub struct LinesFactory {
    descriptor: OperatorDescriptor,
}

impl LinesFactory {
    /// A factory.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { descriptor: descriptor("lines", Vec::new()) })
    }
}

impl OperatorFactory for LinesFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Lines))
    }
}

struct Lines;

impl Operator for Lines {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let mut out = BatchBuilder::new();
        for record in 0..batch.len() {
            let line = format!("{} {}", String::from_utf8_lossy(batch.keys().get(record)), count(batch.values().get(record)));
            out.push(batch.key(record), line.as_bytes(), None);
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

fn count(value: &[u8]) -> u64 {
    if let (16, Some(count)) = (value.len(), value.first_chunk::<8>()) {
        return u64::from_le_bytes(*count);
    }
    let text = std::str::from_utf8(value).expect("text");
    text.rsplit_once('#').expect("a sign in front of the count").1.parse().expect("a number")
}
