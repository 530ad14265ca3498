//! Plugins that mean harm, at everything that reads one: the process that examines them may die, the host may not, and says what it was.

use crate::{EXAMINER, WEIR};
use sha2::{Digest, Sha256};
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use weir_engine::ErrorKind;
use weir_engine::checkpoint::{CheckpointMetadata, VertexIdentity};
use weir_tests::hostile::{
    Outcome, Totals, blocks, branches, circle, components, engine, functions, instances, loops, lying_headers, noise, of_preview_1,
    plain_engine, tiny_plugin, types, with_wasi,
};
use weir_tests::process::{Bench, Running, Signal, WordCount, children_of, is_running, plugin, wait_until};
use weir_wasm::{CompileLimits, CompileStop, Plugin, WasmEngine, pack_component};

fn shared() -> &'static WasmEngine {
    static ENGINE: OnceLock<Arc<WasmEngine>> = OnceLock::new();
    ENGINE.get_or_init(|| plain_engine(WEIR))
}

/// A module with its component type, as the packer leaves a component.
fn packed(module: &[u8]) -> Vec<u8> {
    pack_component("tiny", module, shared()).expect("it packs")
}

fn limits(seconds: u64, mib: u64) -> CompileLimits {
    CompileLimits { time: Some(Duration::from_secs(seconds)), memory: Some(mib << 20) }
}

/// Fails unless `bytes` are refused with these words, the file's name among them.
#[track_caller]
fn check(bytes: &[u8], limits: CompileLimits, expect: &str) {
    let error = Plugin::from_bytes_within("bad.wasm", bytes, shared(), limits).expect_err(expect);
    assert_eq!(error.kind(), ErrorKind::FixInput, "{error}");
    assert!(error.to_string().starts_with("load plugin bad.wasm: ") && error.to_string().contains(expect), "{expect}: {error}");
}

#[test]
fn packages_in_a_circle_overflow_no_stack_but_that_of_the_process_that_reads_them() {
    check(&circle(), CompileLimits::default(), "it takes more than 8 MiB of stack (a fixed limit)");
}

#[test]
fn what_no_program_is_built_like_is_refused_by_name() {
    let default = CompileLimits::default();
    check(&components(20_000), default, "it has more than 32 components and modules inside each other");
    check(&loops(1, 300), default, "it has more than 250 loops inside each other");
    check(&blocks(20_000), default, "it has more than 10000 blocks inside each other");
    check(&functions(100_000), default, "it has more than 100000 functions");
    check(&branches(2_600_000), default, "it has more than 500000 targets of `br_table`");
}

#[test]
fn numbers_that_lie_and_types_that_unfold_are_refused_before_anybody_believes_them() {
    for (what, bytes) in lying_headers().into_iter().chain([("types that unfold", types(40))]) {
        let error = Plugin::from_bytes_within("bad.wasm", &bytes, shared(), limits(5, 256)).expect_err(what);
        let text = error.to_string();
        let told = text.contains("it is not valid WebAssembly") || text.contains("it has more than 100000");
        assert!(told && error.kind() == ErrorKind::FixInput, "{what}: {text}");
    }
}

#[test]
fn chance_behind_a_header_is_no_plugin() {
    for seed in 0..60 {
        let error = Plugin::from_bytes_within("noise.wasm", &noise(seed), shared(), limits(5, 256)).expect_err("chance");
        assert!(error.kind() == ErrorKind::FixInput && !error.to_string().contains("the process that examined it"), "seed {seed}: {error}");
    }
}

#[test]
fn what_the_bounds_let_through_is_held_by_the_limits() {
    check(&packed(&loops(300, 240)), limits(1, 1_024), " 1 s of processor time (limits.compile.time)");
    check(&packed(&functions(90_000)), limits(60, 64), "more than 64 MiB of memory (limits.compile.memory)");
    check(&packed(&branches(450_000)), limits(1, 64), "(limits.compile.");
}

/// A thousand million instances are never made to find out what is exported.
#[test]
fn instances_inside_each_other_do_not_unfold_before_the_plugin_is_refused() {
    check(&instances(30), limits(1, 128), "it does not export weir:operator/guest@0.2.0; it exports nothing");
}

