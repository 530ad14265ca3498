//! The files, as text in WebAssembly's own form, and the smallest plugin that there is.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A core module that is a plugin and does nothing, without a component type, as a compiler that knows nothing of components leaves it; `more` are items of
/// the module beside it.
pub fn tiny_plugin(more: &str) -> Vec<u8> {
    importing("", more)
}

/// The same with its component type, of a language whose modules are of WASI's preview 1: an adapter becomes part of it.
pub fn of_preview_1() -> Vec<u8> {
    let imports = r#"
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))"#;
    typed_plugin(importing(imports, ""))
}

/// The same as a component that imports of WASI.
pub fn with_wasi() -> Vec<u8> {
    let wit = operator_wit().replace("import logging;", "import logging; import wasi:cli/environment@0.2.6;")
        + "package wasi:cli@0.2.6 { interface environment { get-environment: func() -> list<tuple<string, string>>; } }";
    let module = importing(r#"(import "wasi:cli/environment@0.2.6" "get-environment" (func (param i32)))"#, "");
    let encoder = ComponentEncoder::default().module(&typed(module, &wit)).expect("a module that has its type");
    encoder.validate(true).encode().expect("a component")
}

/// `module` with the type of a plugin.
pub(super) fn typed_plugin(module: Vec<u8>) -> Vec<u8> {
    typed(module, &operator_wit())
}

fn operator_wit() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/operator.wit")).expect("the world's text")
}

/// `module` with the type of the world `operator` of `wit`.
fn typed(mut module: Vec<u8>, wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("operator.wit", wit).expect("a package");
    let world = resolve.select_world(&[package], Some("operator")).expect("its world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module");
    module
}

