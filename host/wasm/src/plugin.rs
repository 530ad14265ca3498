//! A plugin: a component that has been packed, checked against the world, compiled, and asked what it is.

use crate::bindings::OperatorPre;
use crate::bindings::weir::operator::{collections, logging};
use crate::compile::{self, Cached, CompileLimits, Examined, Source, Task, Unfit};
use crate::descriptor;
use crate::engine::WasmEngine;
use crate::guest_log::GuestLog;
use crate::host_state::HostState;
use crate::instance::GuestInstance;
use crate::limits::Limits;
use crate::metadata::{self, PluginMetadata};
use crate::pack::{self, Problem};
use crate::{stand_ins, standard_streams};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use wasmtime::component::{Component, HasSelf, Linker};
use weir_engine::operator::{self, OperatorDescriptor};
use weir_engine::{EngineError, ErrorKind};

/// A plugin that is ready to be instantiated. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) inner: Arc<Inner>,
    /// What it was read from, for errors. The same bytes may lie in several files.
    pub(crate) file: Arc<str>,
    /// What it was compiled within.
    compiled_within: CompileLimits,
}

/// What all plugins of the same bytes share.
pub(crate) struct Inner {
    pub(crate) engine: WasmEngine,
    pub(crate) pre: OperatorPre<HostState>,
    pub(crate) descriptor: OperatorDescriptor,
    pub(crate) component: operator::Component,
    imports: Vec<String>,
}

impl Inner {
    fn examine_anew(source: &Source<'_>, engine: &WasmEngine) -> Result<Self, Unfit> {
        let examined = compile::compile(source, engine, Cached::Use)?;
        let (examined, component) = match deserialize(&examined.code, engine) {
            Ok(component) => (examined, component),
            // Kept by another weir, perhaps. Compiled anew, it has to be taken.
            Err(_) => {
                let examined = compile::compile(source, engine, Cached::Replace)?;
                let component = deserialize(&examined.code, engine)?;
                (examined, component)
            }
        };
        let Examined { imports, component: packed, code } = examined;
        // Wasmtime has made its own of it.
        drop(code);
        let pre = link(&component, engine).map_err(|error| Problem::new(format!("it cannot be linked: {error:#}")))?;
        let descriptor = describe(engine, &pre).map_err(Unfit::Problems)?;
        let bytes = packed.unwrap_or_else(|| source.bytes.to_vec());
        let component = operator::Component { digest: hex(&Sha256::digest(&bytes)), bytes: bytes.into() };
        Ok(Self { engine: engine.clone(), pre, descriptor, component, imports })
    }
}

/// The plugins of an engine that somebody holds, by the SHA-256 of the file that each was loaded from: a job that is rescaled loads all of its own again.
#[derive(Default)]
pub(crate) struct Loaded(Mutex<HashMap<[u8; 32], Weak<Inner>>>);

impl Loaded {
    fn find(&self, file: &[u8; 32]) -> Option<Arc<Inner>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(file)?.upgrade()
    }

    fn note(&self, file: [u8; 32], inner: &Arc<Inner>) {
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, inner| inner.strong_count() > 0);
        loaded.insert(file, Arc::downgrade(inner));
    }
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
    /// What it keeps, it keeps by key and window.
    pub windowed: bool,
    /// Names of the states of which it makes one where windows become one.
    pub merging: Vec<String>,
    /// Interfaces that the component imports.
    pub imports: Vec<String>,
    /// What its sections say of it.
    pub metadata: PluginMetadata,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.descriptor().name).field("digest", &self.component().digest).finish_non_exhaustive()
    }
}

impl Plugin {
    /// Loads a component, or a core module that carries its component type.
    pub fn load(path: &Path, engine: &WasmEngine) -> Result<Self, EngineError> {
        Self::load_within(path, engine, CompileLimits::default())
    }