#[test]
fn a_process_that_passes_its_limit_is_gone_soon_after() {
    let bench = Bench::new(WEIR, WordCount::default());
    fs::write(bench.path("slow.wasm"), slow()).expect("a file");
    // By itself it would end only after a whole second of processor time, which is as fine as the system's own limit is.
    let limit_ms: u64 = 200;
    let mut command = Command::new(EXAMINER);
    command.args(["plugin", WEIR]).arg(bench.path("slow.wasm")).args([limit_ms, 1_024].map(|number| number.to_string()));
    let examined = Running::start(command, "examine-plugins").ended().assert(0, &[]).document();
    let refused = examined["refused"].as_str().expect("a refusal");
    assert!(refused.contains("more than 0.2 s of processor time (limits.compile.time)"), "{examined}");
    let used = examined["cpu_ms"].as_u64().expect("a number");
    assert!((limit_ms..limit_ms + 600).contains(&used), "it used {used} ms of processor time, and {limit_ms} are the most");
}

#[test]
fn a_compile_that_takes_longer_than_a_second_says_so_on_the_terminal() {
    let bench = Bench::new(WEIR, WordCount::default());
    fs::write(bench.path("slow.wasm"), slow()).expect("a file");
    let checked = bench.run("plugin check slow.wasm");
    checked.assert(1, &["slow.wasm: compiling, which may take up to ", " s of processor time"]);
    assert!(checked.stdout.contains("of processor time (limits.compile.time)"), "{checked:?}");
}

#[test]
fn what_one_process_has_compiled_is_found_by_the_next() {
    use std::os::unix::fs::MetadataExt;
    let bench = Bench::new(WEIR, WordCount::default());
    fs::write(bench.path("tiny.wasm"), packed(&tiny_plugin(""))).expect("a file");
    let cache = bench.path("cache");
    let load =
        || bench.run_with("plugin inspect tiny.wasm", &[("XDG_CACHE_HOME", cache.to_str().expect("a path"))]).assert(0, &[]).stdout.clone();
    let entries =
        || fs::read_dir(cache.join("weir/code")).expect("a folder").map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>();
    let first = load();
    let [entry] = &entries()[..] else { panic!("one entry is kept: {:?}", entries()) };
    let kept = fs::metadata(entry).expect("a file");
    let written = kept.modified().expect("a time");
    let file = fs::File::options().write(true).open(entry).expect("a file");
    file.set_modified(written - Duration::from_secs(1_000)).expect("its owner sets its time");
    assert_eq!(load(), first);
    assert_eq!(entries(), std::slice::from_ref(entry));
    let found = fs::metadata(entry).expect("a file");
    assert_eq!(found.ino(), kept.ino(), "it is the same file: nothing was compiled that would be put in its place");
    assert!(found.modified().expect("a time") >= written, "it was read, which makes it as good as new");
}

/// One that takes long to compile, and more than a small file is given.
fn slow() -> Vec<u8> {
    packed(&loops(300, 240))
}

/// The process that examines a plugin for `weir`.
#[track_caller]
fn examiner(weir: &mut Running) -> u32 {
    let id = weir.id();
    let mut found = Vec::new();
    assert!(weir.runs_until("a process that examines the plugin", || {
        found = children_of(id);
        !found.is_empty()
    }));
    found[0]
}

#[test]
fn whoever_waits_is_told_and_can_stop_at_any_time() {
    let (stop, told) = (CompileStop::default(), Arc::new(Mutex::new(Vec::<String>::new())));
    let (stop_then, tell) = (stop.clone(), told.clone());
    let engine = engine(WEIR, stop.clone(), move |line| {
        tell.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        stop_then.stop();
    });
    let error = Plugin::from_bytes_within("slow.wasm", &slow(), &engine, limits(600, 4_096)).expect_err("stopped");
    assert!(error.to_string().contains("slow.wasm: it was not examined to the end, because weir is stopping"), "{error}");
    let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(told, ["slow.wasm: compiling, which may take up to 600 s of processor time"]);
    assert!(Plugin::from_bytes("later.wasm", &circle(), &engine).is_err_and(|error| error.to_string().contains("weir is stopping")));
}

#[test]
fn a_weir_that_is_killed_leaves_no_process_behind() {
    let bench = Bench::new(WEIR, WordCount::default());
    fs::write(bench.path("slow.wasm"), slow()).expect("a file");
    let mut checking = bench.start("plugin check slow.wasm");
    let examiner = examiner(&mut checking);
    assert!(checking.kill());
    wait_until("the end of the process that examined the plugin", || !is_running(examiner));
}

