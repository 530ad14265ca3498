//! What a component that was built against `wasi:*` is linked to: stand-ins that give nothing.
//!
//! The environment is empty, there are no files, what is written is dropped, but for the end of the standard error (and output), which
//! belongs into the error of a call that traps. Clock and chance are fixed: the clock moves on by one millisecond each time it is read, so that a wait for it ends.
//! Everything else traps with the import's name.
//!
//! Every handle that a call is given is let go before it is answered: wasmtime takes one that is borrowed and kept for a guest's mistake.

use crate::host_state::HostState;
use crate::standard_streams::StandardStream;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceAny, ResourceType, Type, Val};
use wasmtime::{Engine, Result, StoreContextMut, bail};

/// Bytes that a stream says it takes at once. Each costs some forty in the host while it is handed over.
const STREAM_ROOM: u64 = 1 << 16;
const CHANCE: u64 = 0x2545_f491_4f6c_dd1d;
/// Random bytes that are given out at once.
const CHANCE_BYTES: u64 = 1 << 20;
/// Handles that an instance may hold. The table that they stand in is the host's memory.
const HANDLES: u32 = 10_000;

/// A handle to nothing: every resource of every stand-in.
struct Nothing;

/// What a handle stands for: its number in the guest's table.
const NOTHING: u32 = 0;
const STANDARD_OUTPUT: u32 = 1;
const STANDARD_ERROR: u32 = 2;

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
            ComponentItem::Resource(_) => linker.resource(name, ResourceType::host::<Nothing>(), |mut store, _| {
                store.data_mut().handles -= 1;
                Ok(())
            })?,
            ComponentItem::ComponentFunc(_) => {
                let (interface, function) = (interface.to_string(), name.to_string());
                linker.func_new(name, move |mut store, ty, params, results| {
                    let this = let_go(&mut store, params)?;
                    let call = Call { interface: &interface, function: &function, this, params };
                    if results.is_empty() && !call.is_served_without_a_result() {
                        return Err(call.not_there());
                    }
                    for (result, ty) in results.iter_mut().zip(ty.results()) {
                        *result = call.answer(&mut store, &ty)?;
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

/// Lets go of every handle in the parameters of a call, wherever it stands. What the first parameter stands for, where that is a handle.
fn let_go(store: &mut StoreContextMut<'_, HostState>, params: &[Val]) -> Result<Option<u32>> {
    let mut this = None;
    for (place, param) in params.iter().enumerate() {
        let mut nested = vec![param];
        while let Some(val) = nested.pop() {
            if let Val::Resource(handle) = val {
                let stands_for = release(store, *handle)?;
                if place == 0 && std::ptr::eq(val, param) {
                    this = stands_for;
                }
            }
            inside(val, &mut nested);
        }
    }
    Ok(this)
}

/// What a borrowed handle stands for. One that was given away is gone, with what it stood for.
fn release(store: &mut StoreContextMut<'_, HostState>, handle: ResourceAny) -> Result<Option<u32>> {
    if handle.owned() {
        handle.resource_drop(store)?;
        return Ok(None);
    }
    Ok(Some(handle.try_into_resource::<Nothing>(store)?.rep()))
}

/// The values that a value consists of.
fn inside<'a>(val: &'a Val, nested: &mut Vec<&'a Val>) {
    match val {
        Val::List(items) | Val::Tuple(items) | Val::FixedLengthList(items) => {
            // A list of bytes holds no handle, and is not looked through.
            if !matches!(items.first(), Some(Val::U8(_))) || matches!(val, Val::Tuple(_)) {
                nested.extend(items);
            }
        }
        Val::Map(entries) => nested.extend(entries.iter().flat_map(|(key, value)| [key, value])),
        Val::Record(fields) => nested.extend(fields.iter().map(|(_, value)| value)),
        Val::Variant(_, payload) | Val::Option(payload) | Val::Result(Ok(payload) | Err(payload)) => nested.extend(payload.as_deref()),
        Val::Bool(_) | Val::Char(_) | Val::String(_) | Val::Enum(_) | Val::Flags(_) => {}
        Val::S8(_) | Val::S16(_) | Val::S32(_) | Val::S64(_) | Val::U8(_) | Val::U16(_) | Val::U32(_) | Val::U64(_) => {}
        Val::Float32(_) | Val::Float64(_) | Val::Resource(_) => {}
        // None of these is in any interface that can be linked: the engine does not compile what has them.
        Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {}
    }
}

/// One call of a stand-in.
struct Call<'a> {
    interface: &'a str,
    function: &'a str,
    /// What the handle that it is a method of stands for.
    this: Option<u32>,
    params: &'a [Val],
}

impl Call<'_> {
    /// Functions that give nothing back are there only where doing nothing is what they promise.
    fn is_served_without_a_result(&self) -> bool {
        self.interface.starts_with("wasi:io/") && self.function == "[method]pollable.block"
    }

    /// The result, or a trap that names the import.
    fn answer(&self, store: &mut StoreContextMut<'_, HostState>, ty: &Type) -> Result<Val> {
        let package = self.interface.split('/').next().unwrap_or_default();
        Ok(match (package, self.function) {
            ("wasi:random", "get-random-u64" | "get-insecure-random-u64") => Val::U64(CHANCE),
            ("wasi:random", "get-random-bytes" | "get-insecure-random-bytes") => random_bytes(self.params)?,
            ("wasi:random", "insecure-seed" | "get-insecure-seed") => Val::Tuple(vec![Val::U64(CHANCE), Val::U64(!CHANCE)]),
            ("wasi:clocks", "now") if matches!(ty, Type::U64) => Val::U64(next_ms(store) * 1_000_000),
            ("wasi:clocks", "now" | "resolution") => nothing(store, ty)?,
            ("wasi:clocks", "subscribe-duration" | "subscribe-instant") => nothing(store, ty)?,
            ("wasi:cli", "get-environment" | "get-arguments" | "initial-cwd") => nothing(store, ty)?,
            ("wasi:cli", "get-stderr") => handle(store, STANDARD_ERROR)?,
            ("wasi:cli", "get-stdout") => handle(store, STANDARD_OUTPUT)?,
            ("wasi:cli", "get-stdin") => nothing(store, ty)?,
            ("wasi:cli", "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr") => nothing(store, ty)?,
            ("wasi:filesystem", "get-directories") => nothing(store, ty)?,
            ("wasi:io", function) => match function.split_once('.') {
                Some(("[method]output-stream", method)) => self.on_output(store, method, ty)?,
                Some(("[method]input-stream", method)) => self.on_input(store, method, ty)?,
                Some(("[method]pollable", "ready")) => Val::Bool(true),
                Some(("[method]error", "to-debug-string")) => nothing(store, ty)?,
                None if function == "poll" => all_ready(self.params),
                Some(_) | None => return Err(self.not_there()),
            },
            _ => return Err(self.not_there()),
        })
    }

    /// What is written is taken.
    fn on_output(&self, store: &mut StoreContextMut<'_, HostState>, method: &str, ty: &Type) -> Result<Val> {
        match method {
            "check-write" => Ok(Val::Result(Ok(Some(Box::new(Val::U64(STREAM_ROOM)))))),
            "write" | "blocking-write-and-flush" => {
                let to = match self.this {
                    Some(STANDARD_ERROR) => Some(StandardStream::Error),
                    Some(STANDARD_OUTPUT) => Some(StandardStream::Output),
                    Some(_) | None => None,
                };
                if let (Some(to), Some(Val::List(bytes))) = (to, self.params.get(1)) {
                    let byte = |val: &Val| if let Val::U8(byte) = val { Some(*byte) } else { None };
                    let bytes: Vec<u8> = bytes.iter().filter_map(byte).collect();
                    store.data_mut().written.write(to, &bytes);
                }
                nothing(store, ty)
            }
            "write-zeroes" | "blocking-write-zeroes-and-flush" | "flush" | "blocking-flush" | "subscribe" => nothing(store, ty),
            "splice" | "blocking-splice" => Ok(closed()),
            _ => Err(self.not_there()),
        }
    }

    /// There is nothing to read, now or ever: an empty answer would have a guest ask again.
    fn on_input(&self, store: &mut StoreContextMut<'_, HostState>, method: &str, ty: &Type) -> Result<Val> {
        match method {
            "read" | "blocking-read" | "skip" | "blocking-skip" => Ok(closed()),
            "subscribe" => nothing(store, ty),
            _ => Err(self.not_there()),
        }
    }

    fn not_there(&self) -> wasmtime::Error {
        let Self { interface, function, .. } = self;
        wasmtime::format_err!("{interface} {function} was called, but a plugin has no files, sockets or processes, and cannot exit")
    }
}

/// The `stream-error` of a stream that has come to its end.
fn closed() -> Val {
    Val::Result(Err(Some(Box::new(Val::Variant("closed".into(), None)))))
}

/// A handle for the guest to own.
fn handle(store: &mut StoreContextMut<'_, HostState>, stands_for: u32) -> Result<Val> {
    let handles = &mut store.data_mut().handles;
    if *handles == HANDLES {
        bail!("the plugin holds {HANDLES} handles of WASI, which are the most: it has to drop those that it no longer uses");
    }
    *handles += 1;
    Ok(Val::Resource(ResourceAny::try_from_resource(Resource::<Nothing>::new_own(stands_for), store)?))
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
        Type::Own(_) => handle(store, NOTHING)?,
        other => bail!("a stand-in has no value of type {other:?}"),
    })
}

#[cfg(test)]
mod tests;
