//! The SDKs as their ecosystems package them, and what their pages promise besides: C as it is installed for pkg-config, C++, C by zig; JavaScript as npm packs it,
//! with its types. (Python's wheel: `language_jobs`.)

use crate::WEIR;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_tests::process::{Bench, WordCount, check_out, has_clang, has_toolchain, path_with, python_with_zig, write_zig};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// A folder that has a clone's SDK of C beside the plugins in C.
fn clone_of_c() -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    check_out(&["guest-sdk/c", "plugins/word-count/c"], &bench.path(""));
    bench
}

/// Runs a script in the bench's folder, with this variable `PATH`.
#[track_caller]
fn sh(bench: &Bench, path: &OsStr, script: &str) {
    let run = Command::new("/bin/sh").args(["-e", "-c", script]).current_dir(bench.path("")).env("PATH", path).output().expect("a shell");
    assert!(run.status.success(), "{script}\n{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
}

fn own_path() -> std::ffi::OsString {
    std::env::var_os("PATH").expect("a path")
}

#[track_caller]
fn passes(bench: &Bench, script: &str, component: &Path) {
    let script = workspace().join(script);
    let line = format!("plugin test {} --plugin {} --resplit 3 --forgetful", script.display(), component.display());
    let tested = bench.run_patiently(&line, &[]);
    assert!(tested.code == Some(0) && tested.stdout.contains(", 0 failed"), "{}{}", tested.stdout, tested.stderr);
}

#[test]
fn the_sdk_of_c_is_installed_for_pkg_config_and_an_operator_is_built_with_it() {
    if !has_clang() {
        return;
    }
    let bench = clone_of_c();
    let script = "make -s -C guest-sdk/c install PREFIX=\"$PWD/usr\"\nexport PKG_CONFIG_PATH=\"$PWD/usr/lib/pkgconfig\"\n\
        clang $(pkg-config --variable=wasmflags weir) plugins/word-count/c/count.c $(pkg-config --cflags --libs weir) -o by-library.wasm\n\
        clang $(pkg-config --variable=wasmflags weir) plugins/word-count/c/count.c $(pkg-config --cflags weir) \"$(pkg-config --variable=sourcedir weir)\"/*.c -o by-sources.wasm";
    sh(&bench, &own_path(), script);
    for component in ["by-library.wasm", "by-sources.wasm"] {
        passes(&bench, "plugins/word-count/count.test.toml", &bench.path(component));
    }
}

#[test]
fn an_operator_in_cpp_is_built_and_does_what_it_says() {
    if !has_clang() {
        return;
    }
    let bench = clone_of_c();
    // As its job file has it, which is looked at where it stands.
    bench
        .run_patiently("plugin test guest-sdk/c/tests/cpp/visits.test.toml --resplit --forgetful", &[])
        .assert(0, &["running `make -C ../.. plugin-cxx"]);
}

#[test]
fn c_and_cpp_are_built_by_zig_alone() {
    let Some(python) = python_with_zig().filter(|_| has_toolchain("c")) else { return };
    let bench = clone_of_c();
    let programs = bench.path("programs");
    fs::create_dir(&programs).expect("a folder");
    write_zig(&python, &programs);
    // There is no clang where nothing else is.
    let only = [("PATH", programs.to_str().expect("text"))];
    bench.run("plugin new by-zig --language c -q").assert(0, &[]);
    bench.run_patiently("plugin build by-zig", &only).assert(0, &["running `zig cc"]);
    let tested = bench.run("plugin test by-zig/count.test.toml --plugin by-zig/by-zig.wasm --resplit --forgetful");
    assert!(tested.stdout.ends_with("2 passed, 0 failed\n"), "{}{}", tested.stdout, tested.stderr);
    if has_clang() {
        let make = "make -s -C guest-sdk/c plugin CC='zig cc' SOURCES=\"$PWD/plugins/word-count/c/split.c\" PLUGIN=\"$PWD/split.wasm\"\n\
            make -s -C guest-sdk/c plugin-cxx CC='zig cc' CXX='zig c++' AR='zig ar' SOURCES=\"$PWD/guest-sdk/c/tests/cpp/visits.cc\" PLUGIN=\"$PWD/visits.wasm\"";
        sh(&bench, &path_with(&programs), make);
        passes(&bench, "plugins/word-count/c/split.test.toml", &bench.path("split.wasm"));
        passes(&bench, "guest-sdk/c/tests/cpp/visits.test.toml", &bench.path("visits.wasm"));
    }
}

#[test]
fn the_sdk_of_javascript_is_packed_and_a_project_is_built_and_checked_with_it() {
    if !has_toolchain("javascript") {
        return;
    }
    let bench = Bench::new(WEIR, WordCount::default());
    let (root, project) = (workspace().display().to_string(), bench.path("scratch"));
    fs::create_dir(&project).expect("a folder");
    fs::write(
        project.join("package.json"),
        "{\"private\":true,\"type\":\"module\",\"dependencies\":{\"weir-guest\":\"file:weir-guest.tgz\"},\
         \"devDependencies\":{\"componentize-qjs\":\"^0.4.5\",\"esbuild\":\"^0.28.2\",\"typescript\":\"^5\"}}",
    )
    .expect("a file");
    let copied = [
        ("plugins/word-count/js/count.js", "count.js"),
        ("tests/own-ways/javascript/talks.ts", "talks.ts"),
        ("guest-sdk/js/test/typed.ts", "typed.ts"),
    ];
    for (from, to) in copied {
        fs::copy(workspace().join(from), project.join(to)).unwrap_or_else(|error| panic!("{from}: {error}"));
    }
    let script = format!(
        "cd scratch\nmv \"$(npm pack --silent '{root}/guest-sdk/js')\" weir-guest.tgz\nnpm install --no-audit --no-fund --loglevel=error\n\
         npx tsc --noEmit --target es2022 --module nodenext --strict typed.ts talks.ts\n\
         npx weir-guest build count.js -o count.wasm"
    );
    sh(&bench, &own_path(), &script);
    passes(&bench, "plugins/word-count/count.test.toml", &project.join("count.wasm"));
    let installed: PathBuf = project.join("node_modules/weir-guest");
    assert!(!installed.is_symlink() && !installed.join("test").exists(), "it is the package, and not the folder that it was packed of");
}
