//! Plugins that are in no file: what a reference to a registry, or a digest, leads to.
//!
//! A tag may come to mean another component. So it is resolved when a lineage begins, and what it meant then is noted with each attempt (`Pinned`): whoever goes
//! on with the lineage runs that component, which is kept in the job's storage, and asks no registry. The job file has the last word: a reference that is not the one
//! that was noted is resolved anew. Only where a process died between its place in the log and the component's in the storage, the registry is asked again, for
//! the manifest that was noted. Where an upgrade has put another component in its place, that is what is run, and what was noted is not asked for at all.

use crate::failure::Failure;
use crate::figures::bytes_text;
use crate::job_file::{BadPlace, Code, JobFile, JobFileError, OciReference, OperatorStep, PluginCode, PluginPlace, Problem};
use crate::oci::{Access, KeptPlugins, Pulled, pull, sha256_of};
use crate::plugins::{PluginOrigin, PluginOrigins, Referenced};
use crate::storage::threads;
use crate::terminal::Screen;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use weir_engine::checkpoint::{Override, Pinned, Replaced, paths, stored_component};
use weir_engine::job::{History, StartMode};
use weir_engine::runtime::Clock;
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind};

/// What a job goes on with, as far as its references matter.
pub(crate) struct Lineage<'a> {
    /// What they meant so far.
    pub pinned: &'a [Pinned],
    /// Where the job keeps components.
    pub store: &'a dyn Store,
    /// The components that an upgrade has put in the place of others, by operator.
    pub upgraded: BTreeMap<String, Replaced<String>>,
    /// Whether a component that is damaged there is put there anew.
    pub mends: bool,
}

impl<'a> Lineage<'a> {
    /// The one that a start in this mode goes on with, as a job that runs has it.
    pub fn of(history: &'a History, start: &StartMode, store: &'a dyn Store) -> Self {
        let replaced =
            |Override { vertex, component, .. }: Override| component.filter(Replaced::replaces).map(|component| (vertex, component));
        let upgraded = history.overrides(start).0.into_iter().filter_map(replaced).collect();
        Self { pinned: history.pinned(start), store, upgraded, mends: true }
    }
}

/// A plugin that a command line names.
pub(crate) struct Named {
    /// What to call it in messages.
    pub name: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// What led to it, where that was a reference.
    pub reference: Option<NamedBy>,
}

/// A reference that led to a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedBy {
    /// As it was given.
    pub reference: String,
    /// The digest of its manifest, where it is in a registry.
    pub manifest: Option<String>,
}

/// What the references of `job` lead to: in `lineage` what they led to in it before.
pub(crate) async fn referenced_plugins(
    screen: &Screen,
    job: &JobFile,
    lineage: Option<&Lineage<'_>>,
    clock: &dyn Clock,
) -> Result<PluginOrigins, Failure> {
    let mut plugins = PluginOrigins::new();
    for (step, code) in references(job) {
        let id = &step.id.value;
        let of_job = lineage.and_then(|lineage| Some((pin_of(job, id, code, lineage.pinned)?, lineage)));
        let origin = match of_job {
            Some((pin, lineage)) => match lineage.upgraded.get(id).filter(|upgrade| upgrade.file == pin.component) {
                Some(upgrade) => as_upgraded(screen, (id, code), upgrade, lineage, clock).await?,
                None => PluginOrigin::Referenced(as_pinned(screen, (id, code), pin, lineage, clock).await?),
            },
            None => PluginOrigin::Referenced(resolved(screen, (id, code), lineage, clock).await?.ok_or_else(|| nowhere(job, code))?),
        };
        plugins.insert(id.clone(), origin);
    }
    Ok(plugins)
}

/// As [`referenced_plugins`] of a job that begins now. It may be called wherever one may wait.
pub(crate) fn referenced_now(screen: &Screen, job: &JobFile) -> Result<PluginOrigins, Failure> {
    if references(job).next().is_none() {
        return Ok(PluginOrigins::new());
    }
    let found = waited(async |clock| referenced_plugins(screen, job, None, clock).await);
    screen.end_progress();
    found?
}

/// What an attempt is to note of the references of `job`, whose plugins are `plugins`: `digests` are those of the components that the file names.
pub(crate) fn pins_of(job: &JobFile, plugins: &PluginOrigins, digests: &BTreeMap<String, String>, before: &[Pinned]) -> Vec<Pinned> {
    let pin = |(step, code): (&OperatorStep, &PluginCode)| {
        let (id, reference) = (&step.id.value, &code.path.value);
        let pinned = |manifest: Option<String>, component: &str| Pinned {
            vertex: id.clone(),
            reference: reference.clone(),
            manifest,
            component: component.to_owned(),
        };
        match plugins.get(id)? {
            PluginOrigin::Referenced(found) => Some(pinned(found.manifest.clone(), digests.get(id)?)),
            // A run of what a checkpoint keeps: what the reference means stays. One that nobody has resolved yet means nothing by it.
            PluginOrigin::Stored { .. } => pin_of(job, id, code, before).map(|known| Pinned { vertex: id.clone(), ..known.clone() }),
            PluginOrigin::File(_) => None,
        }
    };
    references(job).filter_map(pin).collect()
}

