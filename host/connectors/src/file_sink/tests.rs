//! The file sink's own promises, beside those of the suite.

use super::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;
use weir_engine::sink::conformance::{commit, lines_of, prepared, sink_attempt, sink_suite, wait, write_values, writer_context};

fn sink_in(folder: &Path, format: &str) -> FileSink {
    let settings = serde_json::json!({ "path": "out", "format": format });
    FileSink::new(settings.as_object().unwrap(), folder).unwrap().0
}

fn committed(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap());
    let files = files.filter(|entry| entry.file_name().to_str().unwrap().starts_with("part-"));
    files.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

fn pending(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder.join("out/.pending")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn one_prepared(folder: &TempDir) -> Committable {
    let sink = sink_in(folder.path(), "lines");
    wait(sink.prepare_attempt(&sink_attempt(1, "aa", &[], &[]))).unwrap();
    let mut writer = sink.writer(&writer_context(0, 1, 1, "aa")).unwrap();
    write_values(&mut *writer, &["x", "y"]);
    prepared(&mut *writer, 7).remove(0)
}

#[test]
fn it_passes_the_sink_suite_in_both_formats() {
    let folder = TempDir::new().unwrap();
    let visible = || committed(folder.path()).values().flat_map(|bytes| lines_of(bytes)).collect();
    sink_suite(|| Arc::new(sink_in(folder.path(), "lines")), Some(&FileCommitter::new(folder.path())), Some(&visible));

    let folder = TempDir::new().unwrap();
    let value_of = |line: Vec<u8>| {
        let line: Value = serde_json::from_slice(&line).unwrap();
        line["value"].as_str().unwrap().as_bytes().to_vec()
    };
    let visible = || committed(folder.path()).values().flat_map(|bytes| lines_of(bytes)).map(value_of).collect();
    sink_suite(|| Arc::new(sink_in(folder.path(), "jsonl")), Some(&FileCommitter::new(folder.path())), Some(&visible));
}

#[test]
fn a_part_is_named_after_vertex_subtask_checkpoint_and_nonce() {
    let folder = TempDir::new().unwrap();
    commit(&FileCommitter::new(folder.path()), &one_prepared(&folder)).unwrap();
    assert_eq!(committed(folder.path()), BTreeMap::from([("part-out-0-7-aa".to_string(), b"x\ny\n".to_vec())]));
}

#[test]
fn a_final_file_that_differs_refuses_the_commit() {
    for other in ["x\nyy\n", "x\nz\n"] {
        let folder = TempDir::new().unwrap();
        let committable = one_prepared(&folder);
        std::fs::write(folder.path().join("out/part-out-0-7-aa"), other).unwrap();
        let error = commit(&FileCommitter::new(folder.path()), &committable).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("part-out-0-7-aa: it is not the file that the checkpoint names"), "{error}");
        assert_eq!(pending(folder.path()).len(), 1, "the pending file stays");
    }
}

#[test]
fn a_pending_file_that_was_damaged_is_not_made_visible() {
    let folder = TempDir::new().unwrap();
    let committable = one_prepared(&folder);
    std::fs::write(&pending(folder.path())[0], "x\nz\n").unwrap();
    let error = commit(&FileCommitter::new(folder.path()), &committable).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(committed(folder.path()).is_empty());
}

#[test]
fn output_that_is_missing_twice_is_named_with_the_way_to_give_it_up() {
    let folder = TempDir::new().unwrap();
    let committable = one_prepared(&folder);
    std::fs::remove_file(&pending(folder.path())[0]).unwrap();
    let error = commit(&FileCommitter::new(folder.path()), &committable).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FixInput);
    assert!(error.to_string().contains("part-out-0-7-aa: it is missing"), "{error}");
    assert!(error.hint().unwrap().contains("--accept-lost-output"));
}

#[test]
fn a_leftover_pending_copy_of_a_committed_part_is_removed() {
    let folder = TempDir::new().unwrap();
    let committable = one_prepared(&folder);
    std::fs::copy(&pending(folder.path())[0], folder.path().join("out/part-out-0-7-aa")).unwrap();
    commit(&FileCommitter::new(folder.path()), &committable).unwrap();
    assert!(pending(folder.path()).is_empty());
}

