//! Projects in C: a core module without a libc, of the author's file and the SDK's.

use super::build::{Tool, first_there, run};
use super::language::Profile;
use super::{Project, new::SDK_FOLDER};
use crate::failure::Failure;
use std::path::{Path, PathBuf};

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
/// Its linker is a package of its own: it looks for it when it has compiled.
const CLANG: Tool = Tool { program: "clang", get: GET, incomplete: Some("unable to execute command: Executable \"wasm-ld") };
const ZIG: Tool = Tool { program: "zig", get: GET, incomplete: None };

/// What both compilers are told of a source.
const FLAGS: [&str; 4] = ["-std=c11", "-O2", "-mbulk-memory", "-Wall"];
/// And of the module.
const LINK_FLAGS: [&str; 4] = ["-nostdlib", "-Wl,--no-entry", "-Wl,--gc-sections", "-Wl,--strip-debug"];

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
    arguments.push(format!("-I{}", sdk.join("include").display()));
    let sdk_part = match compiler.program {
        // It makes one object of all sources that it is given at once.
        "zig" => sources(&sdk.join("src"))?,
        _ => sdk_objects(project, &sdk, (compiler, &arguments), say)?,
    };
    let own = sources(&project.folder.join(&project.source))?;
    let only_compiled: Vec<String> = arguments.iter().chain(&own).cloned().collect();
    arguments.extend(LINK_FLAGS.map(str::to_owned));
    arguments.extend(["-o".into(), module.display().to_string()]);
    arguments.extend(own);
    arguments.extend(sdk_part);
    run(compiler, arguments, &project.folder, say)?;
    note_sources(project, &module, (compiler, &only_compiled));
    Ok(module)
}

/// Notes beside the module what the author's files are made of, headers wherever they are, as cargo does. Where that cannot be known, only the globs of the job file are.
fn note_sources(project: &Project, module: &Path, (compiler, arguments): (&Tool, &[String])) {
    // Zig's own word, `cc`, comes first.
    let rules = arguments.iter().cloned().chain(["-MM".to_owned()]);
    if let Ok(rules) = run(compiler, rules, &project.folder, &|_| ()) {
        // A rule is one line.
        _ = std::fs::write(module.with_extension("d"), rules.replace("\\\n", ""));
    }
}

/// The SDK's part of the module, which is compiled where it is not, or where the SDK is newer: nobody waits for it who saves a line of an operator.
fn sdk_objects(
    project: &Project,
    sdk: &Path,
    (compiler, arguments): (&Tool, &[String]),
    say: &dyn Fn(&str),
) -> Result<Vec<String>, Failure> {
    let folder = project.folder.join("target").join(concat!("sdk-", env!("CARGO_PKG_VERSION")));
    let sources = sources(&sdk.join("src"))?;
    let objects: Vec<PathBuf> =
        sources.iter().filter_map(|source| Some(folder.join(Path::new(source).file_stem()?).with_extension("o"))).collect();
    let made = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let newest = files_below(sdk).iter().filter_map(|path| made(path)).max();
    if objects.iter().any(|object| made(object) < newest) {
        std::fs::create_dir_all(&folder).map_err(|error| super::failed("make", &folder, &error))?;
        let compiled = ["-c".to_owned()].into_iter().chain(sources);
        run(compiler, arguments.iter().cloned().chain(compiled), &folder, say)?;
    }
    Ok(objects.iter().map(|object| object.display().to_string()).collect())
}

/// All files of a folder and of those in it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// A file, or the `.c` files of a folder, in order.
fn sources(folder: &Path) -> Result<Vec<String>, Failure> {
    if !folder.is_dir() {
        return Ok(vec![folder.display().to_string()]);
    }
    let entries = std::fs::read_dir(folder).map_err(|error| super::failed("read", folder, &error))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|end| end == "c"));
    let mut sources: Vec<_> = files.map(|path| path.display().to_string()).collect();
    sources.sort();
    Ok(sources)
}