fn importing(imports: &str, more: &str) -> Vec<u8> {
    module(&format!(
        r#"(module
            {imports}
            (memory (export "memory") 1)
            (global $top (mut i32) (i32.const 32768))
            ;; What `describe` answers: a name, a version, an input, an output, no states or timers, and that it is not windowed.
            (data (i32.const 1024) "\b0\04\00\00\04\00\00\00\ba\04\00\00\05\00\00\00\4c\04\00\00\01\00\00\00\60\04\00\00\01\00\00\00\00\04\00\00\00\00\00\00\00\04\00\00\00\00\00\00\00")
            (data (i32.const 1100) "\c4\04\00\00\02\00\00\00\00\04\00\00\00\00\00\00")
            (data (i32.const 1120) "\ce\04\00\00\03\00\00\00")
            (data (i32.const 1200) "tiny")
            (data (i32.const 1210) "0.1.0")
            (data (i32.const 1220) "in")
            (data (i32.const 1230) "out")
            (func (export "weir:operator/guest@0.2.0#describe") (result i32) (i32.const 1024))
            (func (export "weir:operator/guest@0.2.0#open") (param i32 i32 i32 i32 i32 i32 i64) (result i32) (i32.const 2048))
            (func (export "weir:operator/guest@0.2.0#process") (param i32) (result i32) (i32.const 2048))
            (func (export "weir:operator/guest@0.2.0#on-timers")
                (param i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 2048))
            (func (export "weir:operator/guest@0.2.0#on-windows") (param i32) (result i32) (i32.const 2048))
            (func (export "weir:operator/guest@0.2.0#merge") (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
            (func (export "weir:operator/guest@0.2.0#migrate") (param i32 i32 i32 i32 i32 i32) (result i32) unreachable)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
                (global.set $top (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            {more})"#
    ))
}

/// Packages that depend on each other in a circle: a parser that follows them never comes back. 168 bytes.
pub fn circle() -> Vec<u8> {
    module(
        r#"(component
            (type (instance (type (record (field "f" u8))) (export "r" (type (eq 0)))))
            (import "a:a/x" (instance $x (type 0)))
            (alias export $x "r" (type $r))
            (type $y (instance (alias outer 1 $r (type)) (export "r2" (type (eq 0)))))
            (import "b:b/y" (instance $y (type $y)))
            (alias export $y "r2" (type $r2))
            (type $z (instance (alias outer 1 $r2 (type)) (export "r3" (type (eq 0)))))
            (import "a:a/z" (instance $z (type $z))))"#,
    )
}

/// `functions` functions of `depth` loops inside each other, no more than a program may have.
pub fn loops(functions: usize, depth: usize) -> Vec<u8> {
    let body = format!("(func (local i32) {} {})", "loop ".repeat(depth), "local.get 0 br_if 0 end ".repeat(depth));
    tiny_plugin(&body.repeat(functions))
}

/// `functions` functions that do nothing much.
pub fn functions(functions: usize) -> Vec<u8> {
    tiny_plugin(&"(func (param i32) (result i32) local.get 0)".repeat(functions))
}

/// Tables of branches with `targets` targets in all, fifty thousand in each.
pub fn branches(targets: usize) -> Vec<u8> {
    let table = |targets: usize| {
        let labels = (0..targets).map(|target| if target % 2 == 0 { "0 " } else { "1 " }).collect::<String>();
        format!("(func (param i32) block block local.get 0 br_table {labels} 0 end nop end)")
    };
    let whole = table(50_000).repeat(targets / 50_000);
    tiny_plugin(&(whole + &table(targets % 50_000)))
}

/// Blocks inside each other.
pub fn blocks(depth: usize) -> Vec<u8> {
    tiny_plugin(&format!("(func {} {})", "block ".repeat(depth), "end ".repeat(depth)))
}

/// Components inside each other.
pub fn components(depth: usize) -> Vec<u8> {
    // The text form's parser would recurse: header, then a section that holds the next.
    let mut inner = HEADER.to_vec();
    for _ in 1..depth {
        let mut outer = HEADER.to_vec();
        outer.push(4);
        leb(inner.len(), &mut outer);
        outer.append(&mut inner);
        inner = outer;
    }
    inner
}

/// A component that instantiates one twice that instantiates one twice …: two to the power of `depth` instances in the end, in `depth` lines.
pub fn instances(depth: usize) -> Vec<u8> {
    let mut text = "(component $c0 (core module $m (func)) (core instance (instantiate $m)))".to_owned();
    for level in 1..depth {
        let below = level - 1;
        text = format!("(component $c{level} {text} (instance (instantiate $c{below})) (instance (instantiate $c{below})))");
    }
    module(&text)
}

/// Types each of which is two of the one before: two to the power of `depth` in the end.
pub fn types(depth: usize) -> Vec<u8> {
    let doubled = (1..=depth).map(|level| format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1)).collect::<String>();
    module(&format!("(component (type $t0 (tuple u8 u8)) {doubled} (import \"f\" (func (param \"x\" $t{depth}))))"))
}

/// Modules whose numbers lie: each with what it says that it has.
pub fn lying_headers() -> [(&'static str, Vec<u8>); 5] {
    const FOUR_GIGA: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let module = |sections: &[&[u8]]| [b"\0asm\x01\0\0\0", &sections.concat()[..]].concat();
    let one_function: [&[u8]; 2] = [&[1, 4, 1, 0x60, 0, 0], &[3, 2, 1, 0]];
    let locals = [&[10, 10, 1, 8, 1][..], &FOUR_GIGA, &[0x7f, 0x0b]].concat();
    [
        ("a section of 4 GiB", module(&[&[0], &FOUR_GIGA, b"name"])),
        ("a name of 4 GiB", module(&[&[0, 9], &FOUR_GIGA, b"name"])),
        ("4,294,967,295 types", module(&[&[1, 5], &FOUR_GIGA])),
        ("4,294,967,295 locals", module(&[one_function[0], one_function[1], &locals])),
        ("a component's section of 4 GiB", [&HEADER[..], &[4], &FOUR_GIGA, b"x"].concat()),
    ]
}

/// Chance behind the header of a module or of a component.
pub fn noise(seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let header = if rng.bool() { *b"\0asm\x01\0\0\0" } else { HEADER };
    let length = rng.usize(..4_096);
    // Small numbers are what sections, counts and lengths are.
    let byte = |rng: &mut fastrand::Rng| if rng.bool() { rng.u8(..12) } else { rng.u8(..) };
    header.into_iter().chain((0..length).map(|_| byte(&mut rng)).collect::<Vec<u8>>()).collect()
}

const HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";

fn leb(mut number: usize, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}
