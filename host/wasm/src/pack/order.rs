//! The order of a component's core modules: the largest first.
//!
//! The types of functions are numbered as they come, through all modules of a component, and a function that calls through a table carries the number. What is kept of
//! compiled functions (`compile/functions.rs`) is found by what they carry. componentize-py puts a stub for each interface of WASI in front of the interpreter, in another
//! order with each build, as chance has it: a twelfth of the interpreter's functions were others each time. Behind it they number nothing that it uses.

use std::cmp::Reverse;
use wasm_encoder::{Component, ComponentNameSection, InstanceSection, ModuleArg, NameMap, RawSection};
use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentTypeRef, Instance, InstanceSectionReader,
    NameMap as Names, Parser, Payload, Result,
};

/// Ids of sections of a component.
const CUSTOM: u8 = 0;
const CORE_MODULE: u8 = 1;
const CORE_INSTANCE: u8 = 2;
/// That of a module's functions.
const CODE: u8 = 10;
/// Bytes in front of the first section.
const HEADER: usize = 8;
const NAMES: &str = "component-name";
/// How a subsection of names begins that are of modules: names of a kind, a core's, modules'.
const OF_MODULES: [u8; 2] = [0x00, 0x11];

/// `component`, which has been validated, with its core modules in order. `None`: they are, or something else than instances refers to one by its number.
pub(crate) fn ordered(component: &[u8]) -> Option<Vec<u8>> {
    if !Parser::is_component(component) || refers_to_modules(component) {
        return None;
    }
    let sections = sections(component).ok()?;
    let modules: Vec<&[u8]> = sections.iter().filter(|(id, _)| *id == CORE_MODULE).map(|(_, content)| *content).collect();
    let behind = sections.iter().skip_while(|(id, _)| *id != CORE_INSTANCE);
    if behind.into_iter().any(|(id, _)| *id == CORE_MODULE) {
        return None;
    }
    let mut order: Vec<usize> = (0..modules.len()).collect();
    order.sort_by_key(|&old| Reverse(code_bytes(modules[old])));
    if order.is_sorted() {
        return None;
    }
    let mut now = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, &old)| now[old] = new as u32);
    let (mut out, mut next) = (Component::new(), order.into_iter());
    for (id, content) in sections {
        match id {
            CORE_MODULE => _ = out.section(&RawSection { id, data: modules[next.next()?] }),
            CORE_INSTANCE => _ = out.section(&instances(content, &now).ok()?),
            CUSTOM => match names(content, &now).ok()? {
                Some(names) => _ = out.section(&names),
                None => _ = out.section(&RawSection { id, data: content }),
            },
            _ => _ = out.section(&RawSection { id, data: content }),
        }
    }
    Some(out.finish())
}

/// Whether anything but an instance, or a name, refers to a module.
fn refers_to_modules(component: &[u8]) -> bool {
    let refers = |payload: Payload<'_>| match payload {
        Payload::ComponentAliasSection(aliases) => aliases.into_iter().flatten().any(|alias| match alias {
            ComponentAlias::Outer { kind, .. } => kind == ComponentOuterAliasKind::CoreModule,
            ComponentAlias::InstanceExport { kind, .. } => kind == ComponentExternalKind::Module,
            ComponentAlias::CoreInstanceExport { .. } => false,
        }),
        Payload::ComponentImportSection(imports) => {
            imports.into_iter().flatten().any(|import| matches!(import.ty, ComponentTypeRef::Module(_)))
        }
        Payload::ComponentExportSection(exports) => {
            exports.into_iter().flatten().any(|export| export.kind == ComponentExternalKind::Module)
        }
        Payload::ComponentInstanceSection(instances) => instances.into_iter().flatten().any(|instance| match instance {
            wasmparser::ComponentInstance::Instantiate { args, .. } => {
                args.iter().any(|argument| argument.kind == ComponentExternalKind::Module)
            }
            wasmparser::ComponentInstance::FromExports(exports) => {
                exports.iter().any(|export| export.kind == ComponentExternalKind::Module)
            }
        }),
        _ => false,
    };
    Parser::new(0).parse_all(component).any(|payload| payload.map_or(true, refers))
}

