//! Which files there are, how they are cut into splits, and whether a checkpoint's splits still fit them.

use super::csv_rows;
use super::options::{FileOptions, Format};
use super::probe::Probe;
use super::row_starts::next_row_start;
use super::split::{Fingerprint, SplitSpec};
use super::stream::Storage;
use crate::settings::SettingsError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use weir_engine::{EngineError, ErrorKind, SplitState};

/// Files of one source.
const FILES_MAX: usize = 100_000;
/// Ranges that large files are cut into, for each subtask: enough that a subtask which is behind can be helped by another
/// parallelism, few enough that the list in a checkpoint stays short.
const RANGES_PER_SUBTASK: u64 = 4;
/// A range shorter than this is not worth its split.
const RANGE_BYTES_MIN: u64 = 64 * 1024;

/// A file that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputFile {
    /// Relative to the job file's folder where the job file's path is: a project that is moved finds its input again. Else absolute.
    pub name: String,
    pub path: PathBuf,
}

/// An error of reading a file. What lies in the file itself is for the user to mend; the rest may pass.
pub(super) fn file_error(attempted: &str, name: &str, error: io::Error) -> EngineError {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, PermissionDenied, UnexpectedEof};
    let lasting = matches!(error.kind(), InvalidData | InvalidInput | NotFound | Other | PermissionDenied | UnexpectedEof);
    EngineError::new(if lasting { ErrorKind::FixInput } else { ErrorKind::Restart }, format!("{attempted} {name}: {error}"))
}

