//! What the user is told of a plan.

use super::{LeftOut, PlannedKind, RestorePlan, StateFate, VertexPlan};
use crate::state::{StateDescriptor, WINDOW_STATE};

impl RestorePlan {
    /// A line for each thing that is not simply as it was.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.vertices.iter().flat_map(|(id, vertex)| vertex.lines(id)).collect();
        lines.extend(self.left.iter().map(|left| match (left.is_state(), left.kept.as_slice()) {
            _ if !left.allowed => unnamed(left),
            (true, _) => format!("{}: dropped", left.name),
            (false, []) => format!("{}: gone; it kept no state", left.name),
            (false, kept) => format!("{}: dropped ({})", left.name, kept.join(", ")),
        }));
        lines
    }

    /// Those of the lines that have come true once everything has been restored.
    pub fn migrations(&self) -> Vec<String> {
        self.vertices.iter().flat_map(|(id, vertex)| vertex.migrations(id)).collect()
    }
}

impl VertexPlan {
    fn lines(&self, id: &str) -> Vec<String> {
        let Some(from) = &self.from else {
            return vec![match (self.kind, self.new_states.is_empty()) {
                (PlannedKind::Source, _) => format!("{id}: new, is read from its beginning"),
                (PlannedKind::Operator, true) => format!("{id}: new"),
                (PlannedKind::Operator, false) => format!("{id}: new, begins empty"),
            }];
        };
        let mut lines = Vec::new();
        lines.extend((from != id).then(|| format!("{id}: renamed, was {from}")));
        lines.extend(self.component.as_ref().map(|(was, is)| format!("{id}: component {} → {}", digest(was), digest(is))));
        lines.extend(self.migrations(id));
        lines.extend(self.new_states.iter().map(|state| format!("{}: new, begins empty", state_name(id, state))));
        lines
    }

    fn migrations(&self, id: &str) -> impl Iterator<Item = String> {
        self.states.iter().filter_map(move |state| match state.fate {
            StateFate::Migrated { from_version, to_version, .. } => {
                Some(format!("{}: migrated from version {from_version} to {to_version}", state_name(id, &state.name)))
            }
            StateFate::Kept { .. } | StateFate::Dropped | StateFate::Refused => None,
        })
    }
}

impl LeftOut {
    fn is_state(&self) -> bool {
        self.name.contains('.')
    }
}

/// A component as people compare it.
fn digest(component: &Option<String>) -> String {
    component.as_deref().map_or("native".to_owned(), |digest| digest.chars().take(8).collect())
}

/// The name of a state.
pub(super) fn state_name(id: &str, state: &str) -> String {
    format!("{id}.{state}")
}

pub(super) fn max_parallelism(was: u32, is: u32) -> String {
    format!("max-parallelism: {was} in the checkpoint, {is} in the job file")
}

/// What would be lost without having been named, and how a start names it.
pub(super) fn unnamed(left: &LeftOut) -> String {
    let name = &left.name;
    match left.is_state() {
        false => {
            format!("{name}: in the checkpoint, not in the job file; `--drop-state {name}` drops what it kept ({})", left.kept.join(", "))
        }
        true => format!("{}; `--drop-state {name}` drops it", gone(left)),
    }
}

/// What would be lost.
pub(super) fn gone(left: &LeftOut) -> String {
    let LeftOut { name, kept, .. } = left;
    match name.split_once('.') {
        None => format!("{name}: in the checkpoint, not in the job file; it kept {}", kept.join(", ")),
        Some((id, _)) => format!("{name}: in the checkpoint, and {id} does not declare it any more"),
    }
}

/// Windows of an operator of the checkpoint that are not what they were, where something is kept by them, or by none.
pub(super) fn other_windows(origin: &str, was: Option<&str>, now: Option<&str>) -> String {
    let open = "what is kept of those that are open belongs to no";
    match (was, now) {
        (Some(was), Some(now)) => format!("the windows of `{origin}` were `{was}`, and are `{now}` now: {open} other"),
        (Some(was), None) => format!("the windows of `{origin}` were `{was}`, and it has none now: {open} key alone"),
        (None, now) => {
            let now = now.unwrap_or_default();
            format!("`{origin}` had no windows, and they are `{now}` now: what it keeps by key is in none of them")
        }
    }
}

