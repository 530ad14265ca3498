//! A plugin: a component that has been packed, checked against the world, compiled, and asked what it is.

use crate::bindings::OperatorPre;
use crate::bindings::weir::operator::{collections, logging};
use crate::descriptor;
use crate::engine::WasmEngine;
use crate::guest_log::GuestLog;
use crate::host_state::HostState;
use crate::instance::GuestInstance;
use crate::limits::Limits;
use crate::pack::{self, Problem};
use crate::{stand_ins, standard_streams, world};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use wasmtime::component::{Component, HasSelf, Linker};
use weir_engine::operator::{self, OperatorDescriptor};
use weir_engine::{EngineError, ErrorKind};

/// A plugin that is ready to be instantiated. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) inner: Arc<Inner>,
}

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) engine: WasmEngine,
    pub(crate) pre: OperatorPre<HostState>,
    pub(crate) descriptor: OperatorDescriptor,
    pub(crate) component: operator::Component,
    /// What it was read from, for errors.
    pub(crate) file: String,
    imports: Vec<String>,
}

/// What `weir plugin inspect` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginInfo {
    /// Version of this document.
    pub schema: u32,
    /// As the plugin says.
    pub name: String,
    /// As the plugin says.
    pub version: String,
    /// `sha256:` and the digest of the component, in hex.
    pub digest: String,
    /// Bytes of the component.
    pub size: u64,
    /// Declared inputs.
    pub inputs: Vec<operator::InputDescriptor>,
    /// Declared outputs.
    pub outputs: Vec<operator::OutputDescriptor>,
    /// Declared states.
    pub states: Vec<weir_engine::state::StateDescriptor>,
    /// Declared timers.
    pub timers: Vec<operator::TimerDescriptor>,
    /// Interfaces that the component imports.
    pub imports: Vec<String>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.descriptor().name).field("digest", &self.component().digest).finish_non_exhaustive()
    }
}

impl Plugin {
    /// Loads a component, or a core module that carries its component type.
    pub fn load(path: &Path, engine: &WasmEngine) -> Result<Self, EngineError> {
        let refused = |problems: Vec<Problem>| refusal(&path.display().to_string(), &problems);
        let bytes = pack::read(path).map_err(|problem| refused(vec![problem]))?;
        Self::examine(&path.display().to_string(), &bytes, engine).map_err(refused)
    }

    /// As [`Plugin::load`], from memory; `name` is for messages.
    pub fn from_bytes(name: &str, bytes: &[u8], engine: &WasmEngine) -> Result<Self, EngineError> {
        Self::examine(name, bytes, engine).map_err(|problems| refusal(name, &problems))
    }

    fn examine(file: &str, bytes: &[u8], engine: &WasmEngine) -> Result<Self, Vec<Problem>> {
        let bytes = pack::pack(bytes).map_err(|problem| vec![problem])?;
        let world::Fit { imports, problems } = world::fit(&bytes);
        if !problems.is_empty() {
            return Err(pack::invalid(&bytes).map_or(problems, |invalid| vec![invalid]));
        }
        let pre = compile(&bytes, engine).map_err(|error| {
            let unknown = || Problem::new(format!("it cannot be compiled or linked: {error:#}"));
            vec![pack::invalid(&bytes).unwrap_or_else(unknown)]
        })?;
        let descriptor = describe(engine, &pre)?;
        let component = operator::Component { digest: hex(&Sha256::digest(&bytes)), bytes: bytes.into() };
        let file = file.to_owned();
        Ok(Self { inner: Arc::new(Inner { engine: engine.clone(), pre, descriptor, component, file, imports }) })
    }

    /// What the plugin declares.
    pub fn descriptor(&self) -> &OperatorDescriptor {
        &self.inner.descriptor
    }

    /// The component and its digest.
    pub fn component(&self) -> &operator::Component {
        &self.inner.component
    }

    /// The document of `weir plugin inspect`.
    pub fn info(&self) -> PluginInfo {
        let declared = self.inner.descriptor.clone();
        PluginInfo {
            schema: 1,
            name: declared.name,
            version: declared.version,
            digest: format!("sha256:{}", self.inner.component.digest),
            size: self.inner.component.bytes.len() as u64,
            inputs: declared.inputs,
            outputs: declared.outputs,
            states: declared.states,
            timers: declared.timers,
            imports: self.inner.imports.clone(),
        }
    }
}

/// Everything that keeps the file from being a plugin of this weir; nothing where it is one.
pub fn check(path: &Path, engine: &WasmEngine) -> Vec<Problem> {
    match pack::read(path) {
        Ok(bytes) => Plugin::examine("", &bytes, engine).err().unwrap_or_default(),
        Err(problem) => vec![problem],
    }
}

/// Compiles, or takes what an earlier run compiled, and links every import.
fn compile(bytes: &[u8], engine: &WasmEngine) -> wasmtime::Result<OperatorPre<HostState>> {
    let component = Component::from_binary(&engine.engine, bytes)?;
    let mut linker = Linker::<HostState>::new(&engine.engine);
    collections::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    logging::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    stand_ins::link(&mut linker, &component, &engine.engine)?;
    standard_streams::link(&mut linker)?;
    OperatorPre::new(linker.instantiate_pre(&component)?)
}

/// Memory of an instance that describes itself: the job's limit is not known yet.
const DESCRIBE_MEMORY: u64 = 256 << 20;

/// Asks a throwaway instance, whose imports trap, within limits.
fn describe(engine: &WasmEngine, pre: &OperatorPre<HostState>) -> Result<OperatorDescriptor, Vec<Problem>> {
    let limits = Limits { memory: DESCRIBE_MEMORY, ..Limits::default() };
    let log = GuestLog::new("describe", 0, 0);
    let described = GuestInstance::new(engine, pre, &limits, log).and_then(|mut guest| guest.describe(limits.time_per_batch));
    match described {
        Ok(descriptor) => descriptor::checked(descriptor),
        Err(fault) => {
            let hint = "describe has to answer in every new instance, at once, and without any call of the host";
            Err(vec![Problem::new(format!("it does not describe itself: {fault}")).backtrace(fault.backtrace()).hint(hint)])
        }
    }
}

fn refusal(name: &str, problems: &[Problem]) -> EngineError {
    let hint = problems.iter().find_map(|problem| problem.hint.clone());
    let whats: Vec<&str> = problems.iter().map(|problem| problem.what.as_str()).collect();
    let list = if let [what] = whats[..] { what.to_string() } else { whats.iter().map(|what| format!("\n  - {what}")).collect() };
    let error = EngineError::new(ErrorKind::FixInput, format!("load plugin {name}: {list}"));
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