/// The regular files that match the glob, in the order of their names. A path that names a file is that file, whatever it looks like.
pub(super) fn matching_files(options: &FileOptions) -> Result<Vec<InputFile>, EngineError> {
    let failed = |why: String| EngineError::new(ErrorKind::FixInput, format!("find the files of `path = {:?}`: {why}", options.path));
    let literal = options.base_dir.join(&options.path);
    if literal.is_file() {
        return Ok(vec![input_file(options, literal).map_err(failed)?]);
    }
    if literal.is_dir() {
        return Err(failed("it is a folder".into()).with_hint(format!("say `path = \"{}/*\"`", options.path.trim_end_matches('/'))));
    }
    let base = options.base_dir.to_str().ok_or_else(|| failed(format!("{} is not UTF-8", options.base_dir.display())))?;
    let pattern = if Path::new(&options.path).is_absolute() { String::new() } else { glob::Pattern::escape(base) + "/" } + &options.path;
    let hidden_files_stay_hidden = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let found = glob::glob_with(&pattern, hidden_files_stay_hidden).map_err(|e| failed(e.to_string()))?;
    let mut files = Vec::new();
    for path in found {
        let path = path.map_err(|e| failed(e.to_string()))?;
        if path.is_file() {
            files.push(input_file(options, path).map_err(failed)?);
        }
        if files.len() > FILES_MAX {
            return Err(failed(format!("more than {FILES_MAX} files match")));
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn input_file(options: &FileOptions, path: PathBuf) -> Result<InputFile, String> {
    let shown = match Path::new(&options.path).is_relative() {
        true => path.strip_prefix(&options.base_dir).unwrap_or(&path),
        false => &path,
    };
    let name = shown.to_str().ok_or_else(|| format!("the name {} is not UTF-8", shown.display()))?.to_string();
    Ok(InputFile { name, path })
}

/// A file with all that its splits need.
struct Found {
    file: InputFile,
    fingerprint: Fingerprint,
    probe: Probe,
}

impl Found {
    /// True where several subtasks can read it.
    fn is_divisible(&self) -> bool {
        Storage::of(&self.file.path) == Storage::Plain && !self.probe.multiline
    }

    fn row_bytes(&self) -> u64 {
        self.fingerprint.size.saturating_sub(self.probe.start)
    }

    fn split(&self, start: u64, end: Option<u64>) -> SplitState {
        let Probe { header, multiline, .. } = self.probe.clone();
        SplitSpec { path: self.file.name.clone(), fingerprint: self.fingerprint.clone(), start, end, header, multiline }.unread()
    }
}

/// All splits, in the order of the files' names.
pub(super) fn discover(options: &FileOptions, header: Option<&str>, parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
    let files = matching_files(options)?;
    if files.is_empty() {
        let message = format!("find the files of `path = {:?}`: no file matches in {}", options.path, options.base_dir.display());
        return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("relative paths are relative to the job file's folder"));
    }
    split_files(options, header, files, parallelism)
}

/// Splits of the files that match now and are in none of `known`.
pub(super) fn new_splits(
    options: &FileOptions,
    header: Option<&str>,
    known: &[SplitState],
    parallelism: u32,
) -> Result<Vec<SplitState>, EngineError> {
    // A checkpoint may name a file from the folder that the job file names by its whole path, or the other way.
    let path_of = |split: &SplitState| Ok(options.base_dir.join(SplitSpec::parse(split)?.0.path));
    let known = known.iter().map(path_of).collect::<Result<BTreeSet<_>, EngineError>>()?;
    let new = matching_files(options)?.into_iter().filter(|file| !known.contains(&options.base_dir.join(&file.name))).collect();
    split_files(options, header, new, parallelism)
}

fn split_files(
    options: &FileOptions,
    header: Option<&str>,
    files: Vec<InputFile>,
    parallelism: u32,
) -> Result<Vec<SplitState>, EngineError> {
    let found = files.into_iter().map(|file| inspect(options, file)).collect::<Result<Vec<_>, _>>()?;
    check_headers(options, header, &found)?;
    let divisible_bytes: u64 = found.iter().filter(|found| found.is_divisible()).map(Found::row_bytes).sum();
    let ranges = u64::from(parallelism.max(1)) * RANGES_PER_SUBTASK;
    let range_bytes = divisible_bytes.div_ceil(ranges).max(RANGE_BYTES_MIN);
    let mut splits = Vec::new();
    for found in &found {
        match Storage::of(&found.file.path) {
            Storage::Plain if found.is_divisible() => splits.extend(ranges_of(options.format, found, range_bytes)?),
            Storage::Plain => splits.push(found.split(found.probe.start, Some(found.fingerprint.size))),
            Storage::Gzip | Storage::Zstd => splits.push(found.split(found.probe.start, None)),
        }
    }
    Ok(splits)
}

fn inspect(options: &FileOptions, file: InputFile) -> Result<Found, EngineError> {
    let fingerprint = Fingerprint::of(&file.path).map_err(|e| file_error("open", &file.name, e))?;
    let probe = Probe::of(options, &file)?;
    Ok(Found { file, fingerprint, probe })
}

/// Guests are told one header, so all files must have it.
fn check_headers(options: &FileOptions, header: Option<&str>, found: &[Found]) -> Result<(), EngineError> {
    let mut first = header.map(|header| (header, options.path.as_str()));
    for found in found {
        let Some(header) = found.probe.header.as_deref() else { continue };
        match first {
            Some((expected, _)) if expected == header => {}
            Some((_, name)) => {
                let message = format!("read {}: its header is not that of {name}: {header}", found.file.name);
                return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("read files with different headers as two sources"));
            }
            None => {
                let missing = |e: SettingsError| EngineError::new(ErrorKind::FixInput, e.message);
                csv_rows::wanted_columns(options, header).map_err(missing)?;
                first = Some((header, &found.file.name));
            }
        }
    }
    Ok(())
}

/// Cuts a file into ranges of about this size, each from a line's start to a line's start.
fn ranges_of(format: Format, found: &Found, range_bytes: u64) -> Result<Vec<SplitState>, EngineError> {
    let failed = |e| file_error("find line starts in", &found.file.name, e);
    let (first, size) = (found.probe.start, found.fingerprint.size);
    let ranges = found.row_bytes().div_ceil(range_bytes);
    let mut file = File::open(&found.file.path).map_err(failed)?;
    let mut starts = vec![first];
    for range in 1..ranges {
        let about = first + (u128::from(found.row_bytes()) * u128::from(range) / u128::from(ranges)) as u64;
        let last = starts.last().copied().unwrap_or(first);
        if about <= last {
            continue;
        }
        let start = match format {
            Format::Csv => next_row_start(&mut file, last, about).map_err(failed)?,
            Format::Lines | Format::JsonLines => Some(next_line_start(&mut file, about).map_err(failed)?),
        };
        // The rest stays whole: who reads it finds what is wrong with it.
        let Some(start) = start else { break };
        if start < size && starts.last().is_some_and(|&last| last < start) {
            starts.push(start);
        }
    }
    let ends = starts[1..].iter().copied().chain([size]);
    Ok(starts.iter().zip(ends).map(|(&start, end)| found.split(start, Some(end))).collect())
}

/// The first line start at or after `offset`, which is not 0. A line may be longer than any row that can be read, and is no other for that.
fn next_line_start(file: &mut File, offset: u64) -> io::Result<u64> {
    let before = offset - 1;
    file.seek(SeekFrom::Start(before))?;
    let mut line = BufReader::new(file);
    let skipped = io::BufRead::skip_until(&mut line, b'\n')?;
    Ok(before + skipped as u64)
}

/// Compares a checkpoint's splits with the files as they are now. Gives lines about what is gone and not needed.
pub(super) fn verify(options: &FileOptions, header: Option<&str>, splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
    let mut known: BTreeMap<String, (SplitSpec, bool)> = BTreeMap::new();
    for split in splits {
        let (spec, position) = SplitSpec::parse(split)?;
        let unread_rows = position.is_some();
        known.entry(spec.path.clone()).or_insert((spec, false)).1 |= unread_rows;
    }
    let mut lines = Vec::new();
    for (name, (spec, needed)) in &known {
        match Fingerprint::of(&options.base_dir.join(name)) {
            Ok(now) => unchanged(spec, &now)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !needed => lines.push(format!("{name} has been read and is gone")),
            Err(error) => return Err(not_found(options, spec, error)),
        }
        if options.format == Format::Csv && spec.header.is_some() && header.is_some() && spec.header.as_deref() != header {
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
    let here = options.base_dir.join(&spec.path);
    let parts: Vec<_> = here.components().skip(1).collect();
    let others = (0..parts.len()).map(|from| options.base_dir.join(parts[from..].iter().collect::<PathBuf>()));
    let is_it = |other: &PathBuf| *other != here && Fingerprint::of(other).is_ok_and(|now| spec.fingerprint.difference(&now).is_none());
    let mut others = others.filter(|_| Path::new(&spec.path).is_absolute() && error.kind() == io::ErrorKind::NotFound);
    match others.find(is_it) {
        Some(other) => {
            let message = format!("go on reading {}: it is missing; the file is at {}", here.display(), other.display());
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
