//! Packages that are native are refused when a plugin is built, by their names. None is fetched: what makes a package native is written down here.

use crate::WEIR;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use weir_tests::process::{Bench, WordCount, has_toolchain, word_count_in};

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| fs::write(path, text)).expect("a file");
}

#[test]
fn a_package_in_go_that_needs_cgo_is_refused_by_name() {
    if !has_toolchain("go") {
        return;
    }
    let bench = Bench::new(WEIR, WordCount::default());
    bench.run("plugin new native --language go -q").assert(0, &[]);
    let project = bench.path("native");
    let main = fs::read_to_string(project.join("main.go")).expect("a file");
    // As go-sqlite3 is made: without cgo it builds, and does nothing.
    write(&project.join("sqlite/go.mod"), "module example.com/sqlite\n\ngo 1.24\n");
    write(
        &project.join("sqlite/sqlite.go"),
        "package sqlite\n\n// int one(void) { return 1; }\nimport \"C\"\n\nfunc One() int { return int(C.one()) }\n",
    );
    write(&project.join("sqlite/none.go"), "//go:build !cgo\n\npackage sqlite\n\nfunc One() int { return 0 }\n");
    let mut modules = fs::read_to_string(project.join("go.mod")).expect("a file");
    modules += "\nrequire example.com/sqlite v0.0.0\n\nreplace example.com/sqlite => ./sqlite\n";
    write(&project.join("go.mod"), &modules);
    write(&project.join("uses.go"), "package main\n\nimport \"example.com/sqlite\"\n\nvar _ = sqlite.One\n");
    let build = || bench.run_patiently("plugin build native", &[]);
    build()
        .assert(1, &["the package example.com/sqlite is native: it needs cgo", "the sandbox runs no C beside Go", "set `CGO_ENABLED=0`"]);
    // It does without its C, says who builds.
    bench.run_patiently("plugin build native", &[("CGO_ENABLED", "0")]).assert(0, &[]);
    fs::remove_file(project.join("uses.go")).expect("a file");
    build().assert(0, &[]);
    // And a file of one's own, which Go leaves out in silence.
    write(&project.join("own.go"), "package main\n\nimport \"C\"\n");
    build().assert(1, &["native is native: own.go of it has `import \"C\"`"]);
    // One for another machine is left out as it should be.
    fs::rename(project.join("own.go"), project.join("own_linux.go")).expect("a file");
    write(&project.join("main.go"), &main);
    build().assert(0, &[]);
}

#[test]
fn a_package_of_npm_that_is_native_is_refused_by_name() {
    if !has_toolchain("javascript") {
        return;
    }
    let bench = Bench::new(WEIR, WordCount::default());
    bench.run("plugin new native --language javascript -q").assert(0, &[]);
    let (project, packages) = (bench.path("native"), bench.path("native/node_modules"));
    // What a project has that was built is here by links, so that npm has nothing to do.
    let built = word_count_in("javascript", WEIR);
    let installed = built.parent().expect("a project").join("node_modules");
    fs::create_dir(&packages).expect("a folder");
    for entry in fs::read_dir(&installed).expect("packages").map(|entry| entry.expect("an entry")) {
        if entry.file_name() != ".package-lock.json" {
            symlink(entry.path(), packages.join(entry.file_name())).expect("a link");
        }
    }
    let package = |name: &str, more: &str| {
        write(
            &packages.join(name).join("package.json"),
            &format!("{{\"name\":{name:?},\"version\":\"1.0.0\",\"main\":\"index.js\"{more}}}"),
        );
        write(&packages.join(name).join("index.js"), "export default 1;\n");
    };
    package("has-gyp", ",\"gypfile\":true");
    package("has-loader", ",\"dependencies\":{\"bindings\":\"1\"}");
    package("@scope/has-parts", ",\"optionalDependencies\":{\"@scope/has-parts-linux-x64\":\"1\"}");
    package("pure", "");
    let operator = fs::read_to_string(project.join("operator.js")).expect("a file");
    write(&packages.join(".package-lock.json"), "{}");
    let with = |import: &str| {
        write(&project.join("operator.js"), &format!("{import}\n{operator}"));
        bench.run_patiently("plugin build native", &[])
    };
    for name in ["has-gyp", "has-loader", "@scope/has-parts"] {
        with(&format!("import x from '{name}'; globalThis.x = x;"))
            .assert(1, &[&format!("the package {name} is native: it needs an add-on of Node")]);
    }
    with("import fs from 'node:fs'; globalThis.x = fs;")
        .assert(1, &["node:fs is a part of Node, which the sandbox does not have (imported by operator.js)"]);
    with("import net from 'net'; globalThis.x = net;").assert(1, &["net is a part of Node"]);
    with("import x from './x.node'; globalThis.x = x;").assert(1, &["./x.node is an add-on of Node"]);
    with("import x from 'pure'; globalThis.x = x;").assert(0, &[]);
}
