//! Which files there are, how they are cut into splits, and whether a checkpoint's splits still fit them.

use super::csv_rows::{cells_of, wanted_columns};
use super::fingerprint::Fingerprint;
use super::header::shown;
use super::options::{FileOptions, Format};
use super::probe::Probe;
use super::ranges;
use super::split::SplitSpec;
use super::stream::Storage;
use crate::paths::{DeadLinks, FileId, FileName, Found, Hidden, Pattern, WalkError, walk};
use crate::settings::SettingsError;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use weir_engine::{EngineError, ErrorKind, SplitState};

/// A file that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputFile {
    /// Relative to the job file's folder where the job file's path is: a project that is moved finds its input again. Else absolute.
    pub name: FileName,
    pub path: PathBuf,
    pub id: FileId,
}

/// An error of reading a file. What lies in the file itself is for the user to mend; the rest may pass.
pub(super) fn file_error(attempted: &str, name: impl Display, error: io::Error) -> EngineError {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, PermissionDenied, UnexpectedEof};
    let lasting = matches!(error.kind(), InvalidData | InvalidInput | NotFound | Other | PermissionDenied | UnexpectedEof);
    EngineError::new(if lasting { ErrorKind::FixInput } else { ErrorKind::Restart }, format!("{attempted} {name}: {error}"))
}

/// What there is to read, and the pattern that says so. A path is read as a pattern; where that finds no file, it is the name of one with
/// such signs in it.
pub(super) fn search(options: &FileOptions) -> Result<(Pattern, Found), EngineError> {
    let named = options.base_dir.join(&options.path);
    let is_there = named.symlink_metadata().is_ok();
    let literal = || Pattern::literal(&options.path);
    let pattern = match Pattern::parse(&options.path, Hidden::Stay) {
        Ok(pattern) => pattern,
        Err(_) if is_there => literal(),
        Err(why) => return Err(cannot_find(options, &why)),
    };
    let mut found = look_for(&pattern, options)?;
    if pattern.is_literal() || !is_there {
        return Ok((pattern, found));
    }
    if found.files.is_empty() {
        let pattern = literal();
        let found = look_for(&pattern, options)?;
        return Ok((pattern, found));
    }
    if !found.files.iter().any(|file| file.path == named) {
        let name = FileName::of(&named, &options.base_dir);
        found.remarks.insert(
            0,
            format!("{name} is there under that name and is not read: as a pattern it matches others, and `[[]` stands for `[`"),
        );
    }
    Ok((pattern, found))
}

fn look_for(pattern: &Pattern, options: &FileOptions) -> Result<Found, EngineError> {
    walk(pattern, &options.base_dir, DeadLinks::Fail).map_err(|error| {
        let WalkError { hint, .. } = error;
        let failed = cannot_find(options, &error);
        hint.into_iter().fold(failed, EngineError::with_hint)
    })
}

fn cannot_find(options: &FileOptions, why: &dyn Display) -> EngineError {
    EngineError::new(ErrorKind::FixInput, format!("find the files of `path = {:?}`: {why}", options.path))
}

/// The files that match, in the order of their names.
pub(super) fn matching_files(options: &FileOptions) -> Result<Vec<InputFile>, EngineError> {
    let name = |path: &Path| match Path::new(&options.path).is_relative() {
        true => FileName::of(path, &options.base_dir),
        false => FileName::whole(path),
    };
    let files = search(options)?.1.files.into_iter();
    Ok(files.map(|file| InputFile { name: name(&file.path), path: file.path, id: file.id }).collect())
}

/// A file with all that its splits need.
pub(super) struct Inspected {
    pub file: InputFile,
    pub fingerprint: Fingerprint,
    pub probe: Probe,
}

impl Inspected {
    fn new(options: &FileOptions, file: InputFile) -> Result<Self, EngineError> {
        let fingerprint = Fingerprint::of(&file.path).map_err(|e| file_error("open", &file.name, e))?;
        let probe = Probe::of(options, &file)?;
        Ok(Self { file, fingerprint, probe })
    }

    /// True where it can be read from any line on.
    pub(super) fn is_divisible(&self) -> bool {
        Storage::of(&self.file.path) == Storage::Plain && !self.probe.multiline
    }

    /// The part from `start` to `end`.
    pub(super) fn split(&self, start: u64, end: Option<u64>) -> SplitState {
        let Probe { header, multiline, .. } = self.probe.clone();
        SplitSpec { path: self.file.name.clone(), fingerprint: self.fingerprint.clone(), start, end, header, multiline }.unread()
    }

    fn whole(&self) -> SplitState {
        let end = match Storage::of(&self.file.path) {
            Storage::Plain => Some(self.fingerprint.size),
            Storage::Gzip | Storage::Zstd => None,
        };
        self.split(self.probe.start, end)
    }
}

/// All splits, in the order of the files' names.
pub(super) fn discover(options: &FileOptions, header: Option<&str>) -> Result<Vec<SplitState>, EngineError> {
    let files = matching_files(options)?;
    if files.is_empty() {
        let message = format!("find the files of `path = {:?}`: no file matches in {}", options.path, FileName::whole(&options.base_dir));
        return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("relative paths are relative to the job file's folder"));
    }
    split_files(options, header, files)
}

