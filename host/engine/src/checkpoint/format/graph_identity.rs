//! What of a job's graph a checkpoint belongs to, and how the graph of another time differs from it.

use crate::exchange::Partitioning;
use crate::state::StateDescriptor;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What of a graph must not change, or is compared, when a checkpoint is resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphIdentity {
    /// Number of key groups.
    pub max_parallelism: u32,
    /// Sources and operators by id; sinks may come and go.
    pub vertices: BTreeMap<String, VertexIdentity>,
    /// Edges between these, in order.
    pub edges: Vec<EdgeIdentity>,
}

/// One source or operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum VertexIdentity {
    /// A source: its connector and the settings that decide what it reads.
    Source {
        /// The connector.
        connector: String,
        /// The settings of the job file that say what is read, as path, format and key.
        settings: serde_json::Value,
    },
    /// An operator: its states, and the component's digest where it is one.
    Operator {
        /// Declared states.
        states: Vec<StateDescriptor>,
        /// SHA-256 of the component.
        component: Option<String>,
    },
}

/// One edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeIdentity {
    /// The sending vertex.
    pub from: String,
    /// The sending vertex's output.
    pub output: String,
    /// The receiving vertex.
    pub to: String,
    /// The receiving vertex's input.
    pub input: u32,
    /// How records are spread.
    pub partitioning: Partitioning,
}

impl GraphIdentity {
    /// How `now` differs in more than components and parallelism: one line for each difference. What a restore makes of
    /// differences is the planner's to say; a replay, which shows what was, takes none.
    pub fn differences(&self, now: &GraphIdentity) -> Vec<String> {
        let mut lines = Vec::new();
        if self.max_parallelism != now.max_parallelism {
            lines.push(format!("max-parallelism: {} in the checkpoint, {} in the job file", self.max_parallelism, now.max_parallelism));
        }
        for (id, was) in &self.vertices {
            match now.vertices.get(id) {
                None => lines.push(format!("{id}: in the checkpoint, not in the job file")),
                Some(is) => was.differences(id, is, &mut lines),
            }
        }
        let added = now.vertices.keys().filter(|id| !self.vertices.contains_key(*id));
        lines.extend(added.map(|id| format!("{id}: in the job file, not in the checkpoint")));
        let holds = |edges: &[EdgeIdentity], edge: &EdgeIdentity| edges.iter().any(|other| other.is_same(edge));
        let gone = self.edges.iter().filter(|edge| !holds(&now.edges, edge));
        lines.extend(gone.map(|edge| format!("{}: in the checkpoint, not in the job file", edge.describe())));
        let added = now.edges.iter().filter(|edge| !holds(&self.edges, edge));
        lines.extend(added.map(|edge| format!("{}: in the job file, not in the checkpoint", edge.describe())));
        lines
    }
}

impl VertexIdentity {
    /// Appends a line for each difference of `now`.
    pub(in crate::checkpoint) fn differences(&self, id: &str, now: &VertexIdentity, lines: &mut Vec<String>) {
        match (self, now) {
            (Self::Source { connector: was, settings: before }, Self::Source { connector: is, settings: after }) => {
                if was != is {
                    lines.push(format!("{id}: connector `{was}` in the checkpoint, `{is}` in the job file"));
                } else if before != after {
                    settings(id, (before, after), "", lines);
                }
            }
            (Self::Operator { states: was, .. }, Self::Operator { states: is, .. }) => {
                if was != is {
                    lines.push(format!("{id}: states [{}] in the checkpoint, [{}] in the job file", describe(was), describe(is)));
                }
            }
            (Self::Source { .. }, Self::Operator { .. }) => {
                lines.push(format!("{id}: a source in the checkpoint, an operator in the job file"))
            }
            (Self::Operator { .. }, Self::Source { .. }) => {
                lines.push(format!("{id}: an operator in the checkpoint, a source in the job file"))
            }
        }
    }
}

