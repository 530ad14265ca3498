//! What a component says of itself in the sections that all Wasm tools read: `component-name`, `version`, `description` and so on.
//!
//! weir goes by what a plugin declares when it is asked; these sections are that, written where a registry or `wasm-tools metadata show` finds it without
//! running anything. They change nothing of what a component does, so its compiled code stays what it was.

use crate::guest_text::printable;
use serde::Serialize;
use std::ops::Range;
use wasm_encoder::{ComponentSection, CustomSection};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wasmparser::{BinaryReader, ComponentName, ComponentNameSectionReader, Parser, Payload};

/// Bytes that are shown of one of these texts.
const TEXT_BYTES: usize = 1_024;
/// Interfaces that are named of a component.
const INTERFACES: usize = 1_000;

/// What a component's sections say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PluginMetadata {
    /// `component-name`.
    pub name: Option<String>,
    /// `version`.
    pub version: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `authors`.
    pub authors: Option<String>,
    /// `licenses`, an SPDX expression.
    pub licenses: Option<String>,
    /// `source`, where its code is.
    pub source: Option<String>,
    /// `homepage`.
    pub homepage: Option<String>,
    /// `revision`, of its code.
    pub revision: Option<String>,
}

impl PluginMetadata {
    /// Reads the outermost component's; all are `None` of what cannot be read.
    pub fn of(component: &[u8]) -> Self {
        let mut said = Self::default();
        for Section { content, .. } in custom_sections(component) {
            let Some((name, data)) = parted(content) else { continue };
            let text = || Some(printable(&String::from_utf8_lossy(data), TEXT_BYTES));
            match name {
                "component-name" => said.name = component_name(data),
                "version" => said.version = text(),
                "description" => said.description = text(),
                "authors" => said.authors = text(),
                "licenses" => said.licenses = text(),
                "source" => said.source = text(),
                "homepage" => said.homepage = text(),
                "revision" => said.revision = text(),
                _ => {}
            }
        }
        said
    }
}

/// The component with this name and version in its sections; the same bytes where they say so already, or cannot be written.
pub(crate) fn named(component: &[u8], name: &str, version: &str) -> Vec<u8> {
    let has = PluginMetadata::of(component);
    if has.name.as_deref() == Some(name) && has.version.as_deref() == Some(version) {
        return component.to_vec();
    }
    let mut add = AddMetadata::default();
    add.name = AddMetadataField::Set(name.to_owned());
    let Ok(mut named) = add.to_wasm(component) else { return component.to_vec() };
    // Without its feature `oci` the crate leaves the version to us: a section that is a text, and no more.
    let older = custom_sections(&named).find(|section| parted(section.content).is_some_and(|(name, _)| name == "version"));
    if let Some(Section { place, .. }) = older {
        named.drain(place);
    }
    CustomSection { name: "version".into(), data: version.as_bytes().into() }.append_to_component(&mut named);
    named
}

/// A custom section of the outermost component.
struct Section<'a> {
    /// Where all of it is.
    place: Range<usize>,
    /// Its name with its length in front, and its data.
    content: &'a [u8],
}

/// Bytes in front of a component's first section.
const HEADER: usize = 8;

/// The custom sections of the outermost component, as far as they can be told. What is within a section is skipped by its length.
fn custom_sections(component: &[u8]) -> impl Iterator<Item = Section<'_>> {
    let whole = if Parser::is_component(component) { component } else { &[] };
    let mut reader = BinaryReader::new(whole, 0);
    _ = reader.read_bytes(HEADER);
    let next = move || {
        let start = reader.original_position();
        let (id, size) = (reader.read_u8().ok()?, reader.read_var_u32().ok()?);
        let content = reader.read_bytes(size as usize).ok()?;
        Some((id, Section { place: start..reader.original_position(), content }))
    };
    std::iter::from_fn(next).filter(|(id, _)| *id == 0).map(|(_, section)| section)
}

/// The name of a custom section, and its data.
fn parted(content: &[u8]) -> Option<(&str, &[u8])> {
    let mut reader = BinaryReader::new(content, 0);
    let name = reader.read_string().ok()?;
    Some((name, &content[reader.original_position()..]))
}

fn component_name(data: &[u8]) -> Option<String> {
    let names = ComponentNameSectionReader::new(BinaryReader::new(data, 0)).map_while(Result::ok);
    names.into_iter().find_map(|names| match names {
        ComponentName::Component { name, .. } => Some(printable(name, TEXT_BYTES)),
        _ => None,
    })
}

/// The interfaces that a component imports and exports, by name, as a registry lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Reads the outermost component, which has been validated.
    pub fn of(component: &[u8]) -> Self {
        let (mut found, mut depth) = (Self::default(), 0_usize);
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            match payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 1 => {
                    found
                        .imports
                        .extend(imports.into_iter().map_while(Result::ok).map(|import| import.name.name.to_owned()).take(INTERFACES));
                }
                Payload::ComponentExportSection(exports) if depth == 1 => {
                    found
                        .exports
                        .extend(exports.into_iter().map_while(Result::ok).map(|export| export.name.name.to_owned()).take(INTERFACES));
                }
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &str = "(component (import \"a:b/c\" (instance)) (core module) (component (import \"inner\" (func))) (export \"d:e/f@1.0.0\" (instance 0)))";

    #[test]
    fn a_component_is_named_once_and_stays_what_it_is() {
        let component = wat::parse_str(COMPONENT).unwrap();
        assert_eq!(PluginMetadata::of(&component), PluginMetadata::default());
        let once = named(&component, "count", "1.2.3");
        let said = PluginMetadata::of(&once);
        assert_eq!((said.name.as_deref(), said.version.as_deref()), (Some("count"), Some("1.2.3")));
        assert_eq!(named(&once, "count", "1.2.3"), once);
        let renamed = PluginMetadata::of(&named(&once, "count", "2.0.0"));
        assert_eq!((renamed.name.as_deref(), renamed.version.as_deref()), (Some("count"), Some("2.0.0")));
        assert_eq!(Interfaces::of(&once), Interfaces::of(&component));
    }

    #[test]
    fn only_what_the_outermost_component_imports_and_exports_is_its_own() {
        let interfaces = Interfaces::of(&wat::parse_str(COMPONENT).unwrap());
        assert_eq!(interfaces, Interfaces { imports: vec!["a:b/c".into()], exports: vec!["d:e/f@1.0.0".into()] });
    }

    #[test]
    fn bytes_that_are_none_have_no_name_and_keep_what_they_are() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0\x00\xff\xff\xff\xff\x0f"] {
            assert_eq!(PluginMetadata::of(bytes), PluginMetadata::default());
            assert_eq!(named(bytes, "a", "1"), bytes);
            assert_eq!(Interfaces::of(bytes), Interfaces::default());
        }
    }
}
