//! Has a running job leave its checkpoints where they are for as long as a command reads them.
//!
//! The job gives a lease, which is renewed until it is dropped, and ends by itself where this process is killed. A job that cannot be asked (it runs elsewhere,
//! or serves no API) deletes what it replaces: whoever reads then has to begin anew.

use crate::api::HoldRequest;
use crate::client::{JobClient, PATIENCE};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use weir_engine::element::CheckpointId;
use weir_engine::job::LEASE;

/// Checkpoints that stay where they are until this is dropped.
#[derive(Default)]
pub(crate) struct Held(Vec<Lease>);

struct Lease {
    end: Option<Sender<()>>,
    renewed: Option<JoinHandle<()>>,
}

impl Held {
    /// Holds `checkpoints` of the job whose objects lie at the absolute URL `storage`, where it runs and can be asked; and those among them that are not to be had,
    /// because the job is deleting them.
    pub fn of(storage: &str, checkpoints: &BTreeSet<CheckpointId>) -> (Self, BTreeSet<CheckpointId>) {
        let (mut held, mut refused) = (Self::default(), BTreeSet::new());
        // More than one where a job is being taken over.
        for client in JobClient::at(storage, PATIENCE) {
            let request = HoldRequest { checkpoints: checkpoints.iter().map(|id| id.0).collect() };
            let Ok(lease) = client.post("/v1/holds", &json!(request)) else { continue };
            let (Some(id), Some(given)) = (lease["hold"].as_u64(), lease["checkpoints"].as_array()) else { continue };
            held.0.push(Lease::begin(client, id));
            let given: BTreeSet<_> = given.iter().filter_map(|id| id.as_u64().map(CheckpointId)).collect();
            refused.extend(checkpoints.difference(&given));
        }
        (held, refused)
    }
}

impl Lease {
    fn begin(client: JobClient, id: u64) -> Self {
        let (end, ended) = mpsc::channel::<()>();
        #[expect(clippy::disallowed_methods, reason = "a command is not simulated: it waits for a process that runs in real time")]
        let renewed = thread::spawn(move || {
            let path = format!("/v1/holds/{id}");
            while ended.recv_timeout(LEASE / 3) == Err(RecvTimeoutError::Timeout) {
                // Once it cannot be renewed, it is the reading that shows whether that matters.
                if client.post(&path, &json!({})).is_err() {
                    return;
                }
            }
            _ = client.delete(&path);
        });
        Self { end: Some(end), renewed: Some(renewed) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(renewed) = self.renewed.take() {
            _ = renewed.join();
        }
    }
}
