//! What a component that was built against `wasi:*` is linked to: stand-ins that give nothing.
//!
//! The environment is empty, there are no files, what is written is dropped. Clock and chance are fixed: the clock moves
//! on by one millisecond each time it is read, so that a wait for it ends. Everything else traps with the import's name.

use crate::host_state::HostState;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceAny, ResourceType, Type, Val};
use wasmtime::{Engine, Result, StoreContextMut, bail};

/// Bytes that a stream says it takes at once.
const STREAM_ROOM: u64 = 1 << 20;
const CHANCE: u64 = 0x2545_f491_4f6c_dd1d;
/// Random bytes that are given out at once.
const CHANCE_BYTES: u64 = 1 << 20;

/// A handle to nothing: every resource of every stand-in.
struct Nothing;

/// Defines every `wasi:*` import of `component`.
pub(crate) fn link(linker: &mut Linker<HostState>, component: &Component, engine: &Engine) -> Result<()> {
    for (interface, item) in component.component_type().imports(engine) {
        if !interface.starts_with("wasi:") {
            continue;
        }
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            bail!("the import {interface} is no interface");
        };
        link_interface(&mut linker.instance(interface)?, interface, &instance, engine)?;
    }
    Ok(())
}

fn link_interface(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    instance: &ComponentInstance,
    engine: &Engine,
) -> Result<()> {
    for (name, item) in instance.exports(engine) {
        match item.ty {
            ComponentItem::Resource(_) => linker.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?,
            ComponentItem::ComponentFunc(_) => {
                let (interface, function) = (interface.to_string(), name.to_string());
                linker.func_new(name, move |mut store, ty, params, results| {
                    if results.is_empty() && function != "[method]pollable.block" {
                        return Err(not_there(&interface, &function));
                    }
                    for (result, ty) in results.iter_mut().zip(ty.results()) {
                        *result = answer(&mut store, &interface, &function, params, &ty)?;
                    }
                    Ok(())
                })?;
            }
            // Types need no definition; nothing else stands in an interface of WASI.
            ComponentItem::Type(_) | ComponentItem::CoreFunc(_) | ComponentItem::Module(_) => {}
            ComponentItem::Component(_) | ComponentItem::ComponentInstance(_) => {}
        }
    }
    Ok(())
}

/// The result of one call, or a trap that names it.
fn answer(store: &mut StoreContextMut<'_, HostState>, interface: &str, function: &str, params: &[Val], ty: &Type) -> Result<Val> {
    let package = interface.split('/').next().unwrap_or_default();
    Ok(match (package, function) {
        ("wasi:random", "get-random-u64" | "get-insecure-random-u64") => Val::U64(CHANCE),
        ("wasi:random", "get-random-bytes" | "get-insecure-random-bytes") => random_bytes(params)?,
        ("wasi:random", "insecure-seed" | "get-insecure-seed") => Val::Tuple(vec![Val::U64(CHANCE), Val::U64(!CHANCE)]),
        ("wasi:clocks", "now") if matches!(ty, Type::U64) => Val::U64(next_ms(store) * 1_000_000),
        ("wasi:clocks", "now" | "resolution") => nothing(store, ty)?,
        ("wasi:clocks", "subscribe-duration" | "subscribe-instant") => nothing(store, ty)?,
        ("wasi:cli", "get-environment" | "get-arguments" | "initial-cwd") => nothing(store, ty)?,
        ("wasi:cli", "get-stdin" | "get-stdout" | "get-stderr") => nothing(store, ty)?,
        ("wasi:cli", "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr") => nothing(store, ty)?,
        ("wasi:filesystem", "get-directories") => nothing(store, ty)?,
        ("wasi:io", "[method]output-stream.check-write") => Val::Result(Ok(Some(Box::new(Val::U64(STREAM_ROOM))))),
        ("wasi:io", "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush") => nothing(store, ty)?,
        ("wasi:io", "[method]output-stream.flush" | "[method]output-stream.blocking-flush") => nothing(store, ty)?,
        ("wasi:io", "[method]output-stream.subscribe" | "[method]input-stream.subscribe") => nothing(store, ty)?,
        ("wasi:io", "[method]input-stream.read" | "[method]input-stream.blocking-read") => nothing(store, ty)?,
        ("wasi:io", "[method]pollable.ready") => Val::Bool(true),
        ("wasi:io", "poll") => all_ready(params),
        _ => return Err(not_there(interface, function)),
    })
}

