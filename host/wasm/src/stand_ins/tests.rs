//! Stand-ins called by small components: what they answer, and that every shape of handle that they are given is let go.

use super::*;
use crate::compile::CompileIn;
use crate::engine::{CompileCache, EngineMode, WasmEngine};
use crate::guest_log::GuestLog;
use crate::limits::Limits;
use wasmtime::Store;

/// A component in an instance of its own, whose export `run` gives an integer.
struct Guest {
    store: Store<HostState>,
    run: wasmtime::component::TypedFunc<(), (u64,)>,
}

impl Guest {
    fn new(text: &str) -> Result<Self> {
        let engine = WasmEngine::new(EngineMode::Fuel, &CompileCache::Off, CompileIn::ThisProcess).unwrap().engine;
        let component = Component::new(&engine, wat::parse_str(text)?)?;
        let mut linker = Linker::new(&engine);
        link(&mut linker, &component, &engine)?;
        let mut store = Store::new(&engine, HostState::new(&Limits::default(), GuestLog::new("op", 0, 0)));
        store.set_fuel(100_000_000)?;
        let instance = linker.instantiate(&mut store, &component)?;
        let run = instance.get_typed_func::<(), (u64,)>(&mut store, "run")?;
        Ok(Self { store, run })
    }

    fn run(&mut self) -> Result<u64> {
        Ok(self.run.call(&mut self.store, ())?.0)
    }
}

/// A component whose `run` calls one import without parameters that answers with an integer, twice.
fn run(interface: &str, function: &str) -> Result<(u64, u64)> {
    let text = format!(
        r#"(component
            (import "{interface}" (instance $system (export "{function}" (func (result u64)))))
            (core func $lowered (canon lower (func $system "{function}")))
            (core module $inner (import "" "f" (func $f (result i64))) (export "run" (func $f)))
            (core instance $inner (instantiate $inner (with "" (instance (export "f" (func $lowered))))))
            (func (export "run") (result u64) (canon lift (core func $inner "run"))))"#
    );
    let mut guest = Guest::new(&text)?;
    Ok((guest.run()?, guest.run()?))
}

#[test]
fn chance_is_fixed_and_the_clock_moves_by_a_millisecond_a_look() {
    assert_eq!(run("wasi:random/random@0.2.6", "get-random-u64").unwrap(), (CHANCE, CHANCE));
    assert_eq!(run("wasi:clocks/monotonic-clock@0.2.0", "now").unwrap(), (1_000_000, 2_000_000));
}

#[test]
fn what_would_reach_the_system_traps_with_its_name() {
    let error = format!("{:#}", run("wasi:sockets/tcp@0.2.3", "connect").unwrap_err());
    assert!(error.contains("wasi:sockets/tcp@0.2.3 connect was called"), "{error}");
}

#[test]
fn only_wasi_has_stand_ins() {
    let error = format!("{:#}", run("acme:clock/clock", "now").unwrap_err());
    assert!(error.contains("acme:clock/clock"), "{error}");
}

