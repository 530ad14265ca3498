//! Projects in C: a core module without a libc, of the author's file and the SDK's.

use super::build::{Tool, first_there, run};
use super::language::Profile;
use super::{Project, new::SDK_FOLDER};
use crate::failure::Failure;
use std::path::PathBuf;

/// What is said of C.
pub const PROFILE: Profile = Profile {
    name: "C",
    short: "c",
    operator: "operator.c",
    source: ".",
    documentation: "guest-sdk/c/README.md",
    sources: &["*.c", "*.h", "weir-sdk/guest-sdk/c/**/*.[ch]"],
    sdk: &["guest-sdk/c", "wit"],
    files: &[("c/operator.c.template", "operator.c")],
    sdk_files: &[],
    build,
};

const GET: &str = "install clang and lld (Debian: `apt-get install clang lld`), or zig (`pip install ziglang` and a `zig` that runs `python3 -m ziglang`)";
const CLANG: Tool = Tool { program: "clang", get: GET };
const ZIG: Tool = Tool { program: "zig", get: GET };

/// What both compilers are told.
const FLAGS: [&str; 8] =
    ["-std=c11", "-O2", "-mbulk-memory", "-nostdlib", "-Wall", "-Wl,--no-entry", "-Wl,--gc-sections", "-Wl,--strip-debug"];

fn build(project: &Project, say: &dyn Fn(&str)) -> Result<PathBuf, Failure> {
    let compiler = first_there([&CLANG, &ZIG])?;
    let sdk = project.folder.join(SDK_FOLDER).join("guest-sdk/c");
    let module = project.folder.join("target").join(format!("{}.core.wasm", project.name));
    std::fs::create_dir_all(project.folder.join("target")).map_err(|error| super::failed("make", &module, &error))?;
    let mut arguments: Vec<String> = match compiler.program {
        "zig" => vec!["cc".into(), "--target=wasm32-freestanding".into()],
        _ => vec!["--target=wasm32".into()],
    };
    arguments.extend(FLAGS.map(str::to_owned));
    arguments.extend([format!("-I{}", sdk.join("include").display()), "-o".into(), module.display().to_string()]);
    for source in [&project.folder.join(&project.source), &sdk.join("src")] {
        arguments.extend(sources(source)?);
    }
    run(compiler, arguments, &project.folder, say)?;
    Ok(module)
}

/// A file, or the `.c` files of a folder, in order.
fn sources(folder: &std::path::Path) -> Result<Vec<String>, Failure> {
    if !folder.is_dir() {
        return Ok(vec![folder.display().to_string()]);
    }
    let entries = std::fs::read_dir(folder).map_err(|error| super::failed("read", folder, &error))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|end| end == "c"));
    let mut sources: Vec<_> = files.map(|path| path.display().to_string()).collect();
    sources.sort();
    Ok(sources)
}