fn not_there(interface: &str, function: &str) -> wasmtime::Error {
    wasmtime::format_err!("{interface} {function} was called, but a plugin has no files, sockets or processes, and cannot exit")
}

fn next_ms(store: &mut StoreContextMut<'_, HostState>) -> u64 {
    let reads = &mut store.data_mut().clock_reads;
    *reads += 1;
    *reads
}

fn random_bytes(params: &[Val]) -> Result<Val> {
    let Some(Val::U64(bytes)) = params.first() else { bail!("random bytes were asked for without a number") };
    if *bytes > CHANCE_BYTES {
        bail!("{bytes} random bytes were asked for at once");
    }
    Ok(Val::List((0..*bytes).map(|i| Val::U8((CHANCE >> (8 * (i % 8))) as u8)).collect()))
}

/// `poll` answers with the indexes of what has happened.
fn all_ready(params: &[Val]) -> Val {
    let waiting = match params.first() {
        Some(Val::List(waiting)) => waiting.len() as u32,
        _ => 0,
    };
    Val::List((0..waiting).map(Val::U32).collect())
}

/// The emptiest value of a type; of a result, success.
fn nothing(store: &mut StoreContextMut<'_, HostState>, ty: &Type) -> Result<Val> {
    Ok(match ty {
        Type::Bool => Val::Bool(false),
        Type::U8 => Val::U8(0),
        Type::U16 => Val::U16(0),
        Type::U32 => Val::U32(0),
        Type::U64 => Val::U64(0),
        Type::S8 => Val::S8(0),
        Type::S16 => Val::S16(0),
        Type::S32 => Val::S32(0),
        Type::S64 => Val::S64(0),
        Type::String => Val::String(String::new()),
        Type::List(_) => Val::List(Vec::new()),
        Type::Option(_) => Val::Option(None),
        Type::Tuple(tuple) => Val::Tuple(tuple.types().map(|ty| nothing(store, &ty)).collect::<Result<_>>()?),
        Type::Record(record) => {
            let field = |field: wasmtime::component::types::Field<'_>| Ok((field.name.to_string(), nothing(store, &field.ty)?));
            Val::Record(record.fields().map(field).collect::<Result<_>>()?)
        }
        Type::Result(result) => Val::Result(Ok(match result.ok() {
            Some(ty) => Some(Box::new(nothing(store, &ty)?)),
            None => None,
        })),
        Type::Own(_) => Val::Resource(ResourceAny::try_from_resource(Resource::<Nothing>::new_own(0), store)?),
        other => bail!("a stand-in has no value of type {other:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::CompileIn;
    use crate::engine::{CompileCache, EngineMode, WasmEngine};
    use crate::guest_log::GuestLog;
    use crate::limits::Limits;
    use wasmtime::Store;

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
        let engine = WasmEngine::new(EngineMode::Fuel, &CompileCache::Off, CompileIn::ThisProcess).unwrap().engine;
        let component = Component::new(&engine, wat::parse_str(text)?)?;
        let mut linker = Linker::new(&engine);
        link(&mut linker, &component, &engine)?;
        let mut store = Store::new(&engine, HostState::new(&Limits::default(), GuestLog::new("op", 0, 0)));
        store.set_fuel(1_000_000)?;
        let instance = linker.instantiate(&mut store, &component)?;
        let run = instance.get_typed_func::<(), (u64,)>(&mut store, "run")?;
        Ok((run.call(&mut store, ())?.0, run.call(&mut store, ())?.0))
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
}