#[test]
fn a_running_job_outlives_every_upgrade_to_a_hostile_plugin_and_a_stop_waits_for_none() {
    let job = WordCount {
        lines: 60_000,
        count_settings: "limits.compile = { time = \"1h\", memory = \"8GiB\" }\n".into(),
        ..WordCount::default()
    };
    let bench = Bench::new(WEIR, job);
    fs::write(bench.path("circle.wasm"), circle()).expect("a file");
    fs::write(bench.path("slow.wasm"), slow()).expect("a file");
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a checkpoint", || !bench.log().completed.is_empty()));
    bench.run("upgrade words --operator count --plugin circle.wasm --probation 1s").assert(1, &["circle.wasm", "8 MiB of stack"]);
    let upgrade = bench.start("upgrade words --operator count --plugin slow.wasm --probation 1s");
    let examiner = examiner(&mut process);
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    assert!(!is_running(examiner), "the process that examines the plugin has outlived the job");
    assert_eq!(upgrade.ended().code, Some(1));
}

#[test]
fn every_command_that_reads_a_plugin_says_what_is_wrong_with_it() {
    let bench = Bench::new(WEIR, WordCount { lines: 30, ..WordCount::default() });
    fs::write(bench.path("circle.wasm"), circle()).expect("a file");
    let expect = ["circle.wasm", "it takes more than 8 MiB of stack"];
    bench.run("plugin inspect circle.wasm").assert(1, &expect);
    let checked = bench.run("plugin check circle.wasm");
    assert!(checked.code == Some(1) && checked.stdout.contains(expect[1]), "{checked:#?}");
    bench.run("plugin pack circle.wasm -o out.wasm").assert(1, &expect);
    assert!(!bench.path("out.wasm").exists());
    bench.edit_job(&format!("{:?}", plugin("word-count-count")), "\"circle.wasm\"");
    bench.run("check job.toml").assert(1, &expect);
    bench.run("run job.toml").assert(1, &expect);
}

#[test]
fn a_core_module_of_any_language_is_packed_with_the_worlds_type() {
    let bench = Bench::new(WEIR, WordCount::default());
    fs::write(bench.path("tiny.core.wasm"), tiny_plugin("")).expect("a file");
    bench.run("plugin inspect tiny.core.wasm").assert(1, &["that does not carry its component type", "`weir plugin pack` adds it"]);
    let first = bench.run("plugin pack tiny.core.wasm -o tiny.wasm --output json");
    first.assert(0, &[]);
    let inspected = bench.run("plugin inspect tiny.wasm --output json").document();
    assert_eq!((&inspected["name"], &inspected["inputs"][0]["name"]), (&"tiny".into(), &"in".into()));
    assert_eq!(inspected["digest"], first.document()["digest"]);
    // Packing what is packed changes nothing.
    let again = bench.run("plugin pack tiny.wasm -o again.wasm --output json").document();
    assert_eq!(again["digest"], inspected["digest"]);
    assert!(bench.run("plugin check again.wasm").stdout.contains("again.wasm is a plugin of this weir"));
    bench.run("plugin pack tiny.wasm -o no/folder/x.wasm").assert(1, &["write the component no/folder/x.wasm"]);
}

/// `bytes` with every mention of this world's version changed into the next one's.
fn of_another_world(mut bytes: Vec<u8>) -> Vec<u8> {
    let (ours, other) = (b"guest@0.2.0", b"guest@0.3.0");
    let places: Vec<usize> = bytes.windows(ours.len()).enumerate().filter(|(_, name)| name == ours).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "it does not name its world");
    places.into_iter().for_each(|at| bytes[at..at + other.len()].copy_from_slice(other));
    bytes
}

const OTHER_WORLD: &str = "it is of the world weir:operator@0.3.0, and this weir hosts weir:operator@0.2.0";

#[test]
fn a_plugin_of_another_world_is_told_both_versions() {
    let module = fs::read(plugin("word-count-count")).expect("a plugin");
    check(&of_another_world(module), CompileLimits::default(), OTHER_WORLD);
    check(&of_another_world(packed(&tiny_plugin(""))), CompileLimits::default(), OTHER_WORLD);
}

