//! Which files there are to follow, and what has become of those of a checkpoint.

use super::super::blocks::Blocks;
use super::super::csv_rows::wanted_columns;
use super::super::discovery::{InputFile, file_error, matching_files, same_columns, search};
use super::super::fingerprint::open_regular;
use super::super::header::{self, BYTE_ORDER_MARK, Header};
use super::super::options::{FileOptions, Format};
use super::super::stream::{Storage, compressed_by_content};
use super::FILES_MAX;
use super::growing::Growing;
use super::open_file::find;
use super::spec::{FollowedSpec, generation_of};
use super::watch::{SharedWatch, Watch};
use crate::paths::{FileId, FileName};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use weir_engine::{EngineError, ErrorKind, SplitState};

/// Splits of the files that match now and are not being followed. A file that does not say yet how its rows begin is none: its header has no end.
pub(in super::super) fn new_splits(
    options: &FileOptions,
    header: Option<&str>,
    known: &[SplitState],
) -> Result<Vec<SplitState>, EngineError> {
    let mut followed: BTreeMap<FileId, Known> = BTreeMap::new();
    for split in known {
        let (spec, position) = FollowedSpec::parse(split)?;
        let of_file = followed.entry(spec.id).or_default();
        of_file.open |= position.is_some();
        of_file.specs.push(spec);
        of_file.generations = of_file.generations.max(generation_of(&split.id) + 1);
    }
    let mut open = followed.values().filter(|known| known.open).count();
    let mut splits = Vec::new();
    let mut columns = header.map(|header| (header.to_owned(), options.path.clone()));
    for file in matching_files(options)? {
        refuse_compressed(&file)?;
        let known = followed.get(&file.id);
        if known.is_some_and(|known| known.open) {
            continue;
        }
        let Some(mut spec) = begin(options, &file)? else { continue };
        if let Some(position) = known.map(|known| known.goes_on_at(&file)).transpose()?.flatten() {
            spec.start = position.max(spec.start);
        }
        check_header(options, &spec, &mut columns)?;
        open += 1;
        if open > FILES_MAX {
            let message = format!("follow {}: more than {FILES_MAX} files match, and each is kept open", file.name);
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("narrow the pattern, or follow them as several jobs"));
        }
        splits.push(spec.unread(known.map_or(0, |known| known.generations)));
    }
    Ok(splits)
}

/// What is known of one device and inode.
#[derive(Default)]
struct Known {
    /// Of all splits that it has had.
    specs: Vec<FollowedSpec>,
    /// One more than the newest of them has: those that are remembered need not be all.
    generations: usize,
    /// One of them is being followed.
    open: bool,
}

impl Known {
    /// Where a file goes on that was away and has come back as it was; `None`: it is another one.
    fn goes_on_at(&self, file: &InputFile) -> Result<Option<u64>, EngineError> {
        let failed = |e| file_error("read the beginning of", &file.name, e);
        let opened = match open_regular(&file.path) {
            Ok(opened) => opened,
            // The next look finds it, or what has taken its place.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if FileId::of(&opened.metadata().map_err(failed)?) != file.id {
            return Ok(None);
        }
        let mut positions = self.specs.iter().map(|spec| spec.goes_on_at(&opened).map_err(failed));
        positions.try_fold(None, |most, position| Ok(most.max(position?)))
    }
}

/// What is read once cannot grow, and a rotation that compresses would bring its rows a second time.
fn refuse_compressed(file: &InputFile) -> Result<(), EngineError> {
    let by_name = match Storage::of(&file.path) {
        Storage::Plain => None,
        Storage::Gzip => Some("gzip"),
        Storage::Zstd => Some("zstd"),
    };
    let by_content = || match compressed_by_content(&file.path) {
        Ok(kind) => Ok(kind),
        // The next look finds what has taken its place.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error("read the beginning of", &file.name, error)),
    };
    let Some(kind) = by_name.map_or_else(by_content, |kind| Ok(Some(kind)))? else { return Ok(()) };
    let message = format!("follow {}: it is compressed with {kind}, and cannot grow", file.name);
    let hint =
        "narrow the pattern: a rotation that compresses brings rows that have been read; other compressed files are a source of their own";
    Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
}

/// The beginning of a file; `None`: it does not say yet where its rows begin, or has been renamed since it was found.
pub(super) fn begin(options: &FileOptions, file: &InputFile) -> Result<Option<FollowedSpec>, EngineError> {
    let failed = |e| file_error("read the beginning of", &file.name, e);
    let opened = match open_regular(&file.path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = opened.metadata().map_err(failed)?;
    if FileId::of(&metadata) != file.id {
        return Ok(None);
    }
    let watch = SharedWatch::new(Watch::of_new(Arc::new(opened)));
    let mut blocks = Blocks::new(Box::new(Growing(watch.clone())), 0);
    let more = |blocks: &mut Blocks| match blocks.fill() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(failed(error)),
    };
    more(&mut blocks)?;
    // Of `lines` every byte is data.
    if options.format != Format::Lines {
        if blocks.bytes().len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(blocks.bytes()) {
            return Ok(None);
        }
        if blocks.bytes().starts_with(BYTE_ORDER_MARK) {
            blocks.consume(BYTE_ORDER_MARK.len());
        }
    }
    let mut header = None;
    if options.format == Format::Csv {
        let failed = |why: &str| EngineError::new(ErrorKind::FixInput, format!("read the header of {}: {why}", file.name));
        let frame = loop {
            match header::find(&blocks).map_err(|why| failed(&why))? {
                Header::Row(frame) => break frame,
                Header::Incomplete if more(&mut blocks)? => {}
                Header::Incomplete | Header::None => return Ok(None),
            }
        };
        let text = std::str::from_utf8(&blocks.bytes()[..frame.content]).map_err(|_| failed("it is not UTF-8"))?;
        header = Some(text.to_owned());
        blocks.consume(frame.next);
    }
    // Nobody can look ahead: cells may hold line breaks unless the settings say otherwise.
    let multiline = options.format == Format::Csv && options.multiline != Some(false);
    let (path, start) = (file.name.clone(), blocks.offset());
    let watch = watch.lock();
    if watch.replaced().is_some() {
        return Ok(None);
    }
    let (seen, head) = (metadata.len(), watch.head().clone());
    Ok(Some(FollowedSpec { path, id: file.id, head, start, header, multiline, seen, read_to: None, tail: None }))
}

