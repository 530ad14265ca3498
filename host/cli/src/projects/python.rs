//! Projects in Python: componentize-py, in an environment of the project's own, makes a component of a module and the interpreter.

use super::Project;
use super::build::{Tool, run, run_with};
use super::language::Profile;
use super::new::SDK_FOLDER;
use crate::failure::Failure;
use std::path::PathBuf;

/// What is said of Python.
pub const PROFILE: Profile = Profile {
    name: "Python",
    short: "python",
    operator: "visits.py",
    source: "visits.py",
    documentation: "guest-sdk/python/README.md",
    sources: &["*.py", "requirements.txt", "weir-sdk/guest-sdk/python/weir_guest/**/*.py"],
    sdk: &["guest-sdk/python", "wit"],
    files: &[("python/visits.py.template", "visits.py"), ("python/requirements.txt", "requirements.txt")],
    sdk_files: &[],
    build,
};

const PYTHON: Tool = Tool {
    program: "python3",
    get: "install Python 3.11 or later with venv: https://python.org (Debian: `apt-get install python3-venv`)",
    // Debian's own has venv, and not what venv puts into an environment.
    incomplete: Some("ensurepip is not available"),
};

fn build(project: &Project, say: &dyn Fn(&str)) -> Result<PathBuf, Failure> {
    let environment = project.folder.join(".venv");
    let asked = project.folder.join("requirements.txt");
    let changed = |path: &std::path::Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    // It is written when everything is there.
    let installed = environment.join("weir-installed");
    if changed(&installed).is_none_or(|installed| changed(&asked).is_some_and(|asked| asked > installed)) {
        run(&PYTHON, ["-m", "venv", ".venv"], &project.folder, say)?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
        run(&Tool { program: ".venv/bin/python", ..PYTHON }, pip, &project.folder, say)?;
        std::fs::write(&installed, "").map_err(|error| super::failed("write", &installed, &error))?;
    }
    let component = project.folder.join("target").join(format!("{}.wasm", project.name));
    std::fs::create_dir_all(project.folder.join("target")).map_err(|error| super::failed("make", &component, &error))?;
    let sdk = project.folder.join(SDK_FOLDER).join("guest-sdk/python").display().to_string();
    let component_text = component.display().to_string();
    say("making a component of the interpreter and the module takes half a minute");
    let arguments = ["-m", "weir_guest.build", &project.source, "-o", &component_text];
    let python = Tool { program: ".venv/bin/python", ..PYTHON };
    run_with(&python, arguments, &project.folder, &[("PYTHONPATH", &sdk)], say)?;
    Ok(component)
}
