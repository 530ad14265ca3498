//! Projects in JavaScript: npm brings what makes a component of a module, QuickJS among it.

use super::Project;
use super::build::{Tool, run};
use super::language::Profile;
use crate::failure::Failure;
use std::path::PathBuf;

/// What is said of JavaScript.
pub const PROFILE: Profile = Profile {
    name: "JavaScript",
    short: "javascript",
    operator: "operator.js",
    source: "operator.js",
    documentation: "guest-sdk/js/README.md",
    sources: &["*.js", "*.ts", "package.json", "weir-sdk/guest-sdk/js/src/**/*.js"],
    sdk: &["guest-sdk/js", "wit"],
    files: &[("javascript/package.json.template", "package.json"), ("javascript/operator.js.template", "operator.js")],
    sdk_files: &[],
    build,
};

const GET: &str = "install Node.js 20 or later with npm: https://nodejs.org";
const NPM: Tool = Tool { program: "npm", get: GET, incomplete: None };
const NODE: Tool = Tool { program: "node", get: GET, incomplete: None };

fn build(project: &Project, say: &dyn Fn(&str)) -> Result<PathBuf, Failure> {
    // What npm noted that it has installed is older than what asks for it, or not there.
    let changed = |file: &str| std::fs::metadata(project.folder.join(file)).and_then(|file| file.modified()).ok();
    if changed("node_modules/.package-lock.json").is_none_or(|installed| changed("package.json").is_some_and(|asked| asked > installed)) {
        run(&NPM, ["install", "--no-audit", "--no-fund", "--loglevel=error"], &project.folder, say)?;
    }
    let component = project.folder.join("target").join(format!("{}.wasm", project.name));
    let component_text = component.display().to_string();
    run(&NODE, ["node_modules/weir-guest/bin/weir-guest.js", "build", &project.source, "-o", &component_text], &project.folder, say)?;
    Ok(component)
}
