//! Files that are plugins, and files that are not.

use crate::support::{engine, puppet, puppet_path, windowed_puppet};
use std::sync::OnceLock;
use weir_wasm::{CompileCache, CompileIn, EngineMode, Plugin, Verdict, WasmEngine, check, pack};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

fn shared() -> &'static WasmEngine {
    static ENGINE: OnceLock<WasmEngine> = OnceLock::new();
    ENGINE.get_or_init(|| engine(EngineMode::Fuel))
}

fn refused(bytes: &[u8]) -> String {
    Plugin::from_bytes("x.wasm", bytes, shared()).expect_err("a refusal").to_string()
}

/// A core module that fits `world` of `wit` and whose every function traps.
fn trapping(wit: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

fn operator_wit() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/operator.wit")).unwrap()
}

#[test]
fn a_core_module_and_its_component_are_the_same_plugin() {
    let module = std::fs::read(puppet_path()).unwrap();
    let component = pack(&module).unwrap();
    let from_component = Plugin::from_bytes("c", &component, shared()).unwrap();
    assert_eq!(from_component.info(), puppet(EngineMode::Fuel).info());
    let fits = check(puppet_path(), shared()).unwrap();
    assert_eq!(fits, Verdict::Fits(Box::new(from_component.info())));
}

#[test]
fn a_plugin_tells_what_it_is() {
    let info = serde_json::to_value(puppet(EngineMode::Fuel).info()).unwrap();
    assert_eq!((&info["schema"], &info["name"], &info["version"]), (&1.into(), &"puppet".into(), &"0.1.0".into()));
    assert_eq!(info["imports"], serde_json::json!(["weir:operator/collections@0.2.0", "weir:operator/logging@0.2.0"]));
    assert_eq!(info["states"][1]["kind"], "list");
    assert!(info["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(info["size"].as_u64().unwrap() > 1_000);
    assert_eq!((&info["windowed"], &info["merging"]), (&false.into(), &serde_json::json!([])));
}

#[test]
fn a_windowed_plugin_tells_that_it_is_and_which_of_its_states_merge() {
    let info = windowed_puppet().info();
    assert_eq!((info.windowed, info.merging), (true, vec!["count".to_owned(), "entries".to_owned()]));
}

#[test]
fn what_is_no_plugin_is_refused_with_the_reason() {
    let module = std::fs::read(puppet_path()).unwrap();
    assert!(refused(b"").contains("load plugin x.wasm: it is empty"));
    assert!(refused(b"hello").contains("it is not a WebAssembly file"));
    assert!(refused(b"(module)").contains("text form"));
    assert!(refused(b"\x7fELF...").contains("precompiled"));
    assert!(refused(&vec![0; (32 << 20) + 1]).contains("larger than 32 MiB"));
    assert!(refused(&wat::parse_str("(module)").unwrap()).contains("does not carry its component type"));
    assert!(refused(&pack(&module).unwrap()[..5_000]).contains("not valid WebAssembly"));
    let code = wasmtime::Engine::default().precompile_component(&pack(&module).unwrap()).unwrap();
    assert!(refused(&code).contains("precompiled"), "code is run as it is, so nobody's is taken");
    for cut in [8, 9, 100, module.len() / 2, module.len() - 1] {
        assert!(Plugin::from_bytes("cut", &module[..cut], shared()).is_err(), "cut at {cut}");
    }
}

#[test]
fn what_does_not_fit_the_world_is_listed_in_full() {
    let other = "package a:b; interface files { open: func(); } world w { import files; export run: func(); }";
    let message = refused(&trapping(other, "w"));
    assert!(message.contains("it imports a:b/files, which no plugin is given"), "{message}");
    assert!(message.contains("it does not export weir:operator/guest@0.2.0; it exports run"), "{message}");

    let newer = operator_wit().replace("export guest;", "import extra; export guest;") + "interface extra { more: func(); }";
    let message = refused(&trapping(&newer, "operator"));
    assert!(message.contains("it imports weir:operator/extra@0.2.0, which this weir does not have"), "{message}");

    let changed = operator_wit()
        .replace("log: func(level: level, message: string);", "log: func(message: string); flush: func();")
        .replace("  open: func(config: string, schemas: list<option<string>>, subtask: subtask) -> result<_, string>;\n", "")
        .replace("watermark: s64,", "watermark: u64,");
    let message = refused(&trapping(&changed, "operator"));
    for expect in [
        "imports weir:operator/logging@0.2.0 log with another type",
        "imports weir:operator/logging@0.2.0 flush, which this weir does not have",
        "exports weir:operator/guest@0.2.0 process with another type",
        "its weir:operator/guest@0.2.0 lacks the function open",
    ] {
        assert!(message.contains(expect), "{expect}: {message}");
    }
}

#[test]
fn a_plugin_that_cannot_describe_itself_is_refused() {
    let message = refused(&trapping(&operator_wit(), "operator"));
    assert!(message.contains("it does not describe itself: the plugin trapped: wasm trap: wasm `unreachable`"), "{message}");
}

#[test]
fn wasi_imports_are_linked_to_nothing() {
    let wit = operator_wit().replace("import logging;", "import logging; import wasi:cli/environment@0.2.6;");
    let wasi = "package wasi:cli@0.2.6 { interface environment { get-environment: func() -> list<tuple<string, string>>; } }";
    let component = ComponentEncoder::default().module(&trapping(&format!("{wit}\n{wasi}"), "operator")).unwrap().encode().unwrap();
    let message = refused(&component);
    // It is linked: only its describe, which traps, keeps it from being a plugin.
    assert!(message.contains("it does not describe itself"), "{message}");
}

#[test]
fn a_module_of_preview_1_is_packed_without_any_import_of_it() {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", "package a:b; world w { export run: func(); }").unwrap();
    let world = resolve.select_world(&[package], Some("w")).unwrap();
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1)
        (func (export "run")))"#;
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let message = refused(&pack(&module).unwrap());
    assert!(message.contains("it does not export weir:operator/guest") && !message.contains("import"), "{message}");
}

