//! Which version of the world a file is of, read off the names of its imports and exports alone.
//!
//! It is asked before anything compares types: what was built for another version has other types under other names, and all that its author needs
//! to know is which version this weir hosts.

use crate::guest_text::printable;
use crate::pack::Problem;
use crate::world::GUEST;
use std::collections::BTreeSet;
use wasmparser::{Parser, Payload};

const PACKAGE: &str = "weir:operator";

/// The version of `weir:operator` that this weir hosts.
pub fn hosted_world() -> &'static str {
    GUEST.split_once('@').map(|(_, version)| version).expect("the interface has a version")
}

/// Refuses a file that names another version.
pub(crate) fn check_world(bytes: &[u8]) -> Result<(), Problem> {
    let hosted = hosted_world();
    let named = versions(bytes).into_iter().filter(|version| version != hosted);
    let others: Vec<String> = named.take(3).map(|version| printable(&version, 64)).collect();
    let Some(first) = others.first() else { return Ok(()) };
    let what = format!("it is of the world {PACKAGE}@{}, and this weir hosts {PACKAGE}@{hosted}", others.join(", "));
    let hint = match numbers(first) < numbers(hosted) {
        true => format!("build it again against this weir's SDK, which is of {hosted} (wit/versions.md)"),
        false => "run it with the weir that it was built for, or build it against this weir's SDK".to_owned(),
    };
    Err(Problem::new(what).hint(hint))
}

/// Refuses a file of a newer world than this weir hosts, whatever else may be wrong with it.
pub(crate) fn check_not_newer(bytes: &[u8]) -> Result<(), Problem> {
    let newer = versions(bytes).into_iter().any(|version| numbers(&version) > numbers(hosted_world()));
    if newer { check_world(bytes) } else { Ok(()) }
}

/// What orders versions. One that is no version is newer than all that are known.
fn numbers(version: &str) -> [u64; 3] {
    let mut parts = version.splitn(3, '.').map(|part| part.parse().unwrap_or(u64::MAX));
    [(); 3].map(|()| parts.next().unwrap_or(u64::MAX))
}

/// The versions that the outermost imports and exports name.
fn versions(bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ if depth != 1 => {}
            Payload::ImportSection(section) => {
                found.extend(section.into_imports().map_while(Result::ok).filter_map(|import| version_in(import.module)));
            }
            Payload::ExportSection(section) => {
                found.extend(section.into_iter().map_while(Result::ok).filter_map(|export| version_in(export.name)));
            }
            Payload::ComponentImportSection(section) => {
                found.extend(section.into_iter().map_while(Result::ok).filter_map(|import| version_in(import.name.name)));
            }
            Payload::ComponentExportSection(section) => {
                found.extend(section.into_iter().map_while(Result::ok).filter_map(|export| version_in(export.name.name)));
            }
            // Nothing else names an interface.
            _ => {}
        }
    }
    found
}

/// `0.2.0` of `weir:operator/guest@0.2.0#describe`.
fn version_in(name: &str) -> Option<String> {
    let interface = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    let (_, version) = interface.split_once('@')?;
    Some(version.split('#').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let bytes = wat::parse_str(text).unwrap();
        let found = check_world(&bytes).err().map_or("hosted".into(), |problem| problem.what);
        assert_eq!(found, expect);
    }

    #[test]
    fn another_version_is_named_with_the_one_that_is_hosted() {
        let newer = "it is of the world weir:operator@0.3.0, and this weir hosts weir:operator@0.2.0";
        check("(component (import \"weir:operator/logging@0.3.0\" (instance)))", newer);
        check("(component (instance $i) (export \"weir:operator/guest@0.3.0\" (instance $i)))", newer);
        check("(module (func (export \"weir:operator/guest@0.3.0#describe\")))", newer);
        check("(module (import \"weir:operator/logging@0.3.0\" \"log\" (func)))", newer);
    }

    #[test]
    fn an_older_one_is_built_again_and_a_newer_one_wants_its_weir() {
        let hint = |version: &str| {
            let text = format!("(module (func (export \"weir:operator/guest@{version}#describe\")))");
            let problem = check_world(&wat::parse_str(text).unwrap()).unwrap_err();
            (problem.what, problem.hint.unwrap())
        };
        let (what, old) = hint("0.1.0");
        assert_eq!(what, "it is of the world weir:operator@0.1.0, and this weir hosts weir:operator@0.2.0");
        assert_eq!(old, "build it again against this weir's SDK, which is of 0.2.0 (wit/versions.md)");
        assert!(hint("0.2.1").1.starts_with("run it with the weir that it was built for"));
    }

    #[test]
    fn only_a_newer_world_is_newer() {
        let newer = |version: &str| {
            let text = format!("(module (func (export \"weir:operator/guest@{version}#describe\")))");
            check_not_newer(&wat::parse_str(text).unwrap()).is_err()
        };
        assert_eq!(["0.1.9", "0.2.0", "0.2.1", "0.3.0", "1.0.0", "0.10.0"].map(newer), [false, false, true, true, true, true]);
        assert!(newer("next"));
        assert!(check_not_newer(b"no module at all").is_ok());
    }

    #[test]
    fn this_version_and_other_packages_are_no_reason() {
        check("(component (import \"weir:operator/logging@0.2.0\" (instance)) (import \"wasi:io/poll@0.2.6\" (instance)))", "hosted");
        check("(component (component (import \"weir:operator/logging@0.3.0\" (instance))))", "hosted");
        check("(module (func (export \"run\")))", "hosted");
    }
}