/// A guest with all of WASI's streams. `body` is that of `run`; `$memory` holds `text` at 1,024, and answers may go to 16.
fn streams(text: &str, body: &str) -> Guest {
    let text = format!(
        r#"(component
            (import "wasi:io/error@0.2.3" (instance $errors (export "error" (type (sub resource)))))
            (alias export $errors "error" (type $error))
            (import "wasi:io/poll@0.2.3" (instance $polls
                (export "pollable" (type $pollable (sub resource)))
                (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
                (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))
                (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
            (alias export $polls "pollable" (type $pollable))
            (import "wasi:io/streams@0.2.3" (instance $streams
                (export "output-stream" (type $output (sub resource)))
                (export "input-stream" (type $input (sub resource)))
                (alias outer 1 $error (type $error-inner))
                (export "error" (type $error-here (eq $error-inner)))
                (alias outer 1 $pollable (type $pollable-inner))
                (export "pollable" (type $pollable-here (eq $pollable-inner)))
                (type $failed (variant (case "last-operation-failed" (own $error-here)) (case "closed")))
                (export "stream-error" (type $stream-error (eq $failed)))
                (export "[method]output-stream.check-write"
                    (func (param "self" (borrow $output)) (result (result u64 (error $stream-error)))))
                (export "[method]output-stream.write"
                    (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))
                (export "[method]output-stream.subscribe" (func (param "self" (borrow $output)) (result (own $pollable-here))))
                (export "[method]output-stream.splice" (func (param "self" (borrow $output)) (param "src" (borrow $input))
                    (param "len" u64) (result (result u64 (error $stream-error)))))
                (export "[method]input-stream.blocking-read" (func (param "self" (borrow $input)) (param "len" u64)
                    (result (result (list u8) (error $stream-error)))))))
            (alias export $streams "output-stream" (type $output))
            (alias export $streams "input-stream" (type $input))
            (import "wasi:cli/stderr@0.2.3" (instance $stderr
                (alias outer 1 $output (type $inner)) (export "output-stream" (type $stream (eq $inner)))
                (export "get-stderr" (func (result (own $stream))))))
            (import "wasi:cli/stdout@0.2.3" (instance $stdout
                (alias outer 1 $output (type $inner)) (export "output-stream" (type $stream (eq $inner)))
                (export "get-stdout" (func (result (own $stream))))))
            (import "wasi:cli/stdin@0.2.3" (instance $stdin
                (alias outer 1 $input (type $inner)) (export "input-stream" (type $stream (eq $inner)))
                (export "get-stdin" (func (result (own $stream))))))
            (core module $memory (memory (export "m") 4)
                (global $next (mut i32) (i32.const 65536))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $next (i32.add (global.get $next) (local.get 3)))
                    (i32.sub (global.get $next) (local.get 3)))
                (data (i32.const 1024) "{text}"))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "m" (core memory $m))
            (alias core export $memory "realloc" (core func $realloc))
            (core func $get-stderr (canon lower (func $stderr "get-stderr")))
            (core func $get-stdout (canon lower (func $stdout "get-stdout")))
            (core func $get-stdin (canon lower (func $stdin "get-stdin")))
            (core func $check-write (canon lower (func $streams "[method]output-stream.check-write") (memory $m)))
            (core func $write (canon lower (func $streams "[method]output-stream.write") (memory $m)))
            (core func $subscribe (canon lower (func $streams "[method]output-stream.subscribe")))
            (core func $splice (canon lower (func $streams "[method]output-stream.splice") (memory $m)))
            (core func $read (canon lower (func $streams "[method]input-stream.blocking-read") (memory $m)
                (realloc $realloc)))
            (core func $block (canon lower (func $polls "[method]pollable.block")))
            (core func $ready (canon lower (func $polls "[method]pollable.ready")))
            (core func $poll (canon lower (func $polls "poll") (memory $m) (realloc $realloc)))
            (core func $drop-output (canon resource.drop $output))
            (core module $inner
                (import "" "m" (memory 4))
                (import "" "get-stderr" (func $get-stderr (result i32)))
                (import "" "get-stdout" (func $get-stdout (result i32)))
                (import "" "get-stdin" (func $get-stdin (result i32)))
                (import "" "check-write" (func $check-write (param i32 i32)))
                (import "" "write" (func $write (param i32 i32 i32 i32)))
                (import "" "subscribe" (func $subscribe (param i32) (result i32)))
                (import "" "splice" (func $splice (param i32 i32 i64 i32)))
                (import "" "read" (func $read (param i32 i64 i32)))
                (import "" "block" (func $block (param i32)))
                (import "" "ready" (func $ready (param i32) (result i32)))
                (import "" "poll" (func $poll (param i32 i32 i32)))
                (import "" "drop-output" (func $drop-output (param i32)))
                (func (export "run") (result i64) (local $out i32) (local $in i32) (local $poll i32) (local $n i32) {body}))
            (core instance $inner (instantiate $inner (with "" (instance
                (export "m" (memory $m))
                (export "get-stderr" (func $get-stderr)) (export "get-stdout" (func $get-stdout)) (export "get-stdin" (func $get-stdin))
                (export "check-write" (func $check-write)) (export "write" (func $write)) (export "subscribe" (func $subscribe))
                (export "splice" (func $splice)) (export "read" (func $read)) (export "block" (func $block))
                (export "ready" (func $ready)) (export "poll" (func $poll)) (export "drop-output" (func $drop-output))))))
            (func (export "run") (result u64) (canon lift (core func $inner "run"))))"#,
    );
    Guest::new(&text).unwrap_or_else(|error| panic!("{error:?}"))
}