#[test]
fn what_a_module_of_preview_1_says_on_its_standard_error_is_in_the_error_of_its_trap() {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("operator.wit", &operator_wit()).unwrap();
    let world = resolve.select_world(&[package], Some("operator")).unwrap();
    let module = |fd: u32| {
        let guest = "weir:operator/guest@0.2.0";
        let text = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "\64\00\00\00\25\00\00\00")
                (data (i32.const 100) "Traceback:\0a  ValueError: \e2\80\ae no such\0a")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "{guest}#describe") (result i32)
                    (drop (call $write (i32.const {fd}) (i32.const 0) (i32.const 1) (i32.const 64)))
                    unreachable)
                (func (export "{guest}#open") (param i32 i32 i32 i32 i32 i32 i64) (result i32) unreachable)
                (func (export "{guest}#process") (param i32) (result i32) unreachable)
                (func (export "{guest}#on-timers")
                    (param i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
                (func (export "{guest}#on-windows") (param i32) (result i32) unreachable)
                (func (export "{guest}#merge") (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
                (func (export "{guest}#migrate") (param i32 i32 i32 i32 i32 i32) (result i32) unreachable))"#
        );
        let mut module = wat::parse_str(text).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    };
    // The author's own words come first, and what they ended in below them.
    let told = "it does not describe itself: Traceback:\n      ValueError: \\u{202e} no such\nthe plugin trapped: wasm trap: wasm `unreachable` instruction executed\n";
    for stream in [1, 2] {
        let message = refused(&module(stream));
        assert!(message.contains(told), "{message}");
    }
    assert!(!refused(&module(3)).contains("Traceback"));
}

#[test]
fn a_second_load_finds_the_compiled_code() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CompileCache::Directory(folder.path().join("cache"));
    let load = || {
        let engine = WasmEngine::new(EngineMode::Fuel, &cache, CompileIn::ThisProcess).unwrap();
        Plugin::load(puppet_path(), &engine).unwrap();
    };
    load();
    let kept = Entry::only_one_of(&folder.path().join("cache"));
    load();
    let found = Entry::only_one_of(&folder.path().join("cache"));
    assert_eq!(found.file, kept.file, "what was kept is the same file, and nothing was compiled that would be put in its place");
    assert!(found.touched >= kept.touched, "it was read, which makes it as good as new");
}

/// What is kept of a plugin in a cache.
#[derive(Debug)]
struct Entry {
    /// Another for each time that something is kept.
    file: u64,
    touched: std::time::SystemTime,
}

impl Entry {
    /// The entry of a cache that has one. Its time is set back, for who reads it to show.
    fn only_one_of(folder: &std::path::Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        let entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [path] = &entries[..] else { panic!("one entry is kept: {entries:?}") };
        let metadata = std::fs::metadata(path).unwrap();
        let long_ago = metadata.modified().unwrap() - std::time::Duration::from_secs(1_000);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        Self { file: metadata.ino(), touched: metadata.modified().unwrap() }
    }
}
