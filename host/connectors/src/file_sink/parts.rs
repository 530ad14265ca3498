//! The parts of one subtask between two barriers: one in each folder that records have come for.
//!
//! Bounded: so many of their files are open at once, with what is collected for them; those that have had nothing for longest are closed, and opened again.

use super::part::Part;
use std::collections::{HashMap, VecDeque};
use weir_engine::{EngineError, ErrorKind};

/// Files that are open at once.
const OPEN_MAX: usize = 32;
/// Folders that have records between two barriers: each has a file, and a line in the checkpoint.
const PARTS_MAX: usize = 10_000;

/// The parts that are being written, by their folders.
#[derive(Default)]
pub(super) struct Parts {
    by_folder: HashMap<String, Part>,
    /// Those whose files are open; the one that had records last is the last.
    open: VecDeque<String>,
}

impl Parts {
    /// The part in `folder`, which `begin` begins where there is none, ready to be written.
    pub fn of(&mut self, folder: &str, begin: impl FnOnce() -> Result<Part, EngineError>) -> Result<&mut Part, EngineError> {
        if self.open.back().is_none_or(|last| last != folder) {
            self.open(folder, begin)?;
        }
        Ok(self.by_folder.get_mut(folder).expect("it is open"))
    }

    fn open(&mut self, folder: &str, begin: impl FnOnce() -> Result<Part, EngineError>) -> Result<(), EngineError> {
        if let Some(place) = self.open.iter().position(|open| open == folder) {
            self.open.remove(place);
        } else {
            if self.open.len() >= OPEN_MAX
                && let Some(longest) = self.open.pop_front()
                && let Some(part) = self.by_folder.get_mut(&longest)
            {
                part.close()?;
            }
            let has_room = self.by_folder.len() < PARTS_MAX;
            match self.by_folder.get_mut(folder) {
                Some(part) => part.reopen()?,
                None if !has_room => return Err(too_many()),
                None => _ = self.by_folder.insert(folder.to_owned(), begin()?),
            }
        }
        self.open.push_back(folder.to_owned());
        Ok(())
    }

    /// All of them with their folders, in the order of these; none are left.
    pub fn take(&mut self) -> Vec<(String, Part)> {
        self.open.clear();
        let mut parts: Vec<_> = std::mem::take(&mut self.by_folder).into_iter().collect();
        parts.sort_by(|(one, _), (other, _)| one.cmp(other));
        parts
    }
}

fn too_many() -> EngineError {
    let message = format!("write records into their partitions: there are more than {PARTS_MAX} of them between two checkpoints");
    EngineError::new(ErrorKind::FixInput, message)
        .with_hint("`partition-by` names fields with fewer values; or a shorter `interval` of [checkpoints]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_sink::part::StoredFolder;
    use std::path::Path;

    #[test]
    fn only_so_many_files_are_open_and_every_part_has_all_that_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (mut parts, mut begun) = (Parts::default(), 0);
        let names: Vec<String> = (0..100).map(|name| format!("f={name}")).collect();
        for round in 0..3 {
            for name in &names {
                let part = parts.of(name, || {
                    begun += 1;
                    Part::begin(folder.path().join(begun.to_string()))
                });
                let line = format!("{name} {round}\n");
                let written = part.unwrap().append(|bytes| {
                    bytes.extend_from_slice(line.as_bytes());
                    Ok(())
                });
                written.unwrap();
                assert!(parts.by_folder.values().filter(|part| part.is_open()).count() <= OPEN_MAX);
            }
        }
        assert_eq!(begun, 100, "each was begun once");
        let stored = StoredFolder::new(Path::new("out"), folder.path(), folder.path());
        for (name, part) in parts.take() {
            let finished = part.finish(&stored, &name, "part").unwrap();
            let written = std::fs::read(folder.path().join(finished.pending.file_name().unwrap())).unwrap();
            assert_eq!(String::from_utf8(written.clone()).unwrap(), format!("{name} 0\n{name} 1\n{name} 2\n"));
            assert_eq!((finished.size, finished.crc32c), (written.len() as u64, crc32c::crc32c(&written)));
            assert_eq!(finished.target, Path::new("out").join(name).join("part"));
        }
        assert!(parts.take().is_empty());
    }

    #[test]
    fn more_partitions_than_a_checkpoint_should_hold_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = Parts::default();
        let mut part = |name: usize| {
            let begin = || Part::begin(folder.path().join(name.to_string()));
            parts.of(&name.to_string(), begin).map(drop)
        };
        (0..PARTS_MAX).for_each(|name| part(name).unwrap());
        let error = part(PARTS_MAX).unwrap_err();
        assert_eq!(error.to_string(), "write records into their partitions: there are more than 10000 of them between two checkpoints");
        part(PARTS_MAX - 1).expect("one that is there goes on");
    }
}
