//! What a job that has changed takes over from a checkpoint of what it was: for each vertex whose state it goes on with, what begins
//! empty, what is left out.
//!
//! State belongs to ids: of vertices, and within an operator of states. An id that is the same goes on; `was` in the job file says that a vertex
//! had another one. Invariant: everything that the checkpoint keeps is taken over once, or dropped because the user has named it, or the
//! restore is refused.

mod in_place;
mod planner;
mod texts;
mod windows;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use super::{CheckpointMetadata, EdgeIdentity, GraphIdentity};
use crate::error::{EngineError, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use texts::migration_fails;

/// What the user says of a restore: comparing would not show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// For the id of a vertex the one that it had before: `was` in the job file.
    pub renames: BTreeMap<String, String>,
    /// What of the checkpoint may be given up, by its ids there: `ID` of a source or operator, or `ID.STATE`.
    pub drops: BTreeSet<String>,
}

/// What there is to be restored.
#[derive(Clone, Debug)]
pub struct Restorable<'a> {
    /// The graph that keeps it.
    pub identity: &'a GraphIdentity,
    /// Operators of it that are known to keep nothing of any key.
    pub without_keys: BTreeSet<String>,
}

/// What becomes of all that a checkpoint keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestorePlan {
    /// Sources and operators of the job as it is now, by id.
    pub vertices: BTreeMap<String, VertexPlan>,
    /// What nothing takes over.
    pub left: Vec<LeftOut>,
    /// From an id in the checkpoint to the id now, where that is another; sinks too.
    renamed: BTreeMap<String, String>,
}

/// What one vertex takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VertexPlan {
    /// What it is.
    pub kind: PlannedKind,
    /// Its id in the checkpoint. `None`: it is new; an operator begins empty, a source at its beginning.
    pub from: Option<String>,
    /// Of each state that the checkpoint has of it, in the order of the checkpoint.
    pub states: Vec<StatePlan>,
    /// Its states that begin empty.
    pub new_states: Vec<String>,
    /// The digests of its component in the checkpoint and now, where these differ; `None` among them: a built-in operator.
    pub component: Option<(Option<String>, Option<String>)>,
    /// True where a refusal is about the vertex as a whole: it takes nothing over.
    pub refused: bool,
}

/// What a planned vertex is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedKind {
    /// A source.
    Source,
    /// An operator.
    Operator,
}

/// One state of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePlan {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub fate: StateFate,
}

/// What becomes of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFate {
    /// It is restored as it is.
    Kept {
        /// Its index among the states that the operator declares now.
        place: usize,
    },
    /// Its values are brought to a newer version.
    Migrated {
        /// Its index among the states that the operator declares now.
        place: usize,
        /// The version in the checkpoint.
        from_version: u32,
        /// The version now.
        to_version: u32,
    },
    /// It is left out.
    Dropped,
    /// It can neither go on nor be left out: the restore is refused for it.
    Refused,
}

/// What of a checkpoint nothing takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// `ID` or `ID.STATE`, by the ids of the checkpoint.
    pub name: String,
    /// What it kept: `positions`, or the names of states; empty: nothing.
    pub kept: Vec<String>,
    /// True where the user has named it, or where it kept nothing.
    pub allowed: bool,
}

/// A plan, and what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRestore {
    /// The plan; what is refused is in it as far as it goes.
    pub plan: RestorePlan,
    /// Nothing: the plan can be followed.
    pub refusals: Vec<RestoreRefusal>,
}

/// One reason against a restore, in the user's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreRefusal {
    /// The reason; further lines of it are indented.
    pub text: String,
    /// What would help.
    pub remedy: Remedy,
    /// The step of the job as it is now that it is about, where it is about one.
    pub step: Option<String>,
}

/// What the user can do about a refusal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Name something else to drop.
    Name,
    /// Name it to be dropped, or say what it is called now.
    Drop,
    /// Give up what is kept under this name.
    GiveUp(String),
    /// Give a state this version, and bring its old values over.
    Migrate(u32),
    /// Teach the plugin the way from the version that is kept.
    BringOver,
    /// Run the newer version that wrote it.
    Newer,
    /// Undo the change.
    Undo,
}

/// Plans what `now` restores of a checkpoint of `was`.
pub fn plan_identities<'a>(was: impl Into<Restorable<'a>>, now: &'a GraphIdentity, options: &'a RestoreOptions) -> PlannedRestore {
    planner::Planner::new(was.into(), now, options).run()
}

impl<'a> From<&'a GraphIdentity> for Restorable<'a> {
    fn from(identity: &'a GraphIdentity) -> Self {
        Self { identity, without_keys: BTreeSet::new() }
    }
}

impl<'a> From<&'a CheckpointMetadata> for Restorable<'a> {
    fn from(metadata: &'a CheckpointMetadata) -> Self {
        let keeps_none = |vertex: &&super::VertexSnapshot| vertex.subtasks.iter().all(|part| part.keys == 0);
        let without_keys = metadata.vertices.iter().filter(keeps_none).map(|vertex| vertex.id.clone()).collect();
        Self { identity: &metadata.graph, without_keys }
    }
}

impl RestorePlan {
    /// The id in the checkpoint of what the vertex `id` goes on with.
    pub fn from(&self, id: &str) -> Option<&str> {
        self.vertices.get(id)?.from.as_deref()
    }

    /// For each state that the checkpoint has of the operator `id` its index now; `None`: it is left out.
    pub fn places(&self, id: &str) -> Vec<Option<usize>> {
        let states = self.vertices.get(id).map_or(&[][..], |vertex| &vertex.states);
        states.iter().map(|state| state.fate.place()).collect()
    }