/// The sections of a module or a component, each with its id.
fn sections(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let mut reader = BinaryReader::new(bytes, 0);
    reader.read_bytes(HEADER)?;
    let mut sections = Vec::new();
    while !reader.eof() {
        let (id, size) = (reader.read_u8()?, reader.read_var_u32()?);
        sections.push((id, reader.read_bytes(size as usize)?));
    }
    Ok(sections)
}

/// How large the functions of a module are.
fn code_bytes(module: &[u8]) -> usize {
    let sections = sections(module).unwrap_or_default();
    sections.iter().filter(|(id, _)| *id == CODE).map(|(_, content)| content.len()).sum()
}

/// Core instances, of modules as they are numbered `now`.
fn instances(content: &[u8], now: &[u32]) -> Result<InstanceSection> {
    let mut section = InstanceSection::new();
    for instance in InstanceSectionReader::new(BinaryReader::new(content, 0))? {
        match instance? {
            Instance::Instantiate { module_index, args } => {
                let args = args.iter().map(|argument| (argument.name, ModuleArg::Instance(argument.index)));
                let module = now.get(module_index as usize).copied().unwrap_or(module_index);
                section.instantiate(module, args);
            }
            Instance::FromExports(exports) => {
                let items = exports.iter().map(|export| (export.name, export.kind.into(), export.index));
                section.export_items(items);
            }
        }
    }
    Ok(section)
}

