//! Does a component fit the world `weir:operator/operator`? Answered in words, with everything that does not, not the first thing alone.

use crate::pack::Problem;
use std::sync::OnceLock;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Function, InterfaceId, Resolve, Type, TypeDefKind, WorldId, WorldItem, WorldKey};

/// The world's interface that a plugin exports.
pub(crate) const GUEST: &str = "weir:operator/guest@0.2.0";

/// The world's text.
pub(crate) const WIT: &str = include_str!("../../../wit/operator.wit");

/// Interfaces that a plugin may import; a Python guest has some thirty.
const IMPORTS: usize = 1_000;

const BUILD_HINT: &str = "build the plugin against this weir's SDK, or against its wit/operator.wit";

/// The world as weir has it.
pub(crate) fn ours() -> &'static (Resolve, WorldId) {
    static WORLD: OnceLock<(Resolve, WorldId)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("operator.wit", WIT).expect("the world is part of weir and parses");
        let world = resolve.select_world(&[package], Some("operator")).expect("the package has a world operator");
        (resolve, world)
    })
}

/// What `component` imports, and what about it does not fit.
pub(crate) struct Fit {
    /// Names of its imports, as in the component.
    pub(crate) imports: Vec<String>,
    /// Everything that does not fit.
    pub(crate) problems: Vec<Problem>,
}

/// Compares a valid component with the world.
pub(crate) fn fit(component: &[u8]) -> Fit {
    let (resolve, world) = match decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => {
            return Fit { imports: Vec::new(), problems: vec![Problem::new("it is a WIT package and not a program").hint(BUILD_HINT)] };
        }
        Err(error) => {
            return Fit { imports: Vec::new(), problems: vec![Problem::new(format!("its imports and exports cannot be read: {error:#}"))] };
        }
    };
    let items = &resolve.worlds[world];
    let imports: Vec<String> =
        items.imports.iter().filter(|(_, item)| brings_code(&resolve, item)).map(|(key, _)| resolve.name_world_key(key)).collect();
    let mut problems = Vec::new();
    if imports.len() > IMPORTS {
        problems.push(Problem::new(format!("it imports {} interfaces; {IMPORTS} are the most", imports.len())));
        return Fit { imports: Vec::new(), problems };
    }
    for (key, item) in &items.imports {
        check_import(&resolve, key, item, &mut problems);
    }
    check_exports(&resolve, world, &mut problems);
    Fit { imports, problems }
}

/// An import of types alone asks nothing of the host.
fn brings_code(resolve: &Resolve, item: &WorldItem) -> bool {
    match item {
        WorldItem::Interface { id, .. } => {
            let interface = &resolve.interfaces[*id];
            !interface.functions.is_empty() || interface.types.values().any(|ty| matches!(resolve.types[*ty].kind, TypeDefKind::Resource))
        }
        WorldItem::Function(_) => true,
        WorldItem::Type { .. } => false,
    }
}

fn check_import(resolve: &Resolve, key: &WorldKey, item: &WorldItem, problems: &mut Vec<Problem>) {
    let name = resolve.name_world_key(key);
    // Stand-ins are made for whatever it wants of WASI.
    if name.starts_with("wasi:") && matches!(item, WorldItem::Interface { .. }) {
        return;
    }
    // What packing itself puts into a component.
    if name == crate::standard_streams::INTERFACE {
        return;
    }
    match item {
        WorldItem::Interface { id, .. } if name.starts_with("weir:") => match our_interface(&name) {
            Some(our_id) => compare_functions(("imports", &name), (resolve, *id), our_id, false, problems),
            None => problems.push(Problem::new(format!("it imports {name}, which this weir does not have")).hint(BUILD_HINT)),
        },
        WorldItem::Interface { .. } | WorldItem::Function(_) => {
            let hint = "a plugin may import weir:* only (and wasi:*, which gives it nothing)";
            problems.push(Problem::new(format!("it imports {name}, which no plugin is given")).hint(hint));
        }
        WorldItem::Type { .. } => {}
    }
}

fn check_exports(resolve: &Resolve, world: WorldId, problems: &mut Vec<Problem>) {
    let exports = &resolve.worlds[world].exports;
    let guest = exports.iter().find_map(|(key, item)| match item {
        WorldItem::Interface { id, .. } if resolve.name_world_key(key) == GUEST => Some(*id),
        WorldItem::Interface { .. } | WorldItem::Function(_) | WorldItem::Type { .. } => None,
    });
    let our_guest = our_interface(GUEST).expect("the world exports guest");
    match guest {
        Some(id) => compare_functions(("exports", GUEST), (resolve, id), our_guest, true, problems),
        None => {
            let names: Vec<String> = exports.keys().map(|key| resolve.name_world_key(key)).collect();
            let found = if names.is_empty() { "it exports nothing".to_string() } else { format!("it exports {}", names.join(", ")) };
            problems.push(Problem::new(format!("it does not export {GUEST}; {found}")).hint(BUILD_HINT));
        }
    }
}

