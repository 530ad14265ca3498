//! A followed file and its reader under whatever happens, drawn from a seed.

use super::*;

/// One run of a writer that does all that writers do, and of readers that are killed and started again from their last checkpoint. Whole lines that have
/// been written, and those that have been read.
fn whatever_happens(seed: u64) -> (Vec<String>, Vec<String>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let logs = Logs::new(json!({ "path": "*.log*", "follow": true }));
    let (mut reader, _) = logs.start(&[]);
    let (mut written, mut read_lines, mut lines, mut rotated) = (Vec::new(), Vec::new(), 0, 0);
    // Files that a start has not found.
    let mut away = 0;
    let mut checkpoint = (stored(&*reader), 0);
    for _ in 0..60 {
        let name = ["a.log", "b.log"][rng.usize(0..2)];
        match rng.u32(0..10) {
            0..=3 => {
                let text: String = (lines..lines + rng.u32(1..5)).map(|line| format!("line {line}\n")).collect();
                written.extend(text.lines().map(str::to_owned));
                lines += 5;
                let cut = rng.usize(0..=text.len());
                logs.append(name, &text[..cut]);
                // A reader may see half a line.
                if rng.bool() {
                    read_lines.extend(come(&mut *reader));
                }
                logs.append(name, &text[cut..]);
            }
            4 if logs.path(name).exists() => {
                rotated += 1;
                logs.rename(name, &format!("{name}.{rotated}"));
            }
            5 if logs.path(name).exists() => {
                // Who cuts or deletes what has not been read loses it. What was cut before is found once that has been noticed.
                read_lines.extend(come(&mut *reader));
                logs.discover(&mut *reader);
                read_lines.extend(come(&mut *reader));
                checkpoint = (checkpoint_of(&mut *reader), read_lines.len());
                let bytes = fs::metadata(logs.path(name)).unwrap().len() as usize;
                match rng.u32(0..3) {
                    0 => fs::File::options().write(true).open(logs.path(name)).unwrap().set_len(0).unwrap(),
                    1 if bytes > 20 => {
                        let line = format!("line {lines} {}", "x".repeat(bytes - 7 - lines.to_string().len()));
                        lines += 1;
                        logs.rewrite(name, &format!("{line}\n"));
                        assert_eq!(fs::metadata(logs.path(name)).unwrap().len() as usize, bytes);
                        written.push(line);
                    }
                    _ => fs::remove_file(logs.path(name)).unwrap(),
                }
            }
            6 => {
                // A look goes by the newest checkpoint, or by what has been read since.
                let known = if rng.bool() { stored(&*reader) } else { checkpoint.0.clone() };
                let ids = |splits: &[SplitState]| splits.iter().map(|split| split.id.clone()).collect::<BTreeSet<_>>();
                if ids(&stored(&*reader)).is_subset(&ids(&known)) {
                    checkpoint = (logs.barrier(&mut *reader, &known), read_lines.len());
                }
            }
            7 => read_lines.extend(come(&mut *reader)),
            8 => checkpoint = (checkpoint_of(&mut *reader), read_lines.len()),
            _ => {
                read_lines.truncate(checkpoint.1);
                let (restarted, told) = logs.start(&checkpoint.0);
                away += told.iter().filter(|line| line.contains("is gone")).count();
                reader = restarted;
            }
        }
    }
    for _ in 0..3 {
        read_lines.extend(come(&mut *reader));
        let known = stored(&*reader);
        logs.barrier(&mut *reader, &known);
    }
    let there = fs::read_dir(logs.folder.path()).unwrap().count();
    assert!(reader.splits().len() <= there + away, "{} splits of {there} files", reader.splits().len());
    written.sort();
    read_lines.sort();
    (written, read_lines)
}

#[test]
fn every_line_comes_once_whatever_happens_to_its_file_and_to_the_reader() {
    for seed in 0..150 {
        let (written, read) = whatever_happens(seed);
        assert_eq!(read, written, "seed {seed}");
    }
}