/// Windows that are dropped without what is kept in them.
pub(super) fn windows_alone(origin: &str) -> String {
    format!("`--drop-state {origin}.{WINDOW_STATE}` drops the windows of `{origin}` and not what is kept in them")
}

/// A state of the checkpoint's `operator` that its plugin does not bring to the version that it declares: it failed so on what is kept.
pub(crate) fn migration_fails((operator, state): (&str, &str), (from, to): (u32, u32), error: &str) -> String {
    let error = error.trim_end().replace('\n', "\n      ");
    let name = state_name(operator, state);
    format!("{name}: version {from} in the checkpoint, {to} in the job, and the plugin does not bring it over\n      {error}")
}

/// A timer that goes by another time than those that are set; `name` is that of its state.
pub(super) fn other_time(name: &str, timer: &str, was: &str, now: &str) -> String {
    format!("{name}: the timer `{timer}` went by {was}, and goes by {now} now: those that are set are of the one and not of the other")
}

pub(super) fn nothing_to_drop(name: &str, there: &[String]) -> String {
    let there: Vec<_> = there.iter().map(|name| format!("`{name}`")).collect();
    let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    format!("--drop-state {name}: the checkpoint keeps nothing of that name; it keeps {there}")
}

pub(super) fn two_origins(own: &str, named: &str) -> String {
    format!("{own}: `was = \"{named}\"`, but the checkpoint has both; take `was` out to go on with {own}, or drop one of the two by name")
}

pub(super) fn taken_twice(id: &str, origin: &str) -> String {
    format!("{id}: `was = \"{origin}\"`, but another step goes on with that")
}

pub(super) fn was_nothing(id: &str, named: &str) -> String {
    format!("{id}: `was = \"{named}\"`, but the checkpoint has neither; take `was` out to begin empty")
}

/// A state as it is shown beside another.
pub(super) struct Described {
    version: String,
    kind: String,
    schema: String,
}

impl Described {
    pub fn of(state: &StateDescriptor) -> Self {
        Self { version: format!("v{}", state.version), kind: format!("{:?}", state.kind).to_lowercase(), schema: state.schema.clone() }
    }
}

/// A state that cannot go on, as it was above as it is.
pub(super) fn differ(name: &str, reason: &str, was: &Described, is: &Described) -> String {
    let (version, kind) = (was.version.len().max(is.version.len()), was.kind.len().max(is.kind.len()));
    let line =
        |place: &str, state: &Described| format!("      {place:10}  {:version$}  {:kind$}  {}", state.version, state.kind, state.schema);
    format!("{name}: {reason}\n{}\n{}", line("checkpoint", was), line("job", is))
}

/// True where two descriptions (wit/schema.md) are of the same bytes: they differ in the author's names of types at most.
pub(super) fn same_bytes(was: &str, is: &str) -> bool {
    was == is || without_type_names(was) == without_type_names(is)
}

/// The description without the name in front of each `{` and `[`.
fn without_type_names(schema: &str) -> String {
    let mut out = String::with_capacity(schema.len());
    for c in schema.chars() {
        if matches!(c, '{' | '[') {
            let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            out.truncate(out.trim_end_matches(name).len());
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_are_no_difference_and_everything_else_is() {
        let check = |was, is, same| assert_eq!(same_bytes(was, is), same, "{was} and {is}");
        check("Totals{flights:u64}", "Sums{flights:u64}", true);
        check("list<Totals{a:u64}>", "list<T-2{a:u64}>", true);
        check("P{order:Order[pending,shipped(u32)]}", "P{order:O[pending,shipped(u32)]}", true);
        check("Totals{flights:u64}", "Totals{flight:u64}", false);
        check("Totals{a:u64}", "Totals{a:i64}", false);
        check("P{order:Order[pending]}", "P{orders:Order[pending]}", false);
        check("Order[pending]", "Order[done]", false);
        check("Order[a]", "Order{a:unit}", false);
        check("raw", "u64", false);
    }
}