    /// The edge over which records go now that were on `edge` in the checkpoint, if there is such a one.
    pub(crate) fn edge_now(&self, edge: &EdgeIdentity) -> EdgeIdentity {
        let now = |id: &String| self.renamed.get(id).unwrap_or(id).clone();
        EdgeIdentity { from: now(&edge.from), to: now(&edge.to), ..edge.clone() }
    }
}

impl RestoreRefusal {
    /// One that is about no step of its own.
    pub(crate) fn new(text: String, remedy: Remedy) -> Self {
        Self { text, remedy, step: None }
    }
}

impl StateFate {
    /// The state's index now.
    pub fn place(self) -> Option<usize> {
        match self {
            Self::Kept { place } | Self::Migrated { place, .. } => Some(place),
            Self::Dropped | Self::Refused => None,
        }
    }
}

/// What the author of a plugin can do that knows no way from an older version.
const TO_BRING_OVER: &str = "write a `migrate` in the plugin that brings values of the older version over";

fn to_migrate(version: u32) -> String {
    format!(
        "a state whose type has changed gets a new version, {version} (in Rust `#[state(version = {version})]`), and `migrate` of the plugin brings old values over"
    )
}

impl PlannedRestore {
    /// What the user can do, where anything is refused.
    pub(crate) fn remedy(&self) -> Option<Remedy> {
        self.refusals.iter().map(|refusal| refusal.remedy.clone()).max()
    }

    /// The names that would have to be dropped for what is refused only because of what they keep.
    fn given_up(&self) -> impl Iterator<Item = &str> {
        self.refusals.iter().filter_map(|refusal| match &refusal.remedy {
            Remedy::GiveUp(name) => Some(name.as_str()),
            Remedy::Name | Remedy::Drop | Remedy::Migrate(_) | Remedy::BringOver | Remedy::Newer | Remedy::Undo => None,
        })
    }

    /// What keeps steps from going on that the job still has: the names of their states, `ID.STATE`, or `ID` where it is all that a step keeps. Dropped by name it
    /// is no longer in the way.
    pub fn in_the_way(&self) -> BTreeSet<String> {
        let refused = |vertex: &VertexPlan| {
            let states = vertex.states.iter().filter(|state| state.fate == StateFate::Refused);
            let from = vertex.from.clone().unwrap_or_default();
            states.map(|state| format!("{from}.{}", state.name)).collect::<Vec<_>>()
        };
        let whole: BTreeSet<_> = self.given_up().map(str::to_owned).collect();
        let is_within = |name: &String| name.split_once('.').is_some_and(|(id, _)| whole.contains(id));
        let mut names: BTreeSet<_> = self.plan.vertices.values().flat_map(refused).filter(|name| !is_within(name)).collect();
        names.extend(whole);
        names
    }

    /// True where nothing helps but to undo the change, whatever is given up of what steps keep that the job still has.
    pub fn has_to_be_undone(&self) -> bool {
        self.remedy() == Some(Remedy::Undo) && self.in_the_way().is_empty()
    }

    /// What is said of each name to be dropped where nothing is restored, because the job has finished: that it names nothing, or is not looked at.
    pub(crate) fn idle_drops(&self, options: &RestoreOptions) -> Vec<String> {
        let unknown: Vec<_> =
            self.refusals.iter().filter(|refusal| refusal.remedy == Remedy::Name).map(|refusal| refusal.text.clone()).collect();
        match options.drops.len() - unknown.len() {
            0 => unknown,
            _ => unknown.into_iter().chain(["--drop-state: nothing is dropped, because the job has finished".to_owned()]).collect(),
        }
    }

    /// What an author can do, and what there is beside that.
    fn or_without(&self, remedy: &str) -> String {
        let drops: Vec<_> = self.in_the_way().iter().map(|name| format!("--drop-state {name}")).collect();
        format!("{remedy}; or give up what is kept with `{}`, undo the change, or start over with --fresh", drops.join(" "))
    }

    /// The plan, or the error of a restore of `what` that is refused.
    pub fn accepted(self, what: &str) -> Result<RestorePlan, EngineError> {
        let Some(remedy) = self.remedy() else { return Ok(self.plan) };
        let reason = if remedy == Remedy::Name { "there is nothing to drop" } else { "the job has changed" };
        let hint = match remedy {
            Remedy::Name => "leave the name out".to_owned(),
            Remedy::Drop => "`--drop-state` gives up what it names; a step that was renamed says so with `was = \"OLD-ID\"`".to_owned(),
            Remedy::GiveUp(_) => {
                let drops: Vec<_> = self.given_up().map(|name| format!("--drop-state {name}")).collect();
                format!("`{}` gives up what is kept so; or undo the change", drops.join(" "))
            }
            Remedy::Migrate(version) => self.or_without(&to_migrate(version)),
            Remedy::BringOver => self.or_without(TO_BRING_OVER),
            Remedy::Newer => "name the newer plugin in the job file, or run the components that are kept there with `--pinned`; or start over with --fresh".to_owned(),
            Remedy::Undo => "undo the change, or start over with --fresh".to_owned(),
        };
        let lines: Vec<_> = self.refusals.iter().map(|refusal| refusal.text.as_str()).collect();
        let mut steps: Vec<_> = self.refusals.iter().filter_map(|refusal| refusal.step.clone()).collect();
        steps.dedup();
        let error = EngineError::new(ErrorKind::FixInput, format!("resume {what}: {reason}\n  {}", lines.join("\n  ")));
        Err(error.with_hint(hint).about_steps(steps))
    }
}
