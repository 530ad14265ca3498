//! The graphs that a running job can change to: the job file with what was changed by hand, and one more change.

use super::status::ReferenceDocument;
use crate::assemble::{Assembly, assemble_with};
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::plugins::{BuildEnvironment, Compiler, PluginOrigin, PluginOrigins, digest_of, plugin_file};
use bytes::Bytes;
use std::collections::BTreeMap;
use weir_engine::checkpoint::{Override, Replaced, paths};
use weir_engine::job::{GraphChange, History, Probation, StartMode};
use weir_engine::state::MAX_PARALLELISM_LIMIT;
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
    /// The job file with what was changed while the job ran before, by a rescale or an upgrade, and its graph. Where the file has changed there since, the file
    /// wins. `stored` reads an object of the job's storage.
    pub fn started(
        (job, compiler): (&JobFile, Compiler),
        plugins: PluginOrigins,
        history: &History,
        start: &StartMode,
        stored: impl Fn(&str) -> Result<Option<Bytes>, EngineError>,
        notice: &dyn Fn(&str),
    ) -> Result<(Self, Assembly), Failure> {
        let (overrides, given_up) = history.overrides(start);
        if let Some(Probation { overrides, since, .. }) = given_up {
            let ids: Vec<&str> = overrides.iter().map(|change| change.vertex.as_str()).collect();
            notice(&format!("the upgrade of {} was cut off on probation and is given up: back to checkpoint {since}", ids.join(", ")));
        }
        let known = job.parallelisms();
        let (digests, parallelism) = (BTreeMap::new(), BTreeMap::new());
        let mut shape = Self { file: job.clone(), plugins, digests, parallelism, components: Vec::new(), compiler };
        let renames = job.renames();
        for Override { vertex: id, parallelism, component } in overrides {
            if let Some((new, _)) = renames.iter().find(|(_, was)| **was == id) {
                shape.renamed((&id, new), parallelism, component, notice)?;
                continue;
            }
            if let Some(Replaced { file, now }) = parallelism.filter(|change| known.get(&id) == Some(&change.file)) {
                if (1..=MAX_PARALLELISM_LIMIT).contains(&now) {
                    if now != file {
                        notice(&format!("{id}: parallelism {now} by a rescale; the job file says {file}"));
                    }
                    shape.parallelism.insert(id.clone(), now);
                } else {
                    // Logs of older versions have what could never be deployed.
                    notice(&format!("{id}: parallelism {now} by a rescale cannot be; the job file's {file} holds"));
                }
            }
            if let Some(component) = component {
                shape.go_on_with(id, component, &stored, notice)?;
            }
        }
        let assembly = shape.assemble()?;
        for vertex in &assembly.graph.vertices {
            if let Some(digest) = digest_of(vertex) {
                // Of an operator that runs another component the file's is known already.
                shape.digests.entry(vertex.id.clone()).or_insert(digest);
            }
        }
        Ok((shape, assembly))
    }

    /// What a running job was changed to holds for the step that was changed, by its id. A renamed one has what its file says; where that is still the component that
    /// an upgrade has replaced, it would go back in silence, and is refused.
    fn renamed(
        &self,
        (was, id): (&str, &str),
        parallelism: Option<Replaced<u32>>,
        component: Option<Replaced<String>>,
        notice: &dyn Fn(&str),
    ) -> Result<(), Failure> {
        if let Some(Replaced { file, now }) = parallelism.filter(|change| change.now != change.file) {
            notice(&format!(
                "{id}: parallelism {now} was that of {was} by a rescale; of a step that is renamed the job file's holds ({file} then)"
            ));
        }
        let Some(Replaced { file, now }) = component.filter(|change| change.now != change.file) else { return Ok(()) };
        if !self.plugins.contains_key(id) || self.plugin(id)?.component().digest != file {
            return Ok(());
        }
        let message =
            format!("{id} was {was}, whose component is {now} by an upgrade; the job file still names {file}, which that replaced");
        let hint = format!("name the component of the upgrade in the job file (the job's storage keeps it as {})", paths::plugin(&now));
        Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint).about_steps(vec![id.to_owned()]).into())
    }

    /// Runs the component of an upgrade in place of the file's, unless the file names another by now.
    fn go_on_with(
        &mut self,
        id: String,
        Replaced { file, now }: Replaced<String>,
        stored: &impl Fn(&str) -> Result<Option<Bytes>, EngineError>,
        notice: &dyn Fn(&str),
    ) -> Result<(), Failure> {
        if !self.plugins.contains_key(&id) {
            return Ok(());
        }
        let named = self.plugin(&id)?.component().digest.clone();
        // A component that is kept, with the checkpoint or by the upgrade, stands in for what the file names, and is not named there.
        let of_file = match self.plugins.get(&id) {
            Some(PluginOrigin::Stored { .. }) => file.clone(),
            Some(PluginOrigin::File(_) | PluginOrigin::Referenced(_)) | None => named.clone(),
        };
        self.digests.insert(id.clone(), of_file);
        if named == file && named != now {
            let short = |digest: &str| digest.chars().take(8).collect::<String>();
            let names = match self.plugins.get(&id) {
                Some(PluginOrigin::Referenced(found)) => format!("{} was {} when this began", found.reference, short(&file)),
                Some(PluginOrigin::File(_) | PluginOrigin::Stored { .. }) | None => format!("the job file names {}", short(&file)),
            };
            notice(&format!("{id}: component {} by an upgrade; {names}", short(&now)));
            let name = paths::plugin(&now);
            let bytes = stored(&name)?.ok_or_else(|| {
                EngineError::new(ErrorKind::Corrupt, format!("{id}: the component {name} is missing from the job's storage"))
                    .with_hint("name the new component in the job file")
            })?;
            self.plugins.insert(id, PluginOrigin::Stored { name, digest: now, bytes });
        } else if named != file && named != now && file != now {
            // What was the file's own when it took over has given way to the file before, and that is no news.
            notice(&format!("{id}: the job file names another component by now; the upgrade does not count any more"));
        }
        Ok(())
    }

    /// The graph as it is to run.
    pub fn assemble(&self) -> Result<Assembly, Failure> {
        let job = self.file.rescaled(&self.parallelism).map_err(fix)?;
        assemble_with(&job, |id| self.plugin(id))
    }

    /// What the job file refers to, where the operator runs what that led to.
    pub fn reference(&self, id: &str) -> Option<ReferenceDocument> {
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

    fn plugin(&self, id: &str) -> Result<Plugin, Failure> {
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
        let known = self.file.parallelisms();
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
            component: None,
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
        let is_of_file = self.is_of_file(&component);
        let mut shape = self.clone();
        shape.components.retain(|other| other.operator != id);
        shape.components.push(component);
        let graph = shape.assemble()?.graph;
        let vertex = graph.vertices.iter().find(|vertex| vertex.id == id);
        let component = vertex.and_then(digest_of).map(|now| {
            let file = if is_of_file { now.clone() } else { file.clone() };
            shape.digests.insert(id.clone(), file.clone());
            Replaced { file, now }
        });
        let overrides = vec![Override { vertex: id, parallelism: None, component }];
        Ok(Planned { change: GraphChange { graph, overrides }, shape, left_alone: Vec::new() })
    }
}

fn no_such_plugin<'a>(id: &str, plugins: impl Iterator<Item = &'a String>) -> String {
    let plugins: Vec<&str> = plugins.map(String::as_str).collect();
    let has = if plugins.is_empty() { "none of its operators runs one".to_owned() } else { format!("it has {}", plugins.join(", ")) };
    format!("the job has no operator `{id}` that runs a plugin; {has}")
}

fn fix(message: String) -> Failure {
    Failure::Engine(fix_input(message))
}

fn fix_input(message: String) -> EngineError {
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