/// The plugin that a command line names: in a file, which `read` reads, in a registry, or by its digest.
pub(crate) fn named_plugin(
    screen: &Screen,
    plugin: &Path,
    access: &Access,
    read: impl FnOnce(&Path) -> Result<Bytes, Failure>,
) -> Result<Named, Failure> {
    let written = plugin.to_str().unwrap_or_default();
    let place = PluginPlace::of(written);
    match place.map_err(|BadPlace { message, hint }| Failure::Usage { message: format!("`{written}`: {message}"), hint })? {
        PluginPlace::File => Ok(Named { name: plugin.display().to_string(), bytes: read(plugin)?, reference: None }),
        PluginPlace::Registry(reference) => {
            let Pulled { reference: by_digest, manifest, bytes, .. } = pulled(screen, &reference, access)?;
            let named_by = NamedBy { reference: written.to_owned(), manifest: Some(manifest) };
            Ok(Named { name: by_digest.to_string(), bytes, reference: Some(named_by) })
        }
        PluginPlace::Digest(digest) => match KeptPlugins::of_user().and_then(|kept| kept.get(&digest)) {
            Some(bytes) => {
                let named_by = NamedBy { reference: written.to_owned(), manifest: None };
                Ok(Named { name: written.to_owned(), bytes, reference: Some(named_by) })
            }
            None => Err(Failure::Usage { message: format!("`{written}` is not kept here"), hint: KEEPS.into() }),
        },
    }
}

/// What a reference leads to now. It may be called wherever one may wait.
pub(crate) fn pulled(screen: &Screen, reference: &OciReference, access: &Access) -> Result<Pulled, Failure> {
    let pulled = waited(async |clock| fetched(screen, reference, access, clock).await);
    screen.end_progress();
    Ok(pulled??)
}

/// What keeps components by their digest.
const KEEPS: &str = "`weir plugin pull oci:REGISTRY/NAME:TAG` keeps what it pulls, and prints the component's digest, which is not the one behind `@`: that is the manifest's";

/// The steps whose plugins are in no file.
fn references(job: &JobFile) -> impl Iterator<Item = (&OperatorStep, &PluginCode)> {
    job.operators.iter().filter_map(|step| match &step.code {
        Code::Plugin(code) if code.place != PluginPlace::File => Some((step, &**code)),
        Code::Plugin(_) | Code::Native(_) => None,
    })
}

/// What was noted of the reference that the operator has, under the name that it has or had.
fn pin_of<'a>(job: &JobFile, id: &str, code: &PluginCode, pinned: &'a [Pinned]) -> Option<&'a Pinned> {
    let before = job.renames().remove(id);
    let of = |id: &str| pinned.iter().find(|pin| pin.vertex == id && pin.reference == code.path.value);
    of(id).or_else(|| of(before.as_deref()?))
}

/// The component that an upgrade has put in the place of the one that was noted, out of the job's storage. Of the other nothing is needed.
async fn as_upgraded(
    screen: &Screen,
    (id, code): (&str, &PluginCode),
    Replaced { file, now }: &Replaced<String>,
    lineage: &Lineage<'_>,
    clock: &dyn Clock,
) -> Result<PluginOrigin, EngineError> {
    let bytes = stored_component(lineage.store, clock, now).await.map_err(|error| {
        let hint = "name the new component in the job file, by a reference that is not the one of before";
        error.context(format!("{id}: go on with component {} by an upgrade", short(now))).with_hint(hint)
    })?;
    let reference = &code.path.value;
    screen.notice(&format!("{id}: component {} by an upgrade; {reference} was {} when this began", short(now), short(file)));
    Ok(PluginOrigin::Stored { name: paths::plugin(now), digest: now.clone(), bytes })
}

/// As much of a digest as is shown.
fn short(digest: &str) -> &str {
    &digest[..8.min(digest.len())]
}

/// The component that was noted, out of the job's storage. Where another is there, or none, what was noted is put there again.
async fn as_pinned(
    screen: &Screen,
    (id, code): (&str, &PluginCode),
    pin: &Pinned,
    lineage: &Lineage<'_>,
    clock: &dyn Clock,
) -> Result<Referenced, Failure> {
    let bytes = match stored_component(lineage.store, clock, &pin.component).await {
        Ok(bytes) => bytes,
        Err(missing) => {
            let told = format!("{id}: {missing}; it is fetched again");
            let bytes = pinned_elsewhere((id, code), pin, missing, screen, clock).await?;
            if lineage.mends && sha256_of(&bytes) == pin.component {
                screen.notice(&told);
                lineage.store.put(&paths::plugin(&pin.component), vec![bytes.clone()]).await.map_err(|error| error.context(id))?;
            }
            bytes
        }
    };
    let may_move = matches!(&code.place, PluginPlace::Registry(reference) if reference.digest.is_none());
    // Of what an upgrade has replaced, and the file names otherwise by now, the upgrade tells.
    if may_move && !lineage.upgraded.contains_key(id) {
        screen.notice(&format!(
            "{id}: {} stays component {}, as it was when this began; what the tag is now is taken by `weir upgrade` while the job runs, \
             or by a reference with `@sha256:…` in the job file",
            code.path.value,
            short(&pin.component)
        ));
    }
    Ok(Referenced { reference: code.path.value.clone(), manifest: pin.manifest.clone(), bytes, pinned: Some(pin.component.clone()) })
}

