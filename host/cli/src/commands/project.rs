//! `weir plugin new`, `weir plugin build` and `weir plugin sdk`: a plugin's project.

use crate::args::Language;
use crate::context::Context;
use crate::documents::{PluginPackDocument, PluginProjectDocument, SCHEMA};
use crate::failure::Failure;
use crate::figures::bytes_text;
use crate::projects::{Built, Project, build as build_project, new as new_project, write_component, write_sdk};
use std::path::Path;

/// Writes a project.
pub(super) fn new(context: &Context, name: &str, language: Language) -> Result<u8, Failure> {
    let folder = new_project(Path::new(""), name, language)?;
    let document = document(&folder, language);
    context.print_done(&document, || {
        let PluginProjectDocument { folder, language, .. } = &document;
        format!(
            "{folder}: an operator in {language}, its test, a job and the SDK\n\n  cd {folder}\n  weir plugin test\n  weir run job.toml\n"
        )
    })?;
    Ok(0)
}

/// Builds a project's plugin.
pub(super) fn build(context: &Context, folder: &Path) -> Result<u8, Failure> {
    let project = Project::open(folder)?;
    let Built { made, component } = build_project(&project, &|line| context.screen.notice(line))?;
    // The compiler is done: what follows is weir's own.
    context.screen.notice(&format!("packing {}", component.display()));
    let info = write_component(&made, &component, &context.compiler.engine()?)?;
    let document = PluginPackDocument { schema: SCHEMA, file: component.display().to_string(), digest: info.digest, size: info.size };
    context.print_done(&document, || format!("{}: {} {}, {}\n", document.file, info.name, info.version, bytes_text(document.size)))?;
    Ok(0)
}

/// Puts this weir's SDK into a project.
pub(super) fn sdk(context: &Context, folder: &Path) -> Result<u8, Failure> {
    let project = Project::open(folder)?;
    let sdk = write_sdk(folder, project.language)?;
    let document = document(&sdk, project.language);
    context.print_done(&document, || {
        format!("{}: the SDK for {} of weir {}\n", document.folder, document.language, env!("CARGO_PKG_VERSION"))
    })?;
    Ok(0)
}

fn document(folder: &Path, language: Language) -> PluginProjectDocument {
    PluginProjectDocument { schema: SCHEMA, folder: folder.display().to_string(), language: language.profile().name.to_owned() }
}