/// Splits of the files that match now and are none of those in `known`, under whatever names.
pub(super) fn new_splits(options: &FileOptions, header: Option<&str>, known: &[SplitState]) -> Result<Vec<SplitState>, EngineError> {
    // A checkpoint may name a file from the folder that the job file names by its whole path, or the other way.
    let path_of = |split: &SplitState| Ok(SplitSpec::parse(split)?.0.path.path(&options.base_dir));
    let paths = known.iter().map(path_of).collect::<Result<BTreeSet<_>, EngineError>>()?;
    let ids: BTreeSet<_> = paths.iter().filter_map(|path| path.metadata().ok()).map(|metadata| FileId::of(&metadata)).collect();
    let is_new = |file: &InputFile| !paths.contains(&file.path) && !ids.contains(&file.id);
    split_files(options, header, matching_files(options)?.into_iter().filter(is_new).collect())
}

fn split_files(options: &FileOptions, header: Option<&str>, files: Vec<InputFile>) -> Result<Vec<SplitState>, EngineError> {
    let inspected = files.into_iter().map(|file| Inspected::new(options, file)).collect::<Result<Vec<_>, _>>()?;
    check_headers(options, header, &inspected)?;
    let (mut splits, mut total) = (Vec::new(), ranges::Total::default());
    for file in &inspected {
        match options.split {
            Some(range_bytes) if file.is_divisible() => splits.extend(ranges::of(options.format, file, range_bytes, &mut total)?),
            Some(_) | None => splits.push(file.whole()),
        }
    }
    Ok(splits)
}

/// Guests are told one header, so all files must have its columns.
fn check_headers(options: &FileOptions, header: Option<&str>, inspected: &[Inspected]) -> Result<(), EngineError> {
    let mut first = header.map(|header| (header, options.path.clone()));
    for Inspected { file, probe, .. } in inspected {
        let Some(header) = probe.header.as_deref() else { continue };
        match &first {
            Some((expected, _)) if same_columns(expected, header) => {}
            Some((_, name)) => {
                let message = format!("read {}: its header is not that of {name}: {}", file.name, shown(header));
                return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("read files with different headers as two sources"));
            }
            None => {
                let missing = |e: SettingsError| EngineError::new(ErrorKind::FixInput, e.message);
                wanted_columns(options, header).map_err(missing)?;
                first = Some((header, file.name.to_string()));
            }
        }
    }
    Ok(())
}

/// True where two headers name the same columns, in whatever quotation marks.
pub(super) fn same_columns(one: &str, other: &str) -> bool {
    one == other || cells_of(one.as_bytes()) == cells_of(other.as_bytes())
}

/// Compares a checkpoint's splits with the files as they are now. Gives lines about what is gone and not needed.
pub(super) fn verify(options: &FileOptions, header: Option<&str>, splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
    let mut known: BTreeMap<FileName, (SplitSpec, bool)> = BTreeMap::new();
    for split in splits {
        let (spec, position) = SplitSpec::parse(split)?;
        let unread_rows = position.is_some();
        if unread_rows && spec.is_range() && options.needs_whole_files() {
            let message = format!(
                "go on reading {}: a part of it is left, and whether a row behind a bad one is the inside of a cell shows only in a file that is read as a whole",
                spec.path
            );
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("leave `on-error` out, or start over with --fresh"));
        }
        known.entry(spec.path.clone()).or_insert((spec, false)).1 |= unread_rows;
    }
    let mut lines = Vec::new();
    for (name, (spec, needed)) in &known {
        match Fingerprint::of(&name.path(&options.base_dir)) {
            Ok(now) => unchanged(spec, &now)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !needed => lines.push(format!("{name} has been read and is gone")),
            Err(error) => return Err(not_found(options, spec, error)),
        }
        let other = |known: &str| header.is_some_and(|header| !same_columns(known, header));
        if options.format == Format::Csv && spec.header.as_deref().is_some_and(other) {
            let message =
                format!("go on reading {name}: its header is not that of the first file that `path = {:?}` finds now", options.path);
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("take the new file away, or read it as another source"));
        }
    }
    Ok(lines)
}

/// The error where a file cannot be looked at that has not been read to its end. Of one that lies in the folder, as if its whole path had been moved
/// with that, both places are named.
fn not_found(options: &FileOptions, spec: &SplitSpec, error: io::Error) -> EngineError {
    let here = spec.path.path(&options.base_dir);
    let parts: Vec<_> = here.components().skip(1).collect();
    let others = (0..parts.len()).map(|from| options.base_dir.join(parts[from..].iter().collect::<PathBuf>()));
    let is_it = |other: &PathBuf| *other != here && Fingerprint::of(other).is_ok_and(|now| spec.fingerprint.difference(&now).is_none());
    let mut others = others.filter(|_| spec.path.is_absolute() && error.kind() == io::ErrorKind::NotFound);
    match others.find(is_it) {
        Some(other) => {
            let message = format!("go on reading {}: it is missing; the file is at {}", FileName::whole(&here), FileName::whole(&other));
            EngineError::new(ErrorKind::FixInput, message)
                .with_hint("the folder was moved, and its path in the job file is absolute: put the file back where it was, or start over with --fresh")
        }
        None => file_error("go on reading", &spec.path, error).with_hint("put the file back, or start over with --fresh"),
    }
}

/// An error where a file is not the one that the split was made of.
pub(super) fn unchanged(spec: &SplitSpec, now: &Fingerprint) -> Result<(), EngineError> {
    let Some(difference) = spec.fingerprint.difference(now) else { return Ok(()) };
    let message = format!("go on reading {}: the file has changed since: {difference}", spec.path);
    Err(EngineError::new(ErrorKind::FixInput, message).with_hint("put the file back as it was, or start over with --fresh"))
}
