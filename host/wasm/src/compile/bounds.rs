//! How a file may be built, looked at in one pass over its bytes before anything else reads it: packers, validators and compilers take time or
//! stack for how deep and how many, which a file can ask for a thousand times cheaper than it is given.
//!
//! The pass itself is linear and does not recurse. What it cannot read it leaves to the validator, which says so better.

use crate::pack::{Problem, is_component_type};
use wasmparser::{Operator, Parser, Payload};

/// What of something a file may have, how it is called and how much that is. Programs stay far below: CPython has 15,000 functions, and a
/// `switch` of 4,000 cases nests 4,000 blocks.
#[derive(Clone, Copy, Debug)]
struct Bound {
    most: u64,
    what: &'static str,
}

const DEPTH: Bound = Bound { most: 32, what: "components and modules inside each other" };
const PARTS: Bound = Bound { most: 1_000, what: "components and modules" };
const FUNCTIONS: Bound = Bound { most: 100_000, what: "functions" };
const TYPES: Bound = Bound { most: 100_000, what: "types" };
const NAMES: Bound = Bound { most: 200_000, what: "imports, exports, aliases and instances" };
const SEGMENTS: Bound = Bound { most: 100_000, what: "data and element segments" };
const GLOBALS: Bound = Bound { most: 100_000, what: "globals, tables and memories" };
const BLOCKS: Bound = Bound { most: 10_000, what: "blocks inside each other" };
const LOOPS: Bound = Bound { most: 250, what: "loops inside each other" };
const TARGETS: Bound = Bound { most: 500_000, what: "targets of `br_table`" };

/// How many of each there have been.
#[derive(Default)]
struct Counts {
    parts: u64,
    functions: u64,
    types: u64,
    names: u64,
    segments: u64,
    globals: u64,
    targets: u64,
}

/// Refuses what no program is built like.
pub(super) fn check_bounds(bytes: &[u8]) -> Result<(), Problem> {
    check_within(bytes, Place::File, &mut Counts::default())
}

/// Whose bytes are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    File,
    /// The component inside a module's custom section, which the packer reads.
    ComponentType,
}

fn check_within(bytes: &[u8], place: Place, counts: &mut Counts) -> Result<(), Problem> {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { return Ok(()) };
        match payload {
            Payload::Version { .. } => {
                depth += 1;
                within(depth, DEPTH)?;
                add(&mut counts.parts, 1, PARTS)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CodeSectionEntry(body) => {
                add(&mut counts.functions, 1, FUNCTIONS)?;
                if let Ok(operators) = body.get_operators_reader() {
                    check_body(operators, counts)?;
                }
            }
            Payload::CustomSection(section) if place == Place::File && is_component_type(section.name()) => {
                check_within(section.data(), Place::ComponentType, counts)?;
            }
            other => count(&other, counts)?,
        }
    }
    Ok(())
}

/// Counts what a section declares, by what it says of itself.
fn count(payload: &Payload<'_>, counts: &mut Counts) -> Result<(), Problem> {
    match payload {
        Payload::TypeSection(section) => add(&mut counts.types, section.count(), TYPES),
        Payload::CoreTypeSection(section) => add(&mut counts.types, section.count(), TYPES),
        Payload::ComponentTypeSection(section) => {
            add(&mut counts.types, section.count(), TYPES)?;
            let nested = section.clone().into_iter().map_while(Result::ok).map(|ty| match ty {
                wasmparser::ComponentType::Component(items) => items.len(),
                wasmparser::ComponentType::Instance(items) => items.len(),
                wasmparser::ComponentType::Defined(_) | wasmparser::ComponentType::Func(_) => 0,
                wasmparser::ComponentType::Resource { .. } => 0,
            });
            add(&mut counts.types, u32::try_from(nested.sum::<usize>()).unwrap_or(u32::MAX), TYPES)
        }
        Payload::FunctionSection(section) => within(u64::from(section.count()), FUNCTIONS),
        Payload::ComponentCanonicalSection(section) => add(&mut counts.functions, section.count(), FUNCTIONS),
        Payload::ImportSection(section) => add(&mut counts.names, section.count(), NAMES),
        Payload::ExportSection(section) => add(&mut counts.names, section.count(), NAMES),
        Payload::ComponentImportSection(section) => add(&mut counts.names, section.count(), NAMES),
        Payload::ComponentExportSection(section) => add(&mut counts.names, section.count(), NAMES),
        Payload::ComponentAliasSection(section) => add(&mut counts.names, section.count(), NAMES),
        Payload::InstanceSection(section) => add(&mut counts.names, section.count(), NAMES),
        Payload::ComponentInstanceSection(section) => add(&mut counts.names, section.count(), NAMES),
        Payload::DataSection(section) => add(&mut counts.segments, section.count(), SEGMENTS),
        Payload::ElementSection(section) => add(&mut counts.segments, section.count(), SEGMENTS),
        Payload::GlobalSection(section) => add(&mut counts.globals, section.count(), GLOBALS),
        Payload::TableSection(section) => add(&mut counts.globals, section.count(), GLOBALS),
        Payload::MemorySection(section) => add(&mut counts.globals, section.count(), GLOBALS),
        // The rest is counted where it lies, or is data.
        _ => Ok(()),
    }
}

