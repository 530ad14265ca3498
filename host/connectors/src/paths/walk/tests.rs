//! Searches in real folders, with links, pipes and names that are no text.

use super::super::Hidden;
use super::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use tempfile::TempDir;

struct Tree(TempDir);

impl Tree {
    /// Files, and folders where the path ends in a slash.
    fn of(paths: &[&str]) -> Self {
        let tree = Self(TempDir::new().unwrap());
        for path in paths {
            let full = tree.path(path);
            fs::create_dir_all(if path.ends_with('/') { &full } else { full.parent().unwrap() }).unwrap();
            if !path.ends_with('/') {
                fs::write(full, path).unwrap();
            }
        }
        tree
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.0.path().join(inner)
    }

    fn link(&self, name: &str, to: &str) {
        symlink(to, self.path(name)).unwrap();
    }

    fn walk(&self, pattern: &str) -> Result<Found, String> {
        let pattern = Pattern::parse(pattern, Hidden::Stay).unwrap();
        walk(&pattern, self.0.path(), DeadLinks::Fail).map_err(|error| error.to_string())
    }

    fn names(&self, found: &Found) -> Vec<String> {
        found.files.iter().map(|file| FileName::of(&file.path, self.0.path()).to_string()).collect()
    }

    #[track_caller]
    fn check(&self, pattern: &str, names: &[&str], remarks: &[&str]) {
        let found = self.walk(pattern).unwrap();
        assert_eq!(
            (self.names(&found), found.remarks.iter().map(String::as_str).collect::<Vec<_>>()),
            (names.iter().map(|n| n.to_string()).collect(), remarks.to_vec())
        );
    }

    #[track_caller]
    fn refused(&self, pattern: &str, why: &str) {
        let error = self.walk(pattern).unwrap_err();
        assert!(error.contains(why), "{pattern}: {error}");
    }
}

#[test]
fn a_pattern_finds_the_files_that_the_crate_glob_finds() {
    let tree = Tree::of(&["a.csv", "b.txt", "d/a.csv", "d/e/a.csv", "d/e/f/b.csv", ".h/a.csv", "d/.b.csv", "x[1].csv", "d.csv/a.csv"]);
    let patterns =
        ["*.csv", "*", "?.csv", "**/*.csv", "d/**/*.csv", "*/*.csv", "**/e/*", "d/../*.csv", "x[[]1].csv", ".h/*", "d/*/*", "[!a]*"];
    for pattern in patterns {
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
        let full = tree.path(pattern).to_str().unwrap().to_owned();
        let mut theirs: Vec<_> = glob::glob_with(&full, options)
            .unwrap()
            .map(|path| path.unwrap().canonicalize().unwrap())
            .filter(|path| path.is_file())
            .collect();
        theirs.sort();
        theirs.dedup();
        let mut ours: Vec<_> = tree.walk(pattern).unwrap().files.iter().map(|file| file.path.canonicalize().unwrap()).collect();
        ours.sort();
        assert_eq!(ours, theirs, "{pattern}");
    }
    tree.check("d/**", &["d/a.csv", "d/e/a.csv", "d/e/f/b.csv"], &[]);
}

#[test]
fn links_that_lead_back_up_are_named_and_followed_once() {
    let tree = Tree::of(&["a.csv", "d/b.csv", "d/e/c.csv"]);
    tree.link("d/e/up", "..");
    tree.link("d/self", ".");
    tree.check(
        "**/*.csv",
        &["a.csv", "d/b.csv", "d/e/c.csv"],
        &["d/self leads back up to d, and is not followed again", "d/e/up leads back up to d, and is not followed again"],
    );
    tree.link("round", "round");
    tree.check("*.csv", &["a.csv"], &[]);
    tree.refused("r*", "round: it is a link that leads nowhere");
}

#[test]
fn many_ways_to_one_folder_are_no_more_work_than_one() {
    let tree = Tree::of(&["f/a.csv"]);
    for level in 0..40 {
        fs::create_dir(tree.path(&format!("{level:02}"))).unwrap();
        let next = if level == 39 { "../f".into() } else { format!("../{:02}", level + 1) };
        tree.link(&format!("{level:02}/left"), &next);
        tree.link(&format!("{level:02}/right"), &next);
    }
    let found = tree.walk("00/**/*.csv").unwrap();
    assert_eq!((found.files.len(), found.remarks.len()), (1, 21), "{:?}", found.remarks);
    assert!(found.remarks.last().unwrap().ends_with("more things were found that are not read, or read once"));
}