fn our_interface(name: &str) -> Option<InterfaceId> {
    let (resolve, world) = ours();
    let world = &resolve.worlds[*world];
    world.imports.iter().chain(&world.exports).find_map(|(key, item)| match item {
        WorldItem::Interface { id, .. } if resolve.name_world_key(key) == name => Some(*id),
        WorldItem::Interface { .. } | WorldItem::Function(_) | WorldItem::Type { .. } => None,
    })
}

/// Every function of theirs has to be one of ours, of the same type; with `all`, also the other way round.
fn compare_functions(
    (does, name): (&str, &str),
    (resolve, theirs): (&Resolve, InterfaceId),
    our_id: InterfaceId,
    all: bool,
    problems: &mut Vec<Problem>,
) {
    let (our_resolve, _) = ours();
    let (theirs, ours) = (&resolve.interfaces[theirs].functions, &our_resolve.interfaces[our_id].functions);
    for (function, their_type) in theirs {
        match ours.get(function) {
            Some(our_type) => {
                let (found, wanted) = (signature(resolve, their_type), signature(our_resolve, our_type));
                if found != wanted {
                    let what = format!("it {does} {name} {function} with another type: {}", first_difference(&found, &wanted));
                    problems.push(Problem::new(what).hint(BUILD_HINT));
                }
            }
            // Another export harms nobody; another import would have nothing behind it.
            None if all => {}
            None => problems.push(Problem::new(format!("it {does} {name} {function}, which this weir does not have")).hint(BUILD_HINT)),
        }
    }
    for function in ours.keys().filter(|function| all && !theirs.contains_key(*function)) {
        problems.push(Problem::new(format!("its {name} lacks the function {function}")).hint(BUILD_HINT));
    }
}

/// A function's type with every name of a type resolved, so that two of them compare as text.
fn signature(resolve: &Resolve, function: &Function) -> String {
    let params: Vec<String> = function.params.iter().map(|param| format!("{}: {}", param.name, spelled(resolve, &param.ty))).collect();
    let result = function.result.as_ref().map(|ty| format!(" -> {}", spelled(resolve, ty))).unwrap_or_default();
    format!("func({}){result}", params.join(", "))
}

fn spelled(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else { return primitive(ty).to_string() };
    let definition = &resolve.types[*id];
    let name = definition.name.as_deref().unwrap_or("?");
    let of = |ty: &Option<Type>| ty.as_ref().map_or("_".to_string(), |ty| spelled(resolve, ty));
    let fields = |items: Vec<String>| items.join(", ");
    match &definition.kind {
        TypeDefKind::Type(ty) => spelled(resolve, ty),
        TypeDefKind::Record(record) => {
            format!(
                "{{{}}}",
                fields(record.fields.iter().map(|field| format!("{}: {}", field.name, spelled(resolve, &field.ty))).collect())
            )
        }
        TypeDefKind::Variant(variant) => {
            format!("variant{{{}}}", fields(variant.cases.iter().map(|case| format!("{}: {}", case.name, of(&case.ty))).collect()))
        }
        TypeDefKind::Enum(cases) => format!("enum{{{}}}", fields(cases.cases.iter().map(|case| case.name.clone()).collect())),
        TypeDefKind::Flags(flags) => format!("flags{{{}}}", fields(flags.flags.iter().map(|flag| flag.name.clone()).collect())),
        TypeDefKind::Tuple(tuple) => format!("tuple<{}>", fields(tuple.types.iter().map(|ty| spelled(resolve, ty)).collect())),
        TypeDefKind::Option(ty) => format!("option<{}>", spelled(resolve, ty)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", of(&result.ok), of(&result.err)),
        TypeDefKind::List(ty) => format!("list<{}>", spelled(resolve, ty)),
        TypeDefKind::FixedLengthList(ty, length) => format!("list<{}, {length}>", spelled(resolve, ty)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", spelled(resolve, key), spelled(resolve, value)),
        TypeDefKind::Future(ty) => format!("future<{}>", of(ty)),
        TypeDefKind::Stream(ty) => format!("stream<{}>", of(ty)),
        TypeDefKind::Resource | TypeDefKind::Handle(_) | TypeDefKind::Unknown => format!("{} {name}", definition.kind.as_str()),
    }
}

fn primitive(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "?",
    }
}

/// Both texts around the place where they part.
fn first_difference(found: &str, wanted: &str) -> String {
    let same = found.bytes().zip(wanted.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| text.chars().skip(same.saturating_sub(20)).take(70).collect::<String>();
    format!("it has `…{}…` where `…{}…` is wanted", around(found), around(wanted))
}
