//! Writes a project, and the SDK beside it.

use super::language::Profile;
use super::{carried, check_name, failed};
use crate::args::Language;
use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// The SDK's folder in a project.
pub const SDK_FOLDER: &str = "weir-sdk";

/// What every language's project has: the template, and where it goes.
const COMMON: [(&str, &str); 6] = [
    ("common/weir.toml.template", "weir.toml"),
    ("common/job.toml.template", "job.toml"),
    ("common/README.md.template", "README.md"),
    ("common/gitignore.template", ".gitignore"),
    ("common/visits.jsonl", "visits.jsonl"),
    ("common/count.test.toml", "count.test.toml"),
];

/// Writes a project that is called `name` into the folder of that name below `parent`, which there may not be yet. Its folder.
pub fn new(parent: &Path, name: &str, language: Language) -> Result<PathBuf, Failure> {
    check_name(name)
        .map_err(|message| Failure::Usage { message, hint: "such as `weir plugin new count-visits --language rust`".into() })?;
    let folder = parent.join(name);
    if folder.exists() {
        let message = format!("{} is there already", folder.display());
        return Err(Failure::Usage { message, hint: "choose another name, or remove it".into() });
    }
    let profile = language.profile();
    let files = COMMON.iter().chain(profile.files);
    for (template, place) in files {
        write(&folder.join(place), filled(carried::template(template), name, profile).as_bytes())?;
    }
    write_sdk(&folder, language)?;
    Ok(folder)
}

/// Puts the SDK of this weir into a project's folder, in place of what is there.
pub fn write_sdk(project: &Path, language: Language) -> Result<PathBuf, Failure> {
    let (profile, folder) = (language.profile(), project.join(SDK_FOLDER));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| failed("replace", &folder, &error))?;
    }
    for part in profile.sdk {
        for (file, bytes) in carried::below(part) {
            write(&folder.join(part).join(file), bytes)?;
        }
    }
    for (template, place) in profile.sdk_files {
        write(&folder.join(place), carried::template(template).as_bytes())?;
    }
    Ok(folder)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().expect("it is below the project's folder");
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, bytes)).map_err(|error| failed("write", path, &error))?;
    Ok(())
}

/// A template with what is known of the project.
fn filled(template: &str, name: &str, profile: &Profile) -> String {
    let sources = profile.sources.iter().map(|glob| format!("\"{glob}\"")).collect::<Vec<_>>().join(", ");
    let documentation = format!("{SDK_FOLDER}/{}", profile.documentation);
    let known = [
        ("name", name),
        ("snake_name", &name.replace('-', "_")),
        ("language", profile.name),
        ("short", profile.short),
        ("sources", &sources),
        ("operator", profile.operator),
        ("source", profile.source),
        ("documentation", &documentation),
    ];
    known.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}