    /// As [`Plugin::load`], within other limits than the file's size gives.
    pub fn load_within(path: &Path, engine: &WasmEngine, limits: CompileLimits) -> Result<Self, EngineError> {
        let name = path.display().to_string();
        Self::from_bytes_within(&name, &read_plugin(path)?, engine, limits)
    }

    /// As [`Plugin::load`], from memory; `name` is for messages.
    pub fn from_bytes(name: &str, bytes: &[u8], engine: &WasmEngine) -> Result<Self, EngineError> {
        Self::from_bytes_within(name, bytes, engine, CompileLimits::default())
    }

    /// As [`Plugin::from_bytes`], within other limits than the file's size gives.
    pub fn from_bytes_within(name: &str, bytes: &[u8], engine: &WasmEngine, limits: CompileLimits) -> Result<Self, EngineError> {
        Self::examine(&Source { name, bytes, limits }, engine).map_err(|unfit| unfit.into_error(name))
    }

    /// What somebody holds already, or a new one.
    fn examine(source: &Source<'_>, engine: &WasmEngine) -> Result<Self, Unfit> {
        let digest = Sha256::digest(source.bytes).into();
        let (file, compiled_within) = (source.name.into(), source.limits);
        if let Some(inner) = engine.loaded.find(&digest) {
            return Ok(Self { inner, file, compiled_within });
        }
        let inner = Arc::new(Inner::examine_anew(source, engine)?);
        engine.loaded.note(digest, &inner);
        Ok(Self { inner, file, compiled_within })
    }

    /// The same with code that counts fuel, which may have to be compiled for that.
    pub(crate) fn counting_fuel(&self) -> Result<Self, EngineError> {
        let engine = self.inner.engine.counting_fuel()?;
        if engine.mode == self.inner.engine.mode {
            return Ok(self.clone());
        }
        Self::from_bytes_within(&self.file, &self.component().bytes, &engine, self.compiled_within)
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
        let merging = declared.merging.iter().map(|&state| declared.states[state].name.clone()).collect();
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
            windowed: declared.windowed,
            merging,
            imports: self.inner.imports.clone(),
            metadata: PluginMetadata::of(&self.inner.component.bytes),
        }
    }
}

/// What [`check`] has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The file is a plugin of this weir.
    Fits(Box<PluginInfo>),
    /// Everything that keeps it from being one.
    Unfit(Vec<Problem>),
}

/// Says whether the file is a plugin of this weir. An error is nothing that the file is to blame for.
pub fn check(path: &Path, engine: &WasmEngine) -> Result<Verdict, EngineError> {
    let name = path.display().to_string();
    verdict(pack::read(path).map_err(Unfit::from).and_then(|bytes| examine_whole(&name, &bytes, engine)))
}

/// As [`check`], from memory; `name` is for messages.
pub fn check_bytes(name: &str, bytes: &[u8], engine: &WasmEngine) -> Result<Verdict, EngineError> {
    verdict(examine_whole(name, bytes, engine))
}

fn examine_whole(name: &str, bytes: &[u8], engine: &WasmEngine) -> Result<Plugin, Unfit> {
    Plugin::examine(&Source { name, bytes, limits: CompileLimits::default() }, engine)
}

fn verdict(examined: Result<Plugin, Unfit>) -> Result<Verdict, EngineError> {
    match examined {
        Ok(plugin) => Ok(Verdict::Fits(Box::new(plugin.info()))),
        Err(Unfit::Problems(problems)) => Ok(Verdict::Unfit(problems)),
        Err(Unfit::Failed(error)) => Err(error),
    }
}

/// Reads a plugin's file, up to the size that is ever taken.
pub fn read_plugin(path: &Path) -> Result<Vec<u8>, EngineError> {
    pack::read(path).map_err(|problem| refusal(&path.display().to_string(), &[problem]))
}

/// The component that the core module in `bytes` stands for, with the world's type added where it carries none. `name` is for messages.
pub fn pack_component(name: &str, bytes: &[u8], engine: &WasmEngine) -> Result<Vec<u8>, EngineError> {
    let source = Source { name, bytes, limits: CompileLimits::default() };
    let packed = compile::run(Task::Pack, &source, engine).map_err(|unfit| unfit.into_error(name))?;
    Ok(packed.component.unwrap_or_else(|| bytes.to_vec()))
}