/// Appends a line for each setting of a source that differs, by its name; one within another as `timestamp.column`.
fn settings(id: &str, (was, is): (&Value, &Value), within: &str, lines: &mut Vec<String>) {
    if was == is {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (was, is) else {
        let shown = |value: &Value| if value.is_null() { "nothing".to_owned() } else { value.to_string() };
        let what = if within.is_empty() { "settings are".to_owned() } else { format!("`{within}` is") };
        lines.push(format!("{id}: {what} {} in the checkpoint, {} in the job file", shown(was), shown(is)));
        return;
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let place = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        settings(id, (before.get(name).unwrap_or(&Value::Null), after.get(name).unwrap_or(&Value::Null)), &place, lines);
    }
}

fn describe(states: &[StateDescriptor]) -> String {
    let one = |state: &StateDescriptor| format!("{} {:?} v{} {}", state.name, state.kind, state.version, state.schema).to_lowercase();
    states.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl EdgeIdentity {
    /// True where records that were on the one may go over the other. `forward` and `rebalance` are no different there: which of the two
    /// an edge is may follow from the parallelism.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let ends = |edge: &Self| (edge.from.clone(), edge.output.clone(), edge.to.clone(), edge.input);
        ends(self) == ends(other) && self.partitioning.is_kept_by(other.partitioning)
    }

    /// In the form `edge in.out → op (key)`.
    pub fn describe(&self) -> String {
        let input = if self.input == 0 { String::new() } else { format!(" input {}", self.input) };
        format!("edge {}.{} → {}{input} ({:?})", self.from, self.output, self.to, self.partitioning).to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn graph(max_parallelism: u32, state_version: u32, component: &str, partitioning: Partitioning) -> GraphIdentity {
        let state = StateDescriptor {
            name: "totals".into(),
            kind: crate::state::StateKind::Value,
            schema: "raw".into(),
            version: state_version,
            ttl: None,
        };
        let source = VertexIdentity::Source { connector: "file".into(), settings: json!({"path": "a"}) };
        let operator = VertexIdentity::Operator { states: vec![state], component: Some(component.into()) };
        let edge = EdgeIdentity { from: "in".into(), output: "out".into(), to: "op".into(), input: 0, partitioning };
        GraphIdentity { max_parallelism, vertices: [("in".into(), source), ("op".into(), operator)].into(), edges: vec![edge] }
    }

    #[test]
    fn differences_are_named_and_a_new_component_is_none() {
        let was = graph(128, 1, "aaaaaaaaaaaa", Partitioning::Key);
        assert_eq!(was.differences(&graph(128, 1, "bbbbbbbbbbbb", Partitioning::Key)), Vec::<String>::new());
        let lines = was.differences(&graph(64, 2, "aaaaaaaaaaaa", Partitioning::Rebalance)).join("\n");
        for part in
            ["max-parallelism: 128", "totals value v1 raw", "totals value v2 raw", "edge in.out → op (key)", "edge in.out → op (rebalance)"]
        {
            assert!(lines.contains(part), "{part}\n{lines}");
        }
    }

    #[test]
    fn a_setting_of_a_source_that_differs_is_named_with_what_it_was_and_is() {
        let source = |settings| VertexIdentity::Source { connector: "file".into(), settings };
        let check = |was, is, expect: &[&str]| {
            let mut lines = Vec::new();
            source(was).differences("in", &source(is), &mut lines);
            assert_eq!(lines, expect);
        };
        check(json!({"path": "a", "key": null}), json!({"path": "a"}), &[]);
        check(json!({"path": "a"}), json!({"path": "b"}), &["in: `path` is \"a\" in the checkpoint, \"b\" in the job file"]);
        check(
            json!({"key": null, "time": {"column": "at", "unit": "ms"}}),
            json!({"key": "word", "time": {"column": "at", "unit": "s"}}),
            &[
                "in: `key` is nothing in the checkpoint, \"word\" in the job file",
                "in: `time.unit` is \"ms\" in the checkpoint, \"s\" in the job file",
            ],
        );
        check(
            json!({"time": {"unit": "s"}}),
            json!({"time": null}),
            &["in: `time` is {\"unit\":\"s\"} in the checkpoint, nothing in the job file"],
        );
        check(json!("words"), json!("others"), &["in: settings are \"words\" in the checkpoint, \"others\" in the job file"]);
    }

    #[test]
    fn an_edge_without_by_may_follow_the_parallelism_of_its_ends() {
        let (was, now) = (graph(128, 1, "a", Partitioning::Forward), graph(128, 1, "a", Partitioning::Rebalance));
        assert_eq!(was.differences(&now), Vec::<String>::new());
    }
}