fn written(guest: &Guest) -> Option<String> {
    guest.store.data().written.said().map(|said| said.to_string())
}

#[test]
fn what_is_written_is_taken_and_the_standard_error_is_remembered() {
    let write = |to: &str| {
        streams(
            "ValueError: no such row",
            &format!(
                "(local.set $out (call ${to}))
                 (call $check-write (local.get $out) (i32.const 16))
                 (call $write (local.get $out) (i32.const 1024) (i32.const 23) (i32.const 32))
                 (call $drop-output (local.get $out))
                 (i64.load (i32.const 24))"
            ),
        )
    };
    let mut guest = write("get-stderr");
    assert_eq!(guest.run().unwrap(), STREAM_ROOM);
    assert_eq!(written(&guest).as_deref(), Some("its standard error: ValueError: no such row"));
    assert_eq!(guest.store.data().handles, 0);
    let mut guest = write("get-stdout");
    assert_eq!((guest.run().unwrap(), written(&guest).unwrap()), (STREAM_ROOM, "its standard output: ValueError: no such row".into()));
}

#[test]
fn borrowed_handles_are_let_go_alone_in_pairs_and_in_lists() {
    let mut guest = streams(
        "",
        "(local.set $out (call $get-stdout))
         (local.set $in (call $get-stdin))
         (local.set $poll (call $subscribe (local.get $out)))
         (call $block (local.get $poll))
         (call $splice (local.get $out) (local.get $in) (i64.const 7) (i32.const 16))
         (i32.store (i32.const 1024) (local.get $poll))
         (i32.store (i32.const 1028) (local.get $poll))
         (i32.store (i32.const 1032) (local.get $poll))
         (call $poll (i32.const 1024) (i32.const 3) (i32.const 16))
         (i64.extend_i32_u (i32.add (i32.mul (i32.const 10) (i32.load (i32.const 20))) (call $ready (local.get $poll))))",
    );
    // Three are ready, and so is the one that is asked for itself; again, because nothing of the first time may be left.
    assert_eq!((guest.run().unwrap(), guest.run().unwrap()), (31, 31));
    assert_eq!(guest.store.data().handles, 6);
}

#[test]
fn an_input_is_at_its_end() {
    // Of the result the case is at 16, and that of the error behind it: 1 is `closed`.
    let mut guest = streams(
        "",
        "(call $read (call $get-stdin) (i64.const 100) (i32.const 16))
         (i64.extend_i32_u (i32.add (i32.mul (i32.const 10) (i32.load8_u (i32.const 16))) (i32.load8_u (i32.const 20))))",
    );
    assert_eq!(guest.run().unwrap(), 11);
}

#[test]
fn handles_are_bounded_and_those_that_are_dropped_do_not_count() {
    let many = |keep: &str| {
        streams(
            "",
            &format!(
                "(loop $next
                    (local.set $out (call $get-stdout))
                    {keep}
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $n) (i32.const 10001))))
                 (i64.const 1)"
            ),
        )
    };
    assert_eq!(many("(call $drop-output (local.get $out))").run().unwrap(), 1);
    let error = format!("{:#}", many("").run().unwrap_err());
    assert!(error.contains("the plugin holds 10000 handles of WASI"), "{error}");
}