#[test]
fn a_file_under_several_names_is_found_once_by_its_own() {
    let tree = Tree::of(&["m.csv", "data/z.csv"]);
    tree.link("a.csv", "m.csv");
    fs::hard_link(tree.path("m.csv"), tree.path("n.csv")).unwrap();
    tree.check(
        "*.csv",
        &["m.csv"],
        &["n.csv is m.csv under another name, and is read once", "a.csv is m.csv under another name, and is read once"],
    );
    tree.link("also", "data");
    tree.check("*/*.csv", &["data/z.csv"], &["also is data under another name, and is looked into once"]);
    tree.check("also/*.csv", &["also/z.csv"], &[]);
}

#[test]
fn what_matches_and_is_no_file_is_remarked_on_and_is_an_error_where_it_is_all_that_was_named() {
    let tree = Tree::of(&["a.csv", "folder.csv/"]);
    let _socket = UnixListener::bind(tree.path("socket.csv")).unwrap();
    tree.check(
        "*.csv",
        &["a.csv"],
        &["folder.csv matches and is not read: it is a folder", "socket.csv matches and is not read: it is a socket"],
    );
    tree.check("**/*.csv", &["a.csv"], &["socket.csv matches and is not read: it is a socket"]);
    tree.refused("socket.csv", "socket.csv: it is a socket");
    tree.refused("folder.csv", "folder.csv: it is a folder");
    tree.refused("/dev/null", "/dev/null: it is a device");
}

#[test]
fn a_link_to_nothing_is_no_absent_file() {
    let tree = Tree::of(&["d/a.csv"]);
    tree.link("dead.csv", "gone");
    tree.link("d/dead", "/nowhere/at/all");
    tree.refused("*.csv", "dead.csv: it is a link to \"gone\", and nothing is there");
    tree.refused("dead.csv", "dead.csv: it is a link to \"gone\"");
    tree.refused("d/dead/*.csv", "d/dead: it is a link to \"/nowhere/at/all\"");
    let aside = ["d/dead is not looked into: it is a link to \"/nowhere/at/all\", and nothing is there"];
    tree.check("d/**/*.csv", &["d/a.csv"], &aside);
    tree.check("d/*/*.csv", &[], &aside);
    tree.check("absent/*.csv", &[], &[]);
    tree.check("d/a.csv/*", &[], &[]);
}

#[test]
fn a_folder_that_may_not_be_looked_into_is_an_error_by_name() {
    for (mode, pattern) in [(0o600, "**/*.csv"), (0o600, "locked/*.csv"), (0o000, "*/*.csv"), (0o300, "**/*"), (0o600, "locked/a.csv")] {
        let tree = Tree::of(&["b.csv", "locked/a.csv"]);
        fs::set_permissions(tree.path("locked"), fs::Permissions::from_mode(mode)).unwrap();
        // Root may look anywhere.
        if fs::read_dir(tree.path("locked")).is_err() || fs::metadata(tree.path("locked/a.csv")).is_err() {
            tree.refused(pattern, "locked");
            tree.refused(pattern, "ermission denied");
        }
        fs::set_permissions(tree.path("locked"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn names_that_are_no_text_are_found_and_in_nobodys_way() {
    let tree = Tree::of(&["a.csv", "d/b.csv"]);
    for name in [&b"\xff.csv"[..], b"d/\xc3.txt", b"\xfe/"] {
        let path = tree.0.path().join(OsStr::from_bytes(name));
        if name.ends_with(b"/") { fs::create_dir(path).unwrap() } else { fs::write(path, "x").unwrap() }
    }
    fs::write(tree.0.path().join(OsStr::from_bytes(b"\xfe/c.csv")), "x").unwrap();
    tree.check("a*", &["a.csv"], &[]);
    tree.check("*.csv", &["a.csv", "\"\\xff.csv\""], &[]);
    tree.check("**/?.csv", &["a.csv", "d/b.csv", "\"\\xfe/c.csv\"", "\"\\xff.csv\""], &[]);
}

#[test]
fn too_deep_a_tree_is_named() {
    let tree = Tree::of(&[&"d/".repeat(DEPTH_MAX + 2)]);
    tree.refused("**/*.csv", "it lies more than 100 folders deep");
    tree.check("d/d/*.csv", &[], &[]);
}
