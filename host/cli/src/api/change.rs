//! The graphs that a running job can change to: the job file with what was changed by hand, and one more change.

use crate::assemble::{Assembly, PluginPaths, assemble_with};
use crate::commands::wasm_engine;
use crate::failure::Failure;
use crate::job_file::JobFile;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use weir_engine::checkpoint::{Override, Replaced};
use weir_engine::job::{GraphChange, VertexKind};
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::{Plugin, WasmEngine};

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
    /// Where its plugins are.
    pub plugins: PluginPaths,
    /// SHA-256 of the components that the file names, by operator; those that it does not run as included.
    pub digests: BTreeMap<String, String>,
    /// The parallelism of the steps that have another than the file says.
    pub parallelism: BTreeMap<String, u32>,
    /// Components of the operators that run another than the file says.
    pub components: Vec<OtherComponent>,
}

/// A change that has been worked out, and what the job is then.
pub(crate) struct Planned {
    pub change: GraphChange,
    pub shape: Shape,
}

/// The compiler, started when it is first needed.
static WASM: Mutex<Option<WasmEngine>> = Mutex::new(None);

/// One compiler for the whole process.
pub(crate) fn shared_engine() -> Result<WasmEngine, Failure> {
    let mut engine = WASM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = &*engine {
        return Ok(engine.clone());
    }
    Ok(engine.insert(wasm_engine()?).clone())
}

impl Shape {
    /// The graph as it is to run.
    pub fn assemble(&self) -> Result<Assembly, Failure> {
        let job = self.file.rescaled(&self.parallelism).map_err(fix)?;
        assemble_with(&job, |id| self.plugin(id))
    }

    fn plugin(&self, id: &str) -> Result<Plugin, Failure> {
        let plugin = match self.components.iter().find(|other| other.operator == id) {
            Some(other) => Plugin::from_bytes(&other.name, &other.bytes, &shared_engine()?),
            None => Plugin::load(self.plugins.get(id).expect("every plugin has been found or built"), &shared_engine()?),
        };
        Ok(plugin.map_err(|error| error.context(format!("{id}: load the plugin")))?)
    }

    /// With this parallelism of one step, or of all that can have it.
    pub fn rescaled(&self, parallelism: u32, operator: Option<&str>) -> Result<Planned, Failure> {
        let known = self.file.parallelisms();
        let ids: Vec<String> = match operator {
            Some(id) => vec![id.to_owned()],
            None => known.keys().filter(|id| !self.file.is_single(id)).cloned().collect(),
        };
        let mut shape = self.clone();
        shape.parallelism.extend(ids.iter().map(|id| (id.clone(), parallelism)));
        let graph = shape.assemble()?.graph;
        let change = |id: &String| Override {
            vertex: id.clone(),
            parallelism: known.get(id).map(|&file| Replaced { file, now: parallelism }),
            component: None,
        };
        Ok(Planned { change: GraphChange { graph, overrides: ids.iter().map(change).collect() }, shape })
    }

    /// With another component for one operator.
    pub fn upgraded(&self, component: OtherComponent) -> Result<Planned, Failure> {
        let id = component.operator.clone();
        let Some(file) = self.digests.get(&id) else {
            let plugins: Vec<&str> = self.digests.keys().map(String::as_str).collect();
            return Err(fix(format!("the job has no operator `{id}` that runs a plugin; it has {}", plugins.join(", "))));
        };
        let mut shape = self.clone();
        shape.components.retain(|other| other.operator != id);
        shape.components.push(component);
        let graph = shape.assemble()?.graph;
        let vertex = graph.vertices.iter().find(|vertex| vertex.id == id);
        let now = vertex.and_then(|vertex| match &vertex.kind {
            VertexKind::Operator(factory) => factory.component().map(|component| component.digest.clone()),
            VertexKind::Source { .. } | VertexKind::Sink(_) => None,
        });
        let component = now.map(|now| Replaced { file: file.clone(), now });
        let overrides = vec![Override { vertex: id, parallelism: None, component }];
        Ok(Planned { change: GraphChange { graph, overrides }, shape })
    }
}

fn fix(message: String) -> Failure {
    Failure::Engine(EngineError::new(ErrorKind::FixInput, message))
}
