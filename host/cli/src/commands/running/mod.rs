//! Commands that speak to a running job.

mod checkpoint;
mod rescale;
mod status;
mod stop;
mod upgrade;

pub(super) use checkpoint::{create_savepoint, trigger};
pub(super) use rescale::rescale;
pub(super) use status::{jobs, status};
pub(super) use stop::{cancel, stop};
pub(super) use upgrade::upgrade;

use serde_json::Value;

fn text_of<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or("?")
}

fn checkpoint_text(document: &Value) -> String {
    document["checkpoint"].as_u64().map_or("without a checkpoint".to_owned(), |id| format!("checkpoint {id}"))
}
