//! From a file to a component: what an author's compiler leaves is either one already, or a core module that carries its component type.
//!
//! The latter is what plain `cargo build --target wasm32-unknown-unknown` makes; nobody needs a tool of the component model. A module of a language
//! whose compiler knows nothing of components has its type added: it is the world's.

mod order;

use crate::guest_text::printable;
use crate::world;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The largest plugin that is read.
pub const PLUGIN_BYTES: u64 = 32 << 20;

/// The adapter of preview 1, which has nothing behind it, and the type of what it hands on.
pub(crate) const ADAPTER: [&str; 2] = [include_str!("null_wasi.wat"), include_str!("standard_streams.wit")];
/// The adapter's text, translated: who builds weir needs no translator. A test holds the two together.
const ADAPTER_MODULE: &[u8] = include_bytes!("null_wasi.wasm");

/// Bytes of one problem's text.
const PROBLEM_BYTES: usize = 16_384;

/// Why a file is no plugin, with what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// What does not fit.
    pub what: String,
    /// What the author can do.
    pub hint: Option<String>,
}

impl Problem {
    /// What it says may hold names out of the file.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: printable(&what.into(), PROBLEM_BYTES), hint: None }
    }

    /// With lines of their own, as the functions that a guest was in, which are fit to be shown.
    pub(crate) fn lines(mut self, lines: Option<&str>) -> Self {
        if let Some(lines) = lines {
            self.what = format!("{}\n{lines}", self.what);
        }
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Reads a plugin's file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    use std::io::Read;
    let failed = |error: std::io::Error| Problem::new(format!("it cannot be read: {error}"));
    let file = open_regular(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(PLUGIN_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Opens what is a file: a pipe would be waited for without end.
fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::fcntl::OFlag::O_NONBLOCK.bits());
    let file = options.open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let what = if kind.is_dir() { "a folder" } else { "no regular file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}")))
}

/// The component in `bytes`, which are read in this process and without a bound: for files that this process's owner made.
pub fn pack(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    check_container(bytes)?;
    if Parser::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    if !carries_component_type(bytes) {
        return Err(invalid(bytes).unwrap_or_else(|| {
            Problem::new("it is a core module that does not carry its component type")
                .hint("`weir plugin pack` adds it; SDKs and wit-bindgen do, unless custom sections (`component-type…`) are stripped")
        }));
    }
    encode(bytes).map_err(|error| invalid(bytes).unwrap_or_else(|| unpackable(&error)))
}

/// As [`pack`], with the world's own type where a module carries none. The modules of a component that there is are put in order.
pub(crate) fn pack_adding_type(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    if Parser::is_component(bytes) {
        return pack(bytes).map(|component| order::ordered(&component).unwrap_or(component));
    }
    if carries_component_type(bytes) {
        return pack(bytes);
    }
    let mut module = bytes.to_vec();
    let (resolve, world) = world::ours();
    embed_component_metadata(&mut module, resolve, *world, StringEncoding::UTF8).map_err(|error| unpackable(&error))?;
    encode(&module).map_err(|error| unpackable(&error))
}

fn unpackable(error: &anyhow::Error) -> Problem {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    Problem::new(format!("it cannot be made a component: {}", chain.join(": ")))
        .hint("the module has to export all of weir:operator/guest and to import nothing but weir:*")
}

/// Refuses what is not valid WebAssembly, the component that a module's custom section holds included.
pub(crate) fn check_valid(bytes: &[u8]) -> Result<(), Problem> {
    if let Some(problem) = invalid(bytes) {
        return Err(problem);
    }
    if Parser::is_component(bytes) {
        return Ok(());
    }
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(Payload::CustomSection(section)) = payload else { continue };
        if is_component_type(section.name())
            && let Some(problem) = invalid(section.data())
        {
            return Err(Problem { what: format!("its component type cannot be read: {}", problem.what), ..problem });
        }
    }
    Ok(())
}

/// What is wrong with bytes that are not valid WebAssembly.
fn invalid(bytes: &[u8]) -> Option<Problem> {
    let error = Validator::new_with_features(features()).validate_all(bytes).err()?;
    let hint = if error.message().contains("unexpected end") { "the file is cut off; build or copy it again" } else { "build it again" };
    Some(Problem::new(format!("it is not valid WebAssembly: {}", error.message())).hint(hint))
}

fn features() -> WasmFeatures {
    WasmFeatures::default() | WasmFeatures::COMPONENT_MODEL
}

/// Size and magic.
pub(crate) fn check_container(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.len() as u64 > PLUGIN_BYTES {
        return Err(
            Problem::new(format!("it is larger than {} MiB", PLUGIN_BYTES >> 20)).hint("build it optimised, and strip debug information")
        );
    }
    if bytes.starts_with(b"\0asm") {
        return Ok(());
    }
    if bytes.starts_with(b"\x7fELF") {
        return Err(Problem::new("it is a precompiled component (.cwasm) or another native program, and those are never run")
            .hint("name the .wasm file; weir compiles it and keeps the result"));
    }
    if bytes.is_empty() {
        return Err(Problem::new("it is empty"));
    }
    if bytes.trim_ascii_start().starts_with(b"(") {
        return Err(Problem::new("it is WebAssembly's text form").hint("translate it with `wasm-tools parse`"));
    }
    Err(Problem::new("it is not a WebAssembly file"))
}

