//! What the next run of a job would run, found without running it.

use crate::api::Started;
use crate::context::Context;
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::plugins::PluginOrigins;
use crate::start::{Lineage, StartPoint, build_files, referenced_now, referenced_plugins};
use crate::storage::with_storage;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::EngineError;
use weir_engine::checkpoint::{JobLog, Replaced, paths};
use weir_engine::job::{History, StartMode};
use weir_engine::runtime::Runtime;
use weir_engine::storage::Store;

/// What is known of a job that has run before.
#[derive(Default)]
struct Before {
    history: History,
    /// The components that upgrades brought, by the names under which they are stored.
    upgraded: BTreeMap<String, Bytes>,
}

/// What a run from `from`, or the next one, would take: built where it is missing or older than its sources, of references what they mean there, and what was changed
/// while the job ran. Nothing is written to the job's storage. `kept`: the components of a run that is pinned.
pub(crate) fn next_run(
    context: &Context,
    job: &JobFile,
    from: Option<&StartPoint>,
    kept: Option<PluginOrigins>,
) -> Result<Started, Failure> {
    let screen = &context.screen;
    let is_pinned = kept.is_some();
    let mut plugins = kept.map_or_else(|| build_files(screen, job), Ok)?;
    // `--from` begins a lineage, in which a tag is what it is now.
    let started = |again| match from.cloned() {
        None => StartMode::Resume,
        Some(StartPoint::Checkpoint(checkpoint_id)) => StartMode::From { checkpoint_id, again },
        Some(StartPoint::Savepoint(url)) => StartMode::FromSavepoint { url, again },
    };
    let (mode, once_more) = (&started(true), &started(false));
    let look = |store: Arc<dyn Store>, runtime: Runtime| async move {
        let before = before((&store, &runtime), mode).await?;
        let lineage = Lineage { mends: false, ..Lineage::of(&before.history, mode, &*store) };
        let referenced = match is_pinned {
            true => Ok(PluginOrigins::new()),
            false => referenced_plugins(screen, job, Some(&lineage), &*runtime.clock).await,
        };
        Ok((before, referenced))
    };
    // What cannot be looked into is no reason not to check the rest.
    let (before, referenced) = with_storage(job, look).unwrap_or_else(|failure| {
        screen
            .notice(&format!("the job's storage cannot be looked into, and what follows is of a job that begins now: {}", failure.text()));
        (Before::default(), if is_pinned { Ok(PluginOrigins::new()) } else { referenced_now(screen, job) })
    });
    screen.end_progress();
    plugins.extend(referenced?);
    if from.is_some() && before.history.goes_on(once_more) {
        screen.notice("a run from there has begun before, and `--from` given again goes on with that; what follows is of one that begins anew, with `--again`");
    }
    let stored = |name: &str| Ok(before.upgraded.get(name).cloned());
    Started::of((job, context.compiler.clone()), plugins, (&before.history, mode), stored, &|line| screen.notice(line))
}

async fn before((store, runtime): (&Arc<dyn Store>, &Runtime), mode: &StartMode) -> Result<Before, EngineError> {
    let log = JobLog::open(store.clone(), runtime.clock.clone()).await?;
    let history = History::of(log.entries());
    let mut upgraded = BTreeMap::new();
    for change in history.overrides(mode).0 {
        let Some(Replaced { now, .. }) = change.component.filter(Replaced::replaces) else { continue };
        let name = paths::plugin(&now);
        if let Some(bytes) = store.get(&name).await? {
            upgraded.insert(name, bytes);
        }
    }
    Ok(Before { history, upgraded })
}
