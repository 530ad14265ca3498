//! Makes the plan: vertex by vertex what it goes on with, then what is left.

use super::texts::{self, Described};
use super::windows::BothStates;
use super::{
    LeftOut, PlannedKind, PlannedRestore, Remedy, Restorable, RestoreOptions, RestorePlan, RestoreRefusal, StateFate, StatePlan, VertexPlan,
};
use crate::checkpoint::{GraphIdentity, VertexIdentity};
use crate::state::{StateDescriptor, TIMER_STATE, WINDOW_STATE, is_timer_of_both};
use std::collections::BTreeSet;

pub(super) struct Planner<'a> {
    was: &'a GraphIdentity,
    now: &'a GraphIdentity,
    options: &'a RestoreOptions,
    /// Operators of the checkpoint that keep nothing of any key.
    without_keys: BTreeSet<String>,
    plan: RestorePlan,
    refusals: Vec<RestoreRefusal>,
    /// Ids of the checkpoint that a vertex goes on with.
    taken: BTreeSet<&'a str>,
}

impl<'a> Planner<'a> {
    pub fn new(was: Restorable<'a>, now: &'a GraphIdentity, options: &'a RestoreOptions) -> Self {
        let Restorable { identity: was, without_keys } = was;
        Self { was, now, options, without_keys, plan: RestorePlan::default(), refusals: Vec::new(), taken: BTreeSet::new() }
    }

    pub fn run(mut self) -> PlannedRestore {
        self.check_drops();
        if self.was.max_parallelism != self.now.max_parallelism {
            self.refuse(texts::max_parallelism(self.was.max_parallelism, self.now.max_parallelism));
        }
        for (id, is) in &self.now.vertices {
            let before = self.refusals.len();
            let origin = self.origin(id);
            let refused = self.refusals.len() > before;
            let vertex = self.vertex(id, is, origin);
            self.refusals[before..].iter_mut().for_each(|refusal| refusal.step = Some(id.clone()));
            self.plan.vertices.insert(id.clone(), VertexPlan { refused: refused || vertex.refused, ..vertex });
        }
        self.rename_sinks();
        let left = self.was.vertices.iter().filter(|(id, _)| !self.taken.contains(id.as_str()));
        let left: Vec<_> = left.map(|(id, was)| self.left_vertex(id, was)).collect();
        self.plan.left.extend(left);
        self.plan.left.sort_by(|a, b| a.name.cmp(&b.name));
        let unnamed = self.plan.left.iter().filter(|left| !left.allowed);
        self.refusals.extend(unnamed.map(|left| RestoreRefusal::new(texts::unnamed(left), Remedy::Drop)));
        PlannedRestore { plan: self.plan, refusals: self.refusals }
    }

    fn refuse(&mut self, text: String) {
        self.refusals.push(RestoreRefusal::new(text, Remedy::Undo));
    }

    pub(super) fn add_refusal(&mut self, refusal: RestoreRefusal) {
        self.refusals.push(refusal);
    }

    /// True where the operator of the checkpoint is known to keep nothing of any key.
    pub(super) fn has_no_keys(&self, origin: &str) -> bool {
        self.without_keys.contains(origin)
    }

    pub(super) fn drops(&self, name: &str) -> bool {
        self.options.drops.contains(name)
    }

    /// A name that drops nothing is a slip of the pen, and what was meant would not be dropped.
    fn check_drops(&mut self) {
        let mut there = Vec::new();
        for (id, vertex) in &self.was.vertices {
            match vertex {
                VertexIdentity::Source { .. } => there.push(id.clone()),
                VertexIdentity::Operator { states, .. } => {
                    there.extend((!states.is_empty()).then(|| id.clone()));
                    there.extend(states.iter().map(|state| texts::state_name(id, &state.name)));
                }
            }
        }
        let unknown = self.options.drops.iter().filter(|name| !there.contains(name));
        self.refusals.extend(unknown.map(|name| RestoreRefusal::new(texts::nothing_to_drop(name, &there), Remedy::Name)));
    }