/// True where wit-bindgen has left what the module wants to be.
fn carries_component_type(module: &[u8]) -> bool {
    Parser::new(0)
        .parse_all(module)
        .any(|payload| matches!(payload, Ok(Payload::CustomSection(section)) if is_component_type(section.name())))
}

/// True for the custom section that says what a module wants to be.
pub(crate) fn is_component_type(section: &str) -> bool {
    section.starts_with("component-type")
}

fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default().validate(false).module(module)?.adapter("wasi_snapshot_preview1", null_wasi())?.encode()
}

/// The adapter with nothing behind it, and with the type of what it hands on.
fn null_wasi() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut module = ADAPTER_MODULE.to_vec();
        let mut resolve = Resolve::default();
        let package = resolve.push_source("standard_streams.wit", ADAPTER[1]).expect("its world is part of weir");
        let world = resolve.select_world(&[package], Some("adapter")).expect("the package has a world adapter");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module takes a custom section");
        module
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.wasm");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&pipe).unwrap_err().what, "it cannot be read: it is no regular file");
        assert_eq!(read(folder.path()).unwrap_err().what, "it cannot be read: it is a folder");
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().what, "it cannot be read: it is no regular file");
    }
    use wasmtime::{Caller, Engine, Instance, Linker, Memory, MemoryType, Module, Store};

    #[test]
    fn the_adapters_module_is_its_text() {
        let translated = wat::parse_str(ADAPTER[0]).expect("the adapter parses");
        if std::env::var_os("WEIR_REFRESH_DOCS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/pack/null_wasi.wasm"), &translated).expect("it is written");
        }
        assert!(translated == ADAPTER_MODULE, "WEIR_REFRESH_DOCS=1 cargo test -p weir-wasm --lib adapter");
    }

    /// The adapter with a memory of its own.
    fn adapter() -> (Store<Vec<u8>>, Instance, Memory) {
        let engine = Engine::default();
        let module = Module::new(&engine, null_wasi()).unwrap();
        let mut store = Store::new(&engine, Vec::new());
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define(&store, "env", "memory", memory).unwrap();
        let hand_on = move |mut caller: Caller<'_, Vec<u8>>, descriptor: u32, at: u32, bytes: u32| {
            caller.data_mut().push(descriptor as u8);
            let written = memory.data(&caller)[at as usize..][..bytes as usize].to_vec();
            caller.data_mut().extend(written);
        };
        linker.func_wrap(crate::standard_streams::INTERFACE, "write", hand_on).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        (store, instance, memory)
    }

    #[test]
    fn chance_of_the_null_adapter_is_one_fixed_sequence() {
        let bytes = || {
            let (mut store, instance, memory) = adapter();
            let random = instance.get_typed_func::<(i32, i32), i32>(&mut store, "random_get").unwrap();
            assert_eq!(random.call(&mut store, (100, 16)).unwrap(), 0);
            memory.data(&store)[90..126].to_vec()
        };
        let first = bytes();
        assert_eq!(first, bytes());
        assert!(first[10..26].windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!((&first[..10], &first[26..]), (&[0; 10][..], &[0; 10][..]));
    }

    #[test]
    fn the_null_adapter_hands_on_the_end_of_what_goes_to_the_standard_streams_alone() {
        let (mut store, instance, memory) = adapter();
        let write = instance.get_typed_func::<(i32, i32, i32, i32), i32>(&mut store, "fd_write").unwrap();
        memory.write(&mut store, 0, bytemuck::cast_slice(&[500_u32, 4, 600, 0, 1_000, 5_000])).unwrap();
        memory.write(&mut store, 500, b"abcd").unwrap();
        memory.write(&mut store, 5_990, b"the end - ").unwrap();
        for (fd, handed_on) in [(3, 0), (0, 0), (1, 1 + 4 + 1 + 4_096), (2, 2 * (1 + 4 + 1 + 4_096))] {
            assert_eq!(write.call(&mut store, (fd, 0, 3, 64)).unwrap(), 0);
            assert_eq!(memory.data(&store)[64..68], 5_004_u32.to_le_bytes());
            assert_eq!(store.data().len(), handed_on, "descriptor {fd}");
        }
        assert!(store.data().starts_with(b"\x01abcd\x01") && store.data().ends_with(b"the end - "));
    }

    #[test]
    fn the_null_adapter_takes_writes_and_moves_its_clock() {
        let (mut store, instance, memory) = adapter();
        memory.write(&mut store, 0, bytemuck::cast_slice(&[500_u32, 7, 600, 5])).unwrap();
        let write = instance.get_typed_func::<(i32, i32, i32, i32), i32>(&mut store, "fd_write").unwrap();
        assert_eq!(write.call(&mut store, (1, 0, 2, 64)).unwrap(), 0);
        assert_eq!(memory.data(&store)[64], 12);
        let clock = instance.get_typed_func::<(i32, i64, i32), i32>(&mut store, "clock_time_get").unwrap();
        let mut look = || {
            clock.call(&mut store, (0, 1, 72)).unwrap();
            u64::from_le_bytes(memory.data(&store)[72..80].try_into().unwrap())
        };
        assert_eq!((look(), look()), (0, 1_000_000));
        let open = instance.get_typed_func::<i32, i32>(&mut store, "fd_close").unwrap();
        assert_eq!(open.call(&mut store, 3).unwrap(), 8);
    }
}