/// How deep a function's blocks go, and where its tables of branches lead.
fn check_body(operators: wasmparser::OperatorsReader<'_>, counts: &mut Counts) -> Result<(), Problem> {
    // True for a loop.
    let mut open: Vec<bool> = Vec::new();
    let mut loops = 0;
    for operator in operators.into_iter() {
        let Ok(operator) = operator else { return Ok(()) };
        match operator {
            Operator::Loop { .. } => {
                open.push(true);
                loops += 1;
                within(loops, LOOPS)?;
                within(open.len() as u64, BLOCKS)?;
            }
            Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } | Operator::Try { .. } => {
                open.push(false);
                within(open.len() as u64, BLOCKS)?;
            }
            Operator::End => loops -= u64::from(open.pop() == Some(true)),
            Operator::BrTable { targets } => add(&mut counts.targets, targets.len(), TARGETS)?,
            // Hundreds that nest nothing.
            _ => {}
        }
    }
    Ok(())
}

fn add(count: &mut u64, more: u32, bound: Bound) -> Result<(), Problem> {
    *count += u64::from(more);
    within(*count, bound)
}

fn within(count: u64, bound: Bound) -> Result<(), Problem> {
    let Bound { most, what } = bound;
    if count <= most {
        return Ok(());
    }
    let hint = "no compiler makes such a file; build the plugin again, optimised, and look at what generates its code";
    Err(Problem::new(format!("it has more than {most} {what}")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: String, expect: &str) {
        let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{expect}: {error}"));
        match check_bounds(&bytes) {
            Ok(()) => assert_eq!(expect, "fine"),
            Err(problem) => assert_eq!(problem.what, expect),
        }
    }

    fn nested(open: &str, times: usize) -> String {
        format!("(module (func {} {}))", open.repeat(times), "end ".repeat(times))
    }

    #[test]
    fn blocks_loops_and_tables_of_branches_are_bounded() {
        check(nested("loop ", 250), "fine");
        check(nested("loop ", 251), "it has more than 250 loops inside each other");
        check(nested("block ", 10_000), "fine");
        check(nested("block ", 10_001), "it has more than 10000 blocks inside each other");
        let table = |targets: usize| format!("(module (func i32.const 0 br_table {}))", "0 ".repeat(targets + 1));
        check(table(60_000), "fine");
        let tables = format!("(module {})", format!("(func i32.const 0 br_table {})", "0 ".repeat(60_001)).repeat(9));
        check(tables, "it has more than 500000 targets of `br_table`");
    }

    #[test]
    fn what_lies_inside_each_other_is_bounded() {
        let components = |depth: usize| format!("{}{}", "(component ".repeat(depth), ")".repeat(depth));
        check(components(32), "fine");
        check(components(33), "it has more than 32 components and modules inside each other");
        check(format!("(component {})", "(core module)".repeat(1_000)), "it has more than 1000 components and modules");
        check(format!("(module {})", "(func)".repeat(100_001)), "it has more than 100000 functions");
    }

    #[test]
    fn a_component_type_inside_a_module_is_counted_with_it() {
        let inner = wat::parse_str(format!("{}{}", "(component ".repeat(40), ")".repeat(40))).unwrap();
        let escaped: String = inner.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let module = format!("(module (@custom \"component-type:x\" \"{escaped}\"))");
        check(module, "it has more than 32 components and modules inside each other");
    }
}