/// The names of what a component consists of, with those of modules where these are now; `None`: this custom section has none.
fn names(content: &[u8], now: &[u32]) -> Result<Option<ComponentNameSection>> {
    let mut reader = BinaryReader::new(content, 0);
    if reader.read_string()? != NAMES {
        return Ok(None);
    }
    let mut names = ComponentNameSection::new();
    while !reader.eof() {
        let (id, size) = (reader.read_u8()?, reader.read_var_u32()?);
        let data = reader.read_bytes(size as usize)?;
        if id != 1 || !data.starts_with(&OF_MODULES) {
            names.raw(id, data);
            continue;
        }
        let map = Names::new(BinaryReader::new(&data[OF_MODULES.len()..], 0))?;
        let now = |index: u32| now.get(index as usize).copied().unwrap_or(index);
        let mut named = map.into_iter().map(|name| name.map(|name| (now(name.index), name.name))).collect::<Result<Vec<_>>>()?;
        named.sort_unstable();
        let mut map = NameMap::new();
        named.into_iter().for_each(|(index, name)| map.append(index, name));
        names.core_modules(&map);
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineMode, WasmEngine};
    use wasmparser::{ComponentName, ComponentNameSectionReader, Validator};
    use wasmtime::component::Linker;

    const LARGE: &str = r#"(core module $large
        (type (func (param f64) (result i32)))
        (type $called (func (param i32 i32) (result i32)))
        (table 1 funcref)
        (elem (i32.const 0) $add)
        (func $add (type $called) (i32.add (local.get 0) (local.get 1)))
        (func (export "of") (result i32) (call_indirect (type $called) (i32.const 40) (i32.const 2) (i32.const 0))))"#;
    const STUBS: [&str; 3] = [
        r#"(core module $one (func (export "of") (result i32) (i32.const 1)) (func (param i64)))"#,
        r#"(core module $two (func (export "of") (result i32) (i32.const 2)) (func (param i64 i64) nop))"#,
        r#"(core module $three (func (export "of") (result i32) (i32.const 3)) (func (param f32)) (func (param i32 i32 i32)))"#,
    ];

    /// A component of these modules that exports what each is called.
    fn component(modules: [&str; 4]) -> Vec<u8> {
        let exported = |name: &str| {
            format!(
                "(core instance $i-{name} (instantiate ${name})) (func (export \"{name}\") (result u32) (canon lift (core func $i-{name} \"of\")))"
            )
        };
        let exports: String = ["one", "large", "three", "two"].iter().map(|name| exported(name)).collect();
        wat::parse_str(format!("(component {} {exports})", modules.join("\n"))).unwrap()
    }

    fn answer(component: &wasmtime::component::Component, engine: &WasmEngine, name: &str) -> u32 {
        let mut store = wasmtime::Store::new(&engine.engine, ());
        store.set_fuel(1_000_000).unwrap();
        let instance = Linker::new(&engine.engine).instantiate(&mut store, component).unwrap();
        instance.get_typed_func::<(), (u32,)>(&mut store, name).unwrap().call(&mut store, ()).unwrap().0
    }

    #[test]
    fn the_largest_comes_first_and_whoever_refers_to_a_module_finds_it() {
        let [one, two, three] = STUBS;
        let ordered = ordered(&component([one, two, LARGE, three])).expect("another order");
        Validator::new_with_features(super::super::features()).validate_all(&ordered).unwrap();
        let (engine, _) = WasmEngine::of_compiler(EngineMode::Fuel, None).unwrap();
        let compiled = wasmtime::component::Component::new(&engine.engine, &ordered).unwrap();
        assert_eq!(["one", "two", "three", "large"].map(|name| answer(&compiled, &engine, name)), [1, 2, 3, 42]);
        let modules = |id: &u8| *id == CORE_MODULE;
        let sizes: Vec<_> =
            sections(&ordered).unwrap().iter().filter(|(id, _)| modules(id)).map(|(_, module)| code_bytes(module)).collect();
        assert!(sizes.is_sorted_by(|one, next| one >= next), "{sizes:?}");
        assert_eq!(names_of_modules(&ordered), ["large", "three", "two", "one"]);
        assert_eq!(super::ordered(&ordered), None, "it is in order");
    }

    fn names_of_modules(component: &[u8]) -> Vec<String> {
        let custom = sections(component).unwrap().into_iter().filter(|(id, _)| *id == CUSTOM);
        let names = custom.filter_map(|(_, content)| {
            let mut reader = BinaryReader::new(content, 0);
            (reader.read_string().unwrap() == NAMES).then(|| &content[reader.original_position()..])
        });
        let names = names.flat_map(|data| ComponentNameSectionReader::new(BinaryReader::new(data, 0))).map(Result::unwrap);
        let modules = names.filter_map(|names| if let ComponentName::CoreModules(map) = names { Some(map) } else { None });
        modules.flatten().map(|name| name.unwrap().name.to_owned()).collect()
    }

    #[test]
    fn what_is_compiled_is_the_same_in_whatever_order_the_modules_stood() {
        let [one, two, three] = STUBS;
        let orders = [[one, two, three, LARGE], [three, two, one, LARGE], [two, LARGE, one, three]];
        let ordered: Vec<_> = orders.map(component).iter().map(|component| super::ordered(component).expect("another order")).collect();
        assert!(ordered.iter().all(|component| *component == ordered[0]));
    }

    #[test]
    fn what_refers_to_modules_otherwise_is_left_as_it_is() {
        let modules = format!("{} {LARGE}", STUBS[0]);
        let nested = format!("(component {modules} (component (alias outer 1 0 (core module $m)) (core instance (instantiate $m))))");
        let exported = format!("(component {modules} (export \"m\" (core module $one)))");
        let late = format!("(component {} (core instance (instantiate $one)) {LARGE})", STUBS[0]);
        for text in [nested, exported, late] {
            assert_eq!(ordered(&wat::parse_str(&text).unwrap()), None, "{text}");
        }
        assert_eq!(ordered(b"no component"), None);
    }
}