/// Guests are told one header, so all files must have its columns.
fn check_header(options: &FileOptions, spec: &FollowedSpec, first: &mut Option<(String, String)>) -> Result<(), EngineError> {
    let Some(header) = spec.header.as_deref() else { return Ok(()) };
    match first {
        Some((expected, _)) if same_columns(expected, header) => Ok(()),
        Some((_, name)) => {
            let message = format!("read {}: its header is not that of {name}: {}", spec.path, header::shown(header));
            Err(EngineError::new(ErrorKind::FixInput, message).with_hint("read files with different headers as two sources"))
        }
        None => {
            wanted_columns(options, header).map_err(|error| EngineError::new(ErrorKind::FixInput, error.message))?;
            *first = Some((header.to_owned(), spec.path.to_string()));
            Ok(())
        }
    }
}

/// The header of the first file that has one.
pub(in super::super) fn first_header(options: &FileOptions) -> Result<Option<String>, EngineError> {
    for file in matching_files(options)? {
        refuse_compressed(&file)?;
        if let Some(header) = begin(options, &file)?.and_then(|spec| spec.header) {
            return Ok(Some(header));
        }
    }
    Ok(None)
}

/// What `follow` means for the job.
pub(super) const RUNS_ON: &str = "its files are followed (`follow = true`): the job runs until it is stopped";

/// Lines about what there is to follow.
pub(in super::super) fn remarks(options: &FileOptions) -> Result<Vec<String>, EngineError> {
    let found = search(options)?.1;
    let none = found.files.is_empty().then(|| format!("no file matches `path = {:?}` yet", options.path));
    Ok(none.into_iter().chain([RUNS_ON.to_owned()]).chain(found.remarks).collect())
}

/// Where a file is now: under the name that it had, another one in the same folder, or one that the pattern finds.
pub(super) fn locate(options: &FileOptions, spec: &FollowedSpec) -> Result<Option<PathBuf>, EngineError> {
    let known = spec.path.path(&options.base_dir);
    let is_it = |path: &Path| match path.metadata() {
        Ok(metadata) => Ok(metadata.is_file() && FileId::of(&metadata) == spec.id),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // What cannot be looked at is not gone.
        Err(error) => Err(file_error("look for", &spec.path, error)),
    };
    if is_it(&known)? {
        return Ok(Some(known));
    }
    let folder = known.parent().map_or_else(|| options.base_dir.clone(), Path::to_path_buf);
    let listed = match std::fs::read_dir(&folder) {
        Ok(listed) => listed.collect::<Result<Vec<_>, _>>().map_err(|e| file_error("look for", &spec.path, e))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(file_error("look for", &spec.path, error)),
    };
    for entry in listed {
        // What cannot be looked at beside it may be anything; the file itself has been looked at under its own name.
        if is_it(&entry.path()).unwrap_or(false) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(matching_files(options)?.into_iter().find(|file| file.id == spec.id).map(|file| file.path))
}

/// How a file is called that lies at `path`.
pub(super) fn name_of(options: &FileOptions, path: &Path) -> FileName {
    match Path::new(&options.path).is_relative() {
        true => FileName::of(path, &options.base_dir),
        false => FileName::whole(path),
    }
}

/// The error where a file is gone that had not been read to its end, which is at `position` of what it had; `None`: it had.
pub(super) fn gone(spec: &FollowedSpec, position: u64) -> Option<EngineError> {
    if position >= spec.seen {
        return None;
    }
    let message = format!("follow {}: it is gone, and {position} of the {} bytes that it had have been read", spec.path, spec.seen);
    Some(
        EngineError::new(ErrorKind::FixInput, message)
            .with_hint("put the file back, under any name in its folder, or start over with --fresh"),
    )
}

/// Looks for the files of a checkpoint. Gives lines about those that are gone, or are others.
pub(in super::super) fn verify(options: &FileOptions, header: Option<&str>, splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
    let mut lines = Vec::new();
    for split in splits {
        let (spec, Some(position)) = FollowedSpec::parse(split)? else { continue };
        let other = |known: &str| header.is_some_and(|header| !same_columns(known, header));
        if options.format == Format::Csv && spec.header.as_deref().is_some_and(other) {
            let message = format!(
                "go on following {}: its header is not that of the first file that `path = {:?}` finds now",
                spec.path, options.path
            );
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("take the new file away, or read it as another source"));
        }
        match find(options, &spec)? {
            None => match gone(&spec, position) {
                Some(error) => return Err(error),
                None => lines.push(format!("{} is gone, and has been read to the end that it had, at byte {position}", spec.path)),
            },
            Some(found) => {
                let now = name_of(options, &found.path);
                let replaced = spec.replaced(&found.file, position);
                match replaced.map_err(|e| file_error("go on following", &spec.path, e))? {
                    Some(how) => lines.push(format!("{now} is another file than it was, and is read from its beginning: {how}")),
                    None if now != spec.path => lines.push(format!("{} is called {now} now, and is read on", spec.path)),
                    None => {}
                }
            }
        }
    }
    Ok(lines)
}