/// As [`pack_component`], with the name and the version that the plugin declares in the component's sections; and what it declares.
pub fn pack_named(name: &str, bytes: &[u8], engine: &WasmEngine) -> Result<(Vec<u8>, PluginInfo), EngineError> {
    let packed = pack_component(name, bytes, engine)?;
    let info = Plugin::from_bytes(name, &packed, engine)?.info();
    let named = metadata::named(&packed, &info.name, &info.version);
    if named == packed {
        return Ok((packed, info));
    }
    compile::share(&packed, &named, engine);
    let digest = format!("sha256:{}", hex(&Sha256::digest(&named)));
    let info = PluginInfo { digest, size: named.len() as u64, metadata: PluginMetadata::of(&named), ..info };
    Ok((named, info))
}

/// Refuses a component of a newer version of the world than this weir hosts; nothing else is looked at. `name` is for messages.
pub fn check_hosted(name: &str, bytes: &[u8], engine: &WasmEngine) -> Result<(), EngineError> {
    let source = Source { name, bytes, limits: CompileLimits::default() };
    compile::run(Task::World, &source, engine).map(drop).map_err(|unfit| unfit.into_error(name))
}

impl Unfit {
    fn into_error(self, name: &str) -> EngineError {
        match self {
            Self::Problems(problems) => refusal(name, &problems),
            Self::Failed(error) => error,
        }
    }
}

/// Compiled code as code.
#[expect(unsafe_code, reason = "wasmtime trusts what it is given here")]
fn deserialize(code: &[u8], engine: &WasmEngine) -> Result<Component, Problem> {
    // SAFETY: the code was serialized by this same wasmtime, in this process, in one of this program's own that said so on its own pipe, or in an earlier run
    // that kept it in a folder which nobody but this user can write to; what was kept is whole by its checksum.
    let component = unsafe { Component::deserialize(&engine.engine, code) };
    component.map_err(|error| Problem::new(format!("its compiled code cannot be used: {error:#}")))
}

/// Links every import.
pub(crate) fn link(component: &Component, engine: &WasmEngine) -> wasmtime::Result<OperatorPre<HostState>> {
    let mut linker = Linker::<HostState>::new(&engine.engine);
    collections::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    logging::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    stand_ins::link(&mut linker, component, &engine.engine)?;
    standard_streams::link(&mut linker)?;
    OperatorPre::new(linker.instantiate_pre(component)?)
}

/// Memory of an instance that describes itself: the job's limit is not known yet.
pub(crate) const DESCRIBE_MEMORY: u64 = 256 << 20;

/// Elements of the tables of such an instance.
const DESCRIBE_ELEMENTS: u64 = 1 << 20;

/// Asks a throwaway instance, whose imports trap, within limits.
pub(crate) fn describe(engine: &WasmEngine, pre: &OperatorPre<HostState>) -> Result<OperatorDescriptor, Vec<Problem>> {
    let limits = Limits { memory: DESCRIBE_MEMORY, table_elements: DESCRIBE_ELEMENTS, ..Limits::default() };
    let log = GuestLog::new("describe", 0, 0);
    let described = GuestInstance::new(engine, pre, &limits, log).and_then(|mut guest| guest.describe(limits.time_per_batch));
    match described {
        Ok(descriptor) => descriptor::checked(descriptor),
        Err(fault) => {
            let hint = "describe has to answer in every new instance, at once, and without any call of the host";
            let backtrace = fault.backtrace().map(str::to_owned);
            let told = fault.in_own_words();
            let (first, others) = told.split_once('\n').map_or((&*told, None), |(first, others)| (first, Some(others)));
            let problem = Problem::new(format!("it does not describe itself: {first}")).lines(others).lines(backtrace.as_deref());
            Err(vec![problem.hint(hint)])
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

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
