//! What a job would take over from a checkpoint or savepoint: `weir check --from`.

use crate::figures::{bytes_text, grouped, padded};
use crate::job_file::StepPlace;
use serde::Serialize;
use weir_engine::checkpoint::{CheckpointMetadata, LeftOut, PlannedKind, PlannedRestore, StateFate, StatePlan, VertexPlan};

/// What a start from a checkpoint takes over.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreDocument {
    /// What was asked for: a checkpoint's id or a savepoint's URL.
    pub from: String,
    /// The checkpoint that it is.
    pub checkpoint: u64,
    /// Sources and operators of the job.
    pub steps: Vec<RestoredStep>,
    /// What the checkpoint keeps, or has, that no step takes over.
    pub left: Vec<LeftStep>,
    /// Why `weir run` would refuse; nothing where it would not.
    pub refused: Vec<String>,
    /// The steps that it would refuse for, where they begin in the job file.
    pub places: Vec<StepPlace>,
}

/// What a step takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoredStep {
    /// Its id.
    pub id: String,
    /// Its id in the checkpoint; null: it is new.
    pub from: Option<String>,
    /// `source` or `operator`.
    pub kind: &'static str,
    /// Keys with state in the checkpoint.
    pub keys: u64,
    /// Bytes of keyed state in the checkpoint.
    pub bytes: u64,
    /// A source's splits in the checkpoint.
    pub splits: usize,
    /// An operator's states: those of the checkpoint, then new ones.
    pub states: Vec<RestoredStepState>,
    /// True where a run would be refused for this step as a whole.
    pub refused: bool,
}

/// What becomes of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoredStepState {
    /// Its name.
    pub name: String,
    /// `kept`, `migrated`, `dropped`, `new`, or `refused`: then a run would be refused for it.
    pub becomes: &'static str,
    /// Its version in the checkpoint, where it is migrated.
    pub from_version: Option<u32>,
    /// Its version in the job, where it is migrated.
    pub to_version: Option<u32>,
}

/// What no step takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftStep {
    /// `ID` or `ID.STATE`, by the ids of the checkpoint.
    pub name: String,
    /// What it keeps.
    pub kept: Vec<String>,
    /// False where only `--drop-state` may drop it.
    pub allowed: bool,
}

/// The document of `planned`, a restore from what `metadata` consists of.
pub fn restore_document(from: &str, metadata: &CheckpointMetadata, planned: &PlannedRestore) -> RestoreDocument {
    let left = |LeftOut { name, kept, allowed }: &LeftOut| LeftStep { name: name.clone(), kept: kept.clone(), allowed: *allowed };
    RestoreDocument {
        from: from.to_owned(),
        checkpoint: metadata.checkpoint_id.0,
        steps: planned.plan.vertices.iter().map(|(id, vertex)| step(id, vertex, metadata)).collect(),
        left: planned.plan.left.iter().map(left).collect(),
        refused: planned.refusals.iter().map(|refusal| refusal.text.clone()).collect(),
        places: Vec::new(),
    }
}

fn step(id: &str, vertex: &VertexPlan, metadata: &CheckpointMetadata) -> RestoredStep {
    let parts = vertex.from.as_ref().and_then(|from| metadata.vertex(from)).map_or(&[][..], |vertex| &vertex.subtasks);
    let kept: Vec<_> = vertex.states.iter().map(state).collect();
    let new = begun_anew(&kept, &vertex.new_states);
    RestoredStep {
        id: id.to_owned(),
        from: vertex.from.clone(),
        kind: match vertex.kind {
            PlannedKind::Source => "source",
            PlannedKind::Operator => "operator",
        },
        keys: parts.iter().map(|part| part.keys).sum(),
        bytes: parts.iter().map(|part| part.state_bytes).sum(),
        splits: parts.iter().map(|part| part.splits.len()).sum(),
        states: kept.into_iter().chain(new).collect(),
        refused: vertex.refused,
    }
}

/// The states that begin anew. One that is refused does not, though nothing would be taken over for it.
fn begun_anew(kept: &[RestoredStepState], new: &[String]) -> Vec<RestoredStepState> {
    let is_refused = |name: &String| kept.iter().any(|state| state.becomes == "refused" && state.name == *name);
    let new = new.iter().filter(|name| !is_refused(name));
    new.map(|name| RestoredStepState { name: name.clone(), becomes: "new", from_version: None, to_version: None }).collect()
}

fn state(state: &StatePlan) -> RestoredStepState {
    let (becomes, versions) = match state.fate {
        StateFate::Kept { .. } => ("kept", None),
        StateFate::Migrated { from_version, to_version, .. } => ("migrated", Some((from_version, to_version))),
        StateFate::Dropped => ("dropped", None),
        StateFate::Refused => ("refused", None),
    };
    let (from_version, to_version) = versions.unzip();
    RestoredStepState { name: state.name.clone(), becomes, from_version, to_version }
}

/// The document for people.
pub(super) fn restore_text(document: &RestoreDocument, text: &mut String) {
    let from = source_text(document);
    text.push_str(&match document.refused.is_empty() {
        true => format!("\ntaken over from {from}\n"),
        false => format!("\na run from {from} is refused; what it would have taken over\n"),
    });
    let width = document.steps.iter().map(|step| step.id.len()).max().unwrap_or(0);
    for step in &document.steps {
        text.push_str(&format!("  {}  {}\n", padded(&step.id, width), step_text(step)));
        for RestoredStepState { name, becomes, from_version, to_version } in &step.states {
            let versions = from_version.zip(*to_version).map(|(from, to)| format!(" from version {from} to {to}")).unwrap_or_default();
            text.push_str(&format!("  {}    {name}: {becomes}{versions}\n", padded("", width)));
        }
    }
    let dropped: Vec<_> = document.left.iter().filter(|left| left.allowed).collect();
    if !dropped.is_empty() {
        text.push_str("\nnot taken over\n");
        dropped.iter().for_each(|left| text.push_str(&left_text(left)));
    }
}

fn source_text(document: &RestoreDocument) -> String {
    let RestoreDocument { from, checkpoint, .. } = document;
    if *from == checkpoint.to_string() { format!("checkpoint {from}") } else { format!("{from}, checkpoint {checkpoint}") }
}

fn step_text(step: &RestoredStep) -> String {
    if step.refused {
        return "refused".into();
    }
    let Some(from) = &step.from else {
        return if step.kind == "source" { "new, is read from its beginning".into() } else { "new".into() };
    };
    let was = if *from == step.id { String::new() } else { format!("was {from}, ") };
    if step.kind == "source" {
        return format!("{was}{} {}", step.splits, if step.splits == 1 { "split" } else { "splits" });
    }
    format!("{was}{} keys, {}", grouped(step.keys), bytes_text(step.bytes))
}

fn left_text(left: &LeftStep) -> String {
    let kept = match left.kept.as_slice() {
        [] => "kept no state".to_owned(),
        _ if left.name.contains('.') => "dropped".to_owned(),
        kept => format!("dropped, with {}", kept.join(", ")),
    };
    format!("  {}: {kept}\n", left.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_refused_does_not_begin_anew_and_one_that_is_dropped_does() {
        let kept =
            ["refused", "dropped"].map(|becomes| RestoredStepState { name: becomes.into(), becomes, from_version: None, to_version: None });
        let new = ["refused", "dropped", "other"].map(String::from);
        let names: Vec<_> = begun_anew(&kept, &new).into_iter().map(|state| state.name).collect();
        assert_eq!(names, ["dropped", "other"]);
    }
}