#[test]
fn files_of_others_in_the_folders_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let foreign = ["out/notes.txt", "out/part-old", "out/.pending/bb.other-0-1", "out/.pending/aax.out-0-1", "out/.pending/.lock"];
    std::fs::create_dir_all(folder.path().join("out/.pending")).unwrap();
    for name in foreign {
        std::fs::write(folder.path().join(name), "mine").unwrap();
    }
    one_prepared(&folder);
    wait(sink_in(folder.path(), "lines").prepare_attempt(&sink_attempt(2, "bb", &["aa", ""], &[]))).unwrap();
    for name in foreign {
        assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), b"mine", "{name}");
    }
    assert_eq!(pending(folder.path()).len(), 3, "the leftover of attempt aa is gone");
}

#[test]
fn a_path_that_is_a_file_or_empty_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("out"), "").unwrap();
    let settings = serde_json::json!({ "path": "out" });
    let error = FileSink::new(settings.as_object().unwrap(), folder.path()).err().unwrap();
    assert_eq!(error.field.as_deref(), Some("path"));
    assert!(error.message.contains("must be a folder"), "{error}");
    let empty = serde_json::json!({ "path": "" });
    let error = FileSink::new(empty.as_object().unwrap(), folder.path()).err().unwrap();
    assert_eq!((error.to_string().as_str(), error.hint), ("`path` of the sink `file` is empty", None));
}

#[test]
fn a_large_part_keeps_its_bytes_and_checksum() {
    let folder = TempDir::new().unwrap();
    let sink = sink_in(folder.path(), "lines");
    wait(sink.prepare_attempt(&sink_attempt(1, "aa", &[], &[]))).unwrap();
    let mut writer = sink.writer(&writer_context(0, 1, 1, "aa")).unwrap();
    let value = "v".repeat(1000);
    for _ in 0..2000 {
        write_values(&mut *writer, &[&value]);
    }
    let committables = prepared(&mut *writer, 1);
    commit(&FileCommitter::new(folder.path()), &committables[0]).unwrap();
    assert_eq!(committed(folder.path())["part-out-0-1-aa"], format!("{value}\n").repeat(2000).into_bytes());
}

#[test]
fn a_committable_of_another_shape_is_corrupt() {
    let folder = TempDir::new().unwrap();
    let committable = Committable { connector: "file".into(), payload: serde_json::json!({ "target": "x" }) };
    assert_eq!(commit(&FileCommitter::new(folder.path()), &committable).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = TempDir::new().unwrap();
    let sink = sink_in(folder.path(), "lines");
    let mut context = writer_context(0, 1, 1, "aa");
    context.subtask.vertex = "../x".into();
    assert!(sink.writer(&context).is_err());
    assert!(sink.writer(&writer_context(0, 1, 1, "a.a")).is_err());
}

/// A part that a job in `orig` has prepared, and the folder that `orig` lies in. `out` is the sink's `path`.
fn prepared_in_orig(out: impl FnOnce(&Path) -> String) -> (TempDir, Committable) {
    let folder = TempDir::new().unwrap();
    let base = folder.path().join("orig");
    let settings = serde_json::json!({ "path": out(&base) });
    std::fs::create_dir(&base).unwrap();
    let sink = FileSink::new(settings.as_object().unwrap(), &base).unwrap().0;
    wait(sink.prepare_attempt(&sink_attempt(1, "aa", &[], &[]))).unwrap();
    let mut writer = sink.writer(&writer_context(0, 1, 1, "aa")).unwrap();
    write_values(&mut *writer, &["x"]);
    let committable = prepared(&mut *writer, 7).remove(0);
    (folder, committable)
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &to.join(entry.file_name())),
            false => _ = std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap(),
        }
    }
}

