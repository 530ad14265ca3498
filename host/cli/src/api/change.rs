//! The graphs that a running job can change to: the job file with what was changed by hand, and one more change.

use super::status::ReferenceDocument;
use crate::assemble::{Assembly, assemble};
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::plugins::{BuildEnvironment, Compiler, PluginOrigin, PluginOrigins, digest_of, plugin_file};
use crate::start::NamedBy;
use bytes::Bytes;
use std::collections::BTreeMap;
use weir_engine::checkpoint::{Override, Pinned, Replaced};
use weir_engine::job::GraphChange;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::Plugin;

/// A component that takes the place of the job file's.
#[derive(Clone)]
pub(crate) struct OtherComponent {
    /// The operator.
    pub operator: String,
    /// What to call it in messages.
    pub name: String,
    /// The component, or a core module that carries its type.
    pub bytes: Bytes,
    /// What led to it, where that was a reference.
    pub reference: Option<NamedBy>,
}

/// What the job runs as, and how it got there.
#[derive(Clone)]
pub(crate) struct Shape {
    /// The job file.
    pub file: JobFile,
    /// Where its plugins come from.
    pub plugins: PluginOrigins,
    /// SHA-256 of the components that the file names, by operator; those that it does not run as included.
    pub digests: BTreeMap<String, String>,
    /// The parallelism of the steps that have another than the file says.
    pub parallelism: BTreeMap<String, u32>,
    /// Components of the operators that run another than the file says.
    pub components: Vec<OtherComponent>,
    /// What led to the components that upgrades brought, by operator, where that was a reference.
    pub upgraded_to: BTreeMap<String, Pinned>,
    /// What compiles them.
    pub compiler: Compiler,
}

/// A change that has been worked out, and what the job is then.
pub(crate) struct Planned {
    pub change: GraphChange,
    pub shape: Shape,
    /// The steps that were not named and keep what they have.
    pub left_alone: Vec<String>,
}

impl Shape {
    /// The graph as it is to run.
    pub fn assemble(&self) -> Result<Assembly, Failure> {
        let job = self.file.rescaled(&self.parallelism).map_err(fix)?;
        assemble(&job, |id| self.plugin(id))
    }

    /// What led to the component that the operator runs: what the job file, or an upgrade, refers to.
    pub fn reference(&self, id: &str) -> Option<ReferenceDocument> {
        if let Some(Pinned { reference, manifest, component, .. }) = self.upgraded_to.get(id) {
            return Some(ReferenceDocument { named: reference.clone(), manifest: manifest.clone(), component: component.clone() });
        }
        if self.components.iter().any(|other| other.operator == id) {
            return None;
        }
        let PluginOrigin::Referenced(found) = self.plugins.get(id)? else { return None };
        Some(ReferenceDocument {
            named: found.reference.clone(),
            manifest: found.manifest.clone(),
            component: self.digests.get(id)?.clone(),
        })
    }

    pub(super) fn plugin(&self, id: &str) -> Result<Plugin, Failure> {
        let (engine, limits) = (self.compiler.engine()?, self.file.compile_limits(id));
        Ok(match self.components.iter().find(|other| other.operator == id) {
            Some(other) => {
                let plugin = Plugin::from_bytes_within(&other.name, &other.bytes, &engine, limits);
                plugin.map_err(|error| error.context(format!("{id}: load the plugin")))?
            }
            None => self.plugins.get(id).expect("every plugin has been found or built").load(id, &engine, limits)?,
        })
    }

    /// With this parallelism of one step, or of all that can have it.
    pub fn rescaled(&self, parallelism: u32, operator: Option<&str>) -> Result<Planned, Failure> {
        let known = self.file.said_parallelisms();
        let (ids, left_alone) = match operator {
            Some(id) => (vec![id.to_owned()], Vec::new()),
            None => self.file.followers().map_err(|(message, hint)| Failure::Engine(fix_input(message).with_hint(hint)))?,
        };
        let mut shape = self.clone();
        shape.parallelism.extend(ids.iter().map(|id| (id.clone(), parallelism)));
        let graph = shape.assemble()?.graph;
        let change = |id: &String| Override {
            vertex: id.clone(),
            parallelism: known.get(id).map(|&file| Replaced { file, now: parallelism }),
            ..Override::default()
        };
        Ok(Planned { change: GraphChange { graph, overrides: ids.iter().map(change).collect() }, shape, left_alone })
    }

    /// True where the component is what the job file's plugin has become by now: that, too, counts as the file's, and what comes there later wins over it.
    fn is_of_file(&self, component: &OtherComponent) -> bool {
        let path = match self.plugins.get(&component.operator) {
            Some(PluginOrigin::File(path)) => Some(path.clone()),
            // What is kept stands in for the file.
            Some(PluginOrigin::Stored { .. }) => plugin_file(&self.file, &component.operator, &BuildEnvironment::of_process()),
            Some(PluginOrigin::Referenced(_)) | None => None,
        };
        let Some(path) = path else { return false };
        std::fs::metadata(&path).is_ok_and(|file| file.len() == component.bytes.len() as u64)
            && std::fs::read(path).is_ok_and(|file| file == component.bytes)
    }

    /// With another component for one operator.
    pub fn upgraded(&self, component: OtherComponent) -> Result<Planned, Failure> {
        let id = component.operator.clone();
        let Some(file) = self.digests.get(&id) else {
            return Err(fix(no_such_plugin(&id, self.digests.keys())));
        };
        let (is_of_file, reference) = (self.is_of_file(&component), component.reference.clone());
        let mut shape = self.clone();
        shape.components.retain(|other| other.operator != id);
        shape.upgraded_to.remove(&id);
        shape.components.push(component);
        let graph = shape.assemble()?.graph;
        let vertex = graph.vertices.iter().find(|vertex| vertex.id == id);
        let component = vertex.and_then(digest_of).map(|now| {
            let file = if is_of_file { now.clone() } else { file.clone() };
            shape.digests.insert(id.clone(), file.clone());
            Replaced { file, now }
        });
        let pin = reference.zip(component.as_ref()).map(|(NamedBy { reference, manifest }, Replaced { now, .. })| Pinned {
            vertex: id.clone(),
            reference,
            manifest,
            component: now.clone(),
        });
        shape.upgraded_to.extend(pin.clone().map(|pin| (id.clone(), pin)));
        let named = self.file.plugin_of(&id).map(str::to_owned);
        let overrides = vec![Override { vertex: id, parallelism: None, component, named, pin }];
        Ok(Planned { change: GraphChange { graph, overrides }, shape, left_alone: Vec::new() })
    }
}

pub(super) fn no_such_plugin<'a>(id: &str, plugins: impl Iterator<Item = &'a String>) -> String {
    let plugins: Vec<&str> = plugins.map(String::as_str).collect();
    let has = if plugins.is_empty() { "none of its operators runs one".to_owned() } else { format!("it has {}", plugins.join(", ")) };
    format!("the job has no operator `{id}` that runs a plugin; {has}")
}

fn fix(message: String) -> Failure {
    Failure::Engine(fix_input(message))
}

pub(super) fn fix_input(message: String) -> EngineError {
    EngineError::new(ErrorKind::FixInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_without_a_plugin_is_refused_beside_those_that_have_one() {
        let said = |plugins: &[String]| no_such_plugin("x", plugins.iter());
        assert_eq!(said(&[]), "the job has no operator `x` that runs a plugin; none of its operators runs one");
        assert_eq!(said(&["a".into(), "b".into()]), "the job has no operator `x` that runs a plugin; it has a, b");
    }
}