#[test]
fn what_a_newer_weir_wrote_is_refused_by_name_wherever_a_job_would_go_on_from_it() {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a checkpoint", || !bench.log().completed.is_empty()));
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    // The storage as a newer weir leaves it: the component of `count` is of its world. The job file's plugin is another by now, of this one.
    exchange_newest_component(&bench, "count", of_another_world);
    weir_tests::process::write_variant(&plugin("word-count-count"), &bench.path("v2.wasm"));
    bench.edit_job(&format!("{:?}", plugin("word-count-count")), "\"v2.wasm\"");
    let id = bench.log().newest().id;
    let expect = [&format!("count of checkpoint {id}"), OTHER_WORLD];
    for line in ["run job.toml", "run job.toml --pinned", "replay job.toml --operator count", &format!("check job.toml --from {id}")] {
        bench.run(line).assert(1, &expect);
    }
    // What is given up is not gone on with.
    bench.run("run job.toml --drop-state count").assert(0, &[]);
}

/// Has the newest checkpoint, the last entry of the log, name what `change` makes of an operator's component, as if that had been running.
fn exchange_newest_component(bench: &Bench, operator: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let storage = bench.storage();
    let path = storage.join(&bench.log().newest().metadata);
    let before = fs::read(&path).expect("metadata");
    let mut metadata = CheckpointMetadata::open("metadata", &before).expect("it is whole");
    let Some(VertexIdentity::Operator { component: Some(digest), .. }) = metadata.graph.vertices.get_mut(operator) else {
        panic!("{operator} has a component")
    };
    let file = |digest: &str| storage.join("plugins").join(format!("{digest}.wasm"));
    let changed = change(fs::read(file(digest)).expect("a component"));
    *digest = Sha256::digest(&changed).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(file(digest), changed).expect("a writable storage");
    let after = metadata.seal();
    fs::write(path, &after).expect("a writable storage");
    let number = |entry: fs::DirEntry| entry.path().file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
    let last =
        fs::read_dir(storage.join("log")).expect("a log").filter_map(|entry| number(entry.expect("readable"))).max().expect("an entry");
    let entry = storage.join(format!("log/{last}.json"));
    let line = fs::read_to_string(&entry).expect("an entry");
    let body = line.split_once("\"body\":").and_then(|(_, body)| body.strip_suffix("}\n")).expect("a body");
    let checksum = |bytes: &[u8]| format!("\"checksum\":{}", crc32c::crc32c(bytes));
    assert!(body.contains("\"kind\":\"completed\"") && body.contains(&checksum(&before)), "the last entry is the checkpoint's: {body}");
    let body = body.replace(&checksum(&before), &checksum(&after));
    let sum = crc32c::crc32c(body.as_bytes());
    fs::write(entry, format!("{{\"magic\":\"weir-log\",\"format\":2,\"checksum\":\"{sum:08x}\",\"body\":{body}}}\n")).expect("writable");
}

#[test]
fn modules_of_preview_1_and_components_that_import_of_wasi_are_plugins() {
    for (name, bytes) in [("preview-1.wasm", of_preview_1()), ("wasi.wasm", with_wasi())] {
        let plugin = Plugin::from_bytes(name, &bytes, shared()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(plugin.info().name, "tiny");
    }
    assert!(with_wasi().windows(20).any(|window| window == b"wasi:cli/environment"), "the import is kept");
}

/// None of the processes that examine one takes more than it may, or the examination fails.
#[test]
fn plugins_that_chance_has_changed_take_nothing_down() {
    let Totals { outcomes, written, written_and_changed, came_to_nothing, .. } =
        Totals::of_mutants(EXAMINER, WEIR, &plugin("keyed-count"), (1, 1_000));
    assert_eq!(outcomes.values().sum::<u64>(), 1_000);
    assert!(outcomes[&Outcome::Loaded] > 10 && outcomes[&Outcome::Refused] > 100, "{outcomes:?}");
    // A third of them chance is to write, and half of these are left as they are.
    let whole: u64 = written.values().sum();
    assert!(came_to_nothing < 20 && whole > 100 && written_and_changed > 100, "{written:?} {written_and_changed} {came_to_nothing}");
    assert!(written[&Outcome::Loaded] > 10 && written[&Outcome::Refused] > 10, "{written:?}");
}