#[test]
fn a_project_that_was_moved_commits_into_its_own_folder() {
    for path in ["out", "./out", "../orig/out"] {
        let (folder, committable) = prepared_in_orig(|_| path.into());
        let base = folder.path().join("orig");
        if !path.starts_with("..") {
            std::fs::rename(&base, folder.path().join("moved")).unwrap();
        }
        let moved = if path.starts_with("..") { base } else { folder.path().join("moved") };
        commit(&FileCommitter::new(&moved), &committable).unwrap();
        assert_eq!(committed(&moved).len(), 1, "{path}");
        commit(&FileCommitter::new(&moved), &committable).expect("again");
    }
}

#[test]
fn a_project_that_was_copied_commits_into_its_own_folder_and_leaves_the_originals_alone() {
    let (folder, committable) = prepared_in_orig(|_| "out".into());
    let (orig, copy) = (folder.path().join("orig"), folder.path().join("copy"));
    copy_folder(&orig, &copy);
    commit(&FileCommitter::new(&copy), &committable).unwrap();
    assert_eq!((committed(&copy).len(), committed(&orig).len(), pending(&orig).len()), (1, 0, 1));
    commit(&FileCommitter::new(&orig), &committable).unwrap();
    assert_eq!(committed(&orig).len(), 1);
}

#[test]
fn an_absolute_path_in_the_job_file_stays_absolute_and_so_do_older_committables() {
    let (folder, committable) = prepared_in_orig(|base| base.join("out").display().to_string());
    let orig = folder.path().join("orig");
    let fields: Vec<&str> = committable.payload.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["crc32c", "pending", "size", "target"], "as it always was");
    commit(&FileCommitter::new(&folder.path().join("another")), &committable).unwrap();
    assert_eq!(committed(&orig).len(), 1);
}

/// What a commit in `moved` says of a part whose files stayed in, or went to, another folder.
#[track_caller]
fn check_elsewhere(out: impl FnOnce(&Path) -> String, stays: bool, hint: &str) {
    let (folder, committable) = prepared_in_orig(out);
    let (orig, moved) = (folder.path().join("orig"), folder.path().join("moved"));
    match stays {
        true => std::fs::create_dir(&moved).unwrap(),
        false => std::fs::rename(&orig, &moved).unwrap(),
    }
    let error = commit(&FileCommitter::new(&moved), &committable).unwrap_err();
    let (here, there) = if stays { (&moved, &orig) } else { (&orig, &moved) };
    let both = [format!("{}: it is missing", here.join("out/part-out-0-7-aa").display()), format!("is at {}", pending(there)[0].display())];
    assert!(both.iter().all(|part| error.to_string().contains(part)), "{error}");
    assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
    assert!(committed(there).is_empty(), "nothing is committed there");
}

#[test]
fn of_a_file_that_is_elsewhere_both_places_are_named() {
    check_elsewhere(|_| "out".into(), true, "moved or copied without it: bring it here");
    check_elsewhere(|base| base.join("out").display().to_string(), false, "its path in the job file is absolute");
}

#[test]
fn the_newest_visible_checkpoint_of_each_attempt_is_told_from_the_names() {
    let folder = TempDir::new().unwrap();
    let sink = sink_in(folder.path(), "lines");
    assert_eq!(wait(sink.newest_visible(&["aa".into()])).unwrap(), [], "there is no folder yet");
    std::fs::create_dir_all(folder.path().join("out/.pending")).unwrap();
    for name in
        ["part-out-0-7-aa", "part-out-1-12-aa", "part-out-0-99-cc", "part-my-out-0-3-bb.jsonl", "notes-1-50-aa", ".pending/aa.out-0-1"]
    {
        std::fs::write(folder.path().join("out").join(name), "x").unwrap();
    }
    let newest = wait(sink.newest_visible(&["aa".into(), "bb".into()])).unwrap();
    let visible = |nonce: &str, id| VisibleOutput { nonce: nonce.into(), checkpoint_id: CheckpointId(id) };
    assert_eq!(newest, [visible("aa", 12), visible("bb", 3)]);
}