    /// The vertex of the checkpoint that `id` goes on with. `was` keeps standing in the job file once the checkpoints know the new id.
    fn origin(&mut self, id: &'a str) -> Option<&'a str> {
        let named = self.options.renames.get(id).map(String::as_str);
        let there = |id: &&str| self.was.vertices.contains_key(*id);
        let usable = |id: &&'a str| there(id) && !self.drops(id);
        let origin = match (Some(id).filter(usable), named.filter(usable)) {
            (Some(own), Some(named)) if own != named => {
                self.refuse(texts::two_origins(own, named));
                // Both are spoken for: neither is to be dropped on top.
                self.taken.extend([own, named]);
                return None;
            }
            (own, named) => own.or(named),
        };
        match (origin, named) {
            (Some(origin), _) if !self.taken.insert(origin) => {
                self.refuse(texts::taken_twice(id, origin));
                None
            }
            (None, Some(named)) if !there(&named) => {
                self.refuse(texts::was_nothing(id, named));
                None
            }
            (origin, _) => origin,
        }
    }

    fn vertex(&mut self, id: &'a str, is: &'a VertexIdentity, origin: Option<&'a str>) -> VertexPlan {
        if let Some(origin) = origin.filter(|origin| *origin != id) {
            self.plan.renamed.insert(origin.to_owned(), id.to_owned());
        }
        let from = origin.map(str::to_owned);
        let mut plan = VertexPlan { kind: kind(is), from, states: Vec::new(), new_states: Vec::new(), component: None, refused: false };
        match (origin.map(|origin| (origin, &self.was.vertices[origin])), is) {
            (None, VertexIdentity::Source { .. }) => {}
            (None, VertexIdentity::Operator { states, .. }) => plan.new_states = states.iter().map(|state| state.name.clone()).collect(),
            (
                Some((origin, VertexIdentity::Operator { states: was, component: before })),
                VertexIdentity::Operator { states: is, component: after },
            ) => {
                plan.component = (before != after).then(|| (before.clone(), after.clone()));
                plan.states = was.iter().map(|was| self.state(origin, was, is)).collect();
                self.check_windows(origin, BothStates { was, is }, &mut plan);
                let restored: Vec<_> = plan.states.iter().filter_map(|state| state.fate.place()).collect();
                let new = is.iter().enumerate().filter(|(place, _)| !restored.contains(place));
                plan.new_states = new.map(|(_, state)| state.name.clone()).collect();
            }
            (Some((_, was)), is) => {
                let mut lines = Vec::new();
                was.differences(id, is, &mut lines);
                plan.refused = !lines.is_empty();
                lines.into_iter().for_each(|line| self.refuse(line));
            }
        }
        plan
    }

    /// What becomes of the state `was` of the checkpoint's operator `origin`, which declares the states `is` now.
    fn state(&mut self, origin: &str, was: &StateDescriptor, is: &[StateDescriptor]) -> StatePlan {
        if was.name == WINDOW_STATE {
            return self.window_state(origin, is);
        }
        let name = texts::state_name(origin, &was.name);
        let place = is.iter().position(|state| state.name == was.name).filter(|_| !self.drops(&name));
        let fate = match place {
            None => {
                let allowed = self.drops(&name);
                self.plan.left.push(LeftOut { name, kept: vec![was.name.clone()], allowed });
                if allowed { StateFate::Dropped } else { StateFate::Refused }
            }
            Some(place) => self.kept(&name, was, &is[place], place),
        };
        StatePlan { name: was.name.clone(), fate }
    }

    /// Drops a state of the checkpoint's operator `origin` where the user has named it. True where that is so.
    pub(super) fn drop_state(&mut self, origin: &str, state: &str) -> bool {
        let name = texts::state_name(origin, state);
        let allowed = self.drops(&name);
        if allowed {
            self.plan.left.push(LeftOut { name, kept: vec![state.to_owned()], allowed });
        }
        allowed
    }

    fn kept(&mut self, name: &str, was: &StateDescriptor, is: &StateDescriptor, place: usize) -> StateFate {
        if was.kind != is.kind {
            self.refuse(texts::differ(name, "its kind has changed", &Described::of(was), &Described::of(is)));
        } else if is.version < was.version {
            let text = texts::differ(name, "the job has an older version of it", &Described::of(was), &Described::of(is));
            self.refusals.push(RestoreRefusal::new(text, Remedy::Newer));
        } else if is.version > was.version {
            return StateFate::Migrated { place, from_version: was.version, to_version: is.version };
        } else if let Some(timer) = was.name.strip_prefix(TIMER_STATE) {
            if is_timer_of_both(was, is) {
                return StateFate::Kept { place };
            }
            let text = texts::other_time(name, timer, &was.schema, &is.schema);
            self.refusals.push(RestoreRefusal::new(text, Remedy::GiveUp(name.to_owned())));
        } else if !texts::same_bytes(&was.schema, &is.schema) {
            let reason = "its description has changed, and its version has not";
            let text = texts::differ(name, reason, &Described::of(was), &Described::of(is));
            self.refusals.push(RestoreRefusal::new(text, Remedy::Migrate(is.version.saturating_add(1))));
        } else {
            return StateFate::Kept { place };
        }
        StateFate::Refused
    }

    /// Records in flight to a sink go to it under its new id, too. The checkpoint's identity knows no sinks.
    fn rename_sinks(&mut self) {
        for (id, named) in &self.options.renames {
            if !self.now.vertices.contains_key(id) && !self.was.vertices.contains_key(named) {
                self.plan.renamed.insert(named.clone(), id.clone());
            }
        }
    }

    fn left_vertex(&self, id: &str, was: &VertexIdentity) -> LeftOut {
        let kept = match was {
            VertexIdentity::Source { .. } => vec!["positions".to_owned()],
            VertexIdentity::Operator { states, .. } => states.iter().map(|state| state.name.clone()).collect(),
        };
        let each = |state: &String| self.drops(&texts::state_name(id, state));
        LeftOut { name: id.to_owned(), allowed: self.drops(id) || kept.iter().all(each), kept }
    }
}

fn kind(vertex: &VertexIdentity) -> PlannedKind {
    match vertex {
        VertexIdentity::Source { .. } => PlannedKind::Source,
        VertexIdentity::Operator { .. } => PlannedKind::Operator,
    }
}
