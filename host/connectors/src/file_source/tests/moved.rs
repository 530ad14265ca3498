//! A source whose job file's folder is moved or copied between two runs.

use super::*;

/// A source in the folder `orig`, of which a checkpoint knows all splits.
struct Known {
    /// The folder that `orig` lies in.
    folder: TempDir,
    settings: Value,
    splits: Vec<SplitState>,
}

fn known_in_orig(path: impl FnOnce(&Path) -> String) -> Known {
    let folder = TempDir::new().unwrap();
    let orig = folder.path().join("orig");
    std::fs::create_dir(&orig).unwrap();
    std::fs::write(orig.join("a.txt"), "1\n2\n").unwrap();
    let settings = json!({ "path": path(&orig) });
    let source = FileSource::new(settings.as_object().unwrap(), &orig).unwrap().0;
    let splits = source.discover_now(1).unwrap();
    Known { folder, settings, splits }
}

#[test]
fn a_project_that_was_moved_or_copied_finds_its_own_input() {
    let Known { folder, settings, splits } = known_in_orig(|_| "*.txt".into());
    let (orig, moved) = (folder.path().join("orig"), folder.path().join("moved"));
    let identity = FileSource::new(settings.as_object().unwrap(), &orig).unwrap().0.identity();
    std::fs::rename(&orig, &moved).unwrap();
    let source = FileSource::new(settings.as_object().unwrap(), &moved).unwrap().0;
    assert_eq!(source.identity(), identity, "the folder is no part of it");
    assert_eq!(source.verify_now(&splits).unwrap(), [""; 0]);
    assert_eq!(source.new_splits_now(&splits, 1).unwrap(), [], "its files are known");
    assert_eq!(read_all(&source, splits, 1).unwrap().len(), 2);
}

#[test]
fn an_absolute_path_stays_absolute_and_of_a_file_that_was_moved_from_there_both_places_are_named() {
    let Known { folder, settings, splits } = known_in_orig(|orig| orig.join("a.txt").display().to_string());
    let (orig, moved) = (folder.path().join("orig"), folder.path().join("moved"));
    let elsewhere = FileSource::new(settings.as_object().unwrap(), folder.path()).unwrap().0;
    assert_eq!(elsewhere.verify_now(&splits).unwrap(), [""; 0], "it is where it was");
    assert_eq!(elsewhere.new_splits_now(&splits, 1).unwrap(), []);
    // As a checkpoint of before has it.
    let older = SplitState {
        spec: json!({ "path": "a.txt", "size": 4, "head": splits[0].spec["head"], "start": 0, "end": 4, "header": null, "multiline": false }),
        ..splits[0].clone()
    };
    let source = FileSource::new(settings.as_object().unwrap(), &orig).unwrap().0;
    assert_eq!(
        (source.verify_now(std::slice::from_ref(&older)).unwrap(), source.new_splits_now(&[older], 1).unwrap()),
        (Vec::new(), Vec::new())
    );

    std::fs::rename(&orig, &moved).unwrap();
    let source = FileSource::new(settings.as_object().unwrap(), &moved).unwrap().0;
    let error = source.verify_now(&splits).unwrap_err();
    let both = format!("go on reading {}: it is missing; the file is at {}", orig.join("a.txt").display(), moved.join("a.txt").display());
    assert_eq!(error.to_string(), both);
}