/// The component that was noted, from where it came: the job's storage does not have it, for which `missing` is why.
async fn pinned_elsewhere(
    (id, code): (&str, &PluginCode),
    pin: &Pinned,
    missing: EngineError,
    screen: &Screen,
    clock: &dyn Clock,
) -> Result<Bytes, Failure> {
    match (&code.place, &pin.manifest) {
        (PluginPlace::Registry(reference), Some(manifest)) => {
            let pulled = fetched(screen, &reference.at(manifest), &Access::of_process(false), clock).await;
            Ok(pulled.map_err(|error| error.context(format!("{id}: {missing}")))?.bytes)
        }
        (PluginPlace::Digest(digest), _) => {
            let kept = KeptPlugins::of_user().and_then(|kept| kept.get(digest));
            let hint = "`weir plugin pull oci:REGISTRY/NAME:TAG` keeps it here again, from where it then comes; else name another component in the job file";
            kept.ok_or_else(|| missing.context(id).with_hint(hint).into())
        }
        (PluginPlace::Registry(_) | PluginPlace::File, _) => Err(missing.context(id).into()),
    }
}

/// What a reference leads to now; `None`: a digest, and nobody has it.
async fn resolved(
    screen: &Screen,
    (id, code): (&str, &PluginCode),
    lineage: Option<&Lineage<'_>>,
    clock: &dyn Clock,
) -> Result<Option<Referenced>, EngineError> {
    let referenced = |manifest, bytes| Referenced { reference: code.path.value.clone(), manifest, bytes, pinned: None };
    match &code.place {
        PluginPlace::Registry(reference) => {
            let found = fetched(screen, reference, &Access::of_process(false), clock).await;
            let found = found.map_err(|error| begins_without(error).context(id))?;
            Ok(Some(referenced(Some(found.manifest), found.bytes)))
        }
        PluginPlace::Digest(digest) => {
            let mut found = KeptPlugins::of_user().and_then(|kept| kept.get(digest));
            if let (None, Some(lineage)) = (&found, lineage) {
                found = stored_component(lineage.store, clock, digest).await.ok();
            }
            Ok(found.map(|bytes| referenced(None, bytes)))
        }
        PluginPlace::File => Err(EngineError::new(ErrorKind::Bug, format!("{id}: a file refers to nothing"))),
    }
}

/// What may help where a job begins and its registry does not answer.
fn begins_without(error: EngineError) -> EngineError {
    if error.kind() != ErrorKind::Retry {
        return error;
    }
    let hint = "a job that has begun goes on without its registry, a new one needs it, and so does a changed reference";
    let hint = error.hint().map_or_else(|| hint.to_owned(), |known| format!("{known}; {hint}"));
    error.with_hint(hint)
}

async fn fetched(screen: &Screen, reference: &OciReference, access: &Access, clock: &dyn Clock) -> Result<Pulled, EngineError> {
    let progress = |seen: u64, of: u64| {
        if screen.redraws() {
            screen.progress(&format!("pulling {reference}: {} of {}", bytes_text(seen), bytes_text(of)));
        }
    };
    let found = pull(reference, access, clock, KeptPlugins::of_user().as_ref(), &progress).await;
    if screen.redraws() {
        screen.progress("");
    }
    let found = found?;
    if reference.digest.is_none() {
        screen.notice(&format!("{reference} is {}", found.manifest));
    }
    Ok(found)
}

/// Runs `work` on threads of its own: whoever waits may be one that drives others.
fn waited<T: Send>(work: impl AsyncFnOnce(&dyn Clock) -> T + Send) -> Result<T, EngineError> {
    let failed = |error: std::io::Error| EngineError::new(ErrorKind::Bug, format!("start a thread: {error}"));
    let run = || {
        let threads = threads()?;
        let clock = threads.runtime().clock;
        let done = threads.block_on(work(&*clock));
        threads.shutdown();
        Ok(done)
    };
    std::thread::scope(|scope| {
        let running = std::thread::Builder::new().name("registry".into()).spawn_scoped(scope, run).map_err(failed)?;
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn nowhere(job: &JobFile, code: &PluginCode) -> Failure {
    let problem = Problem::new(code.path.span.clone(), format!("there is no component {} here", code.path.value)).hint(KEEPS);
    Failure::JobFile(JobFileError { source: job.source.clone(), problems: vec![problem] })
}