/// A function of a made-up interface of WASI, called once with the shape `params`, lowered to `core`, whose values are `args`. It traps by its
/// name, behind letting go of what it was given: the shape is the only thing that can go wrong before.
fn let_go_of(params: &str, core: &str, args: &str) {
    let text = format!(
        r#"(component
            (import "wasi:clocks/shapes@0.2.3" (instance $shapes
                (export "thing" (type $thing (sub resource)))
                (type $pair' (record (field "a" (borrow $thing)) (field "b" (option (borrow $thing)))))
                (export "pair" (type $pair (eq $pair')))
                (type $either' (variant (case "none") (case "one" (borrow $thing)) (case "two" (tuple (borrow $thing) (borrow $thing)))))
                (export "either" (type $either (eq $either')))
                (export "subscribe-instant" (func (result (own $thing))))
                (export "resolution" (func {params} (result u32)))))
            (alias export $shapes "thing" (type $thing))
            (core module $memory (memory (export "m") 1))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "m" (core memory $m))
            (core func $make (canon lower (func $shapes "subscribe-instant")))
            (core func $give (canon lower (func $shapes "resolution") (memory $m)))
            (core module $inner
                (import "" "m" (memory 1)) (import "" "make" (func $make (result i32))) (import "" "give" (func $give {core} (result i32)))
                (func (export "run") (result i64) (local $h i32) (local.set $h (call $make))
                    (i32.store (i32.const 0) (local.get $h)) (i32.store (i32.const 4) (local.get $h))
                    (i64.extend_i32_u (call $give {args}))))
            (core instance $inner (instantiate $inner (with "" (instance
                (export "m" (memory $m)) (export "make" (func $make)) (export "give" (func $give))))))
            (func (export "run") (result u64) (canon lift (core func $inner "run"))))"#
    );
    let mut guest = Guest::new(&text).unwrap_or_else(|error| panic!("{params}: {error:?}"));
    for _ in 0..2 {
        assert_eq!(guest.run().unwrap_or_else(|error| panic!("{params}: {error:?}")), 0);
    }
}

#[test]
fn handles_are_let_go_in_every_shape_in_which_they_can_come() {
    let (h, i32s) = ("(local.get $h)", |n: usize| format!("(param{})", " i32".repeat(n)));
    let_go_of(r#"(param "a" (borrow $thing))"#, &i32s(1), h);
    let_go_of(r#"(param "a" (own $thing))"#, &i32s(1), h);
    let_go_of(r#"(param "a" (borrow $thing)) (param "b" (borrow $thing))"#, &i32s(2), &format!("{h} {h}"));
    let_go_of(r#"(param "a" u8) (param "b" (own $thing))"#, &i32s(2), &format!("(i32.const 3) {h}"));
    let_go_of(r#"(param "a" $pair)"#, &i32s(3), &format!("{h} (i32.const 1) {h}"));
    let_go_of(r#"(param "a" $pair)"#, &i32s(3), &format!("{h} (i32.const 0) (i32.const 0)"));
    let_go_of(r#"(param "a" $either)"#, &i32s(3), &format!("(i32.const 2) {h} {h}"));
    let_go_of(r#"(param "a" $either)"#, &i32s(3), "(i32.const 0) (i32.const 0) (i32.const 0)");
    let_go_of(r#"(param "a" (list (borrow $thing)))"#, &i32s(2), "(i32.const 0) (i32.const 2)");
    let_go_of(r#"(param "a" (list (tuple u8 (borrow $thing))))"#, &i32s(2), "(i32.const 0) (i32.const 1)");
    let_go_of(r#"(param "a" (tuple u8 (borrow $thing)))"#, &i32s(2), &format!("(i32.const 0) {h}"));
    let_go_of(r#"(param "a" (result (own $thing) (error (borrow $thing))))"#, &i32s(2), &format!("(i32.const 1) {h}"));
    let_go_of(r#"(param "a" (list (own $thing)))"#, &i32s(2), "(i32.const 0) (i32.const 1)");
}
