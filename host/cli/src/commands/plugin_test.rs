//! `weir plugin test`: runs the tests of files against compiled plugins, and shows what came otherwise.

use crate::args::PluginTestArgs;
use crate::assemble::alone;
use crate::context::Context;
use crate::documents::{FailedTestDocument, PluginTestDocument, SCHEMA, TestDocument};
use crate::failure::{FAILED, Failure};
use crate::job_file::{JobFile, OperatorStep, suggest};
use crate::oci::Access;
use crate::scripted::{Difference, Failing, Lines, Manner, Script, Test, read, run};
use crate::start::{Named, build, named_plugin};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use tracing::subscriber::NoSubscriber;
use weir_wasm::{Plugin, WasmEngine};

/// What a file of tests is called, where none is named.
const SUFFIX: &str = ".test.toml";
/// Differing lines of a test that are shown.
const LINES_SHOWN: usize = 20;

/// Runs them all. 1 where one fails.
pub(super) fn test(context: &Context, args: &PluginTestArgs) -> Result<u8, Failure> {
    let files = if args.files.is_empty() { found()? } else { args.files.clone() };
    let engine = context.compiler.engine()?;
    let mut tests = Vec::new();
    for file in &files {
        let script = read(file)?;
        let mut job = job_of(context, file, &script)?;
        let mut plugins = Plugins { context, engine: &engine, of: BTreeMap::new(), named: args.plugin.as_deref() };
        plugins.only_used(&mut job, &script, file)?;
        for test in script.tests.iter().filter(|test| args.only.as_deref().is_none_or(|only| test.name.contains(only))) {
            let step = step_of(&job, &script, test, file)?;
            let plugin = plugins.get(&job, step)?;
            let failed = try_all(context, (&job, step, &plugin), test, args)?;
            let document = TestDocument { file: file.display().to_string(), name: test.name.clone(), passed: failed.is_none(), failed };
            tests.push(document);
        }
    }
    if tests.is_empty() {
        return Err(Failure::Usage { message: "no test was run".into(), hint: "`--only` takes a part of a test's name".into() });
    }
    let document = PluginTestDocument { schema: SCHEMA, tests };
    context.print(&document, || text(&document))?;
    Ok(if document.tests.iter().all(|test| test.passed) { 0 } else { FAILED })
}

/// The files of tests here and in `tests`.
fn found() -> Result<Vec<PathBuf>, Failure> {
    let is_one = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(SUFFIX));
    let of = |folder: &str| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| is_one(path));
    let mut files: Vec<_> = of(".").chain(of("tests")).collect();
    files.sort();
    match files.is_empty() {
        false => Ok(files),
        true => Err(Failure::Usage {
            message: format!("there is no file of tests here: none is called *{SUFFIX}, or tests/*{SUFFIX}"),
            hint: "name the file: weir plugin test count.test.toml".into(),
        }),
    }
}

fn job_of(context: &Context, file: &Path, script: &Script) -> Result<JobFile, Failure> {
    context.job(&file.parent().unwrap_or(Path::new("")).join(&script.job))
}

/// The operator that a test is of.
fn step_of<'a>(job: &'a JobFile, script: &Script, test: &Test, file: &Path) -> Result<&'a OperatorStep, Failure> {
    let ids = || job.operators.iter().map(|step| step.id.value.as_str());
    let at = format!("{}: {}", file.display(), test.name);
    let Some(id) = test.operator.as_ref().or(script.operator.as_ref()) else {
        let hint =
            format!("write `operator = \"…\"` in it, or for all tests above the first; the job has {}", crate::job_file::list_words(ids()));
        return Err(Failure::Usage { message: format!("{at}: it names no operator"), hint });
    };
    job.operators.iter().find(|step| step.id.value == *id).ok_or_else(|| Failure::Usage {
        message: format!("{at}: {} has no operator `{id}`", script.job.display()),
        hint: suggest(id, ids()),
    })
}

/// Plugins as they are needed, each loaded once.
struct Plugins<'a> {
    context: &'a Context,
    engine: &'a WasmEngine,
    of: BTreeMap<String, Plugin>,
    /// In place of what the job file names.
    named: Option<&'a Path>,
}

impl Plugins<'_> {
    /// Leaves in the job what has to be built for the tests, and builds it.
    fn only_used(&mut self, job: &mut JobFile, script: &Script, file: &Path) -> Result<(), Failure> {
        let used =
            script.tests.iter().map(|test| Ok(step_of(job, script, test, file)?.id.value.clone())).collect::<Result<Vec<_>, Failure>>()?;
        if self.named.is_some() {
            return Ok(());
        }
        let mut part = job.clone();
        part.operators.retain(|step| used.contains(&step.id.value));
        for (id, origin) in &build(&self.context.screen, &part)? {
            self.of.insert(id.clone(), origin.load(id, self.engine, job.compile_limits(id))?);
        }
        Ok(())
    }

    fn get(&mut self, job: &JobFile, step: &OperatorStep) -> Result<Plugin, Failure> {
        let id = &step.id.value;
        match (self.of.entry(id.clone()), self.named) {
            (Entry::Occupied(loaded), _) => Ok(loaded.get().clone()),
            (Entry::Vacant(vacant), Some(path)) => {
                let read = |path: &Path| Ok(Bytes::from(weir_wasm::read_plugin(path)?));
                let Named { name, bytes, .. } = named_plugin(&self.context.screen, path, &Access::of_process(false), read)?;
                Ok(vacant.insert(Plugin::from_bytes_within(&name, &bytes, self.engine, job.compile_limits(id))?).clone())
            }
            (Entry::Vacant(_), None) => Err(Failure::Usage {
                message: format!("`{id}` is built into weir"),
                hint: "what is tested is an operator with a `plugin`".into(),
            }),
        }
    }
}

/// The manners in which each test is run.
fn manners(args: &PluginTestArgs) -> impl Iterator<Item = Manner> {
    let forgetful = args.forgetful.then_some(Manner { cut_by: None, forgetful: true });
    let cuts = 0..args.resplit.unwrap_or(0);
    let (seed, forgets) = (args.seed, args.forgetful);
    let cut = cuts.map(move |run| Manner { cut_by: Some(seed.wrapping_add(run)), forgetful: forgets });
    [Manner::default()].into_iter().chain(forgetful).chain(cut)
}

/// The first manner in which a test fails.
fn try_all(
    context: &Context,
    (job, step, plugin): (&JobFile, &OperatorStep, &Plugin),
    test: &Test,
    args: &PluginTestArgs,
) -> Result<Option<FailedTestDocument>, Failure> {
    let opened = || alone(job, step, plugin.clone(), (test.config.as_ref(), &test.schemas));
    for manner in manners(args) {
        let operator = opened()?;
        // What a plugin says, it says every time.
        let failing = match manner.is_first() {
            true => run(test, operator, manner),
            false => tracing::subscriber::with_default(NoSubscriber::default(), || run(test, operator, manner)),
        };
        let Some(failing) = failing else { continue };
        if !manner.is_first() {
            // Of the one that fails it is wanted: it does the same once more.
            context.screen.notice(&format!("{}: what the plugin says where it fails", test.name));
            drop(run(test, opened()?, manner));
        }
        return Ok(Some(document(failing, manner)));
    }
    Ok(None)
}

fn document(failing: Failing, manner: Manner) -> FailedTestDocument {
    let Failing { step, what, cut, difference } = failing;
    let (message, Lines { missing, surplus, .. }) = match difference {
        Difference::Script(what) => (what, Lines::default()),
        Difference::Failed { error, wanted: None } => (format!("it failed: {error}"), Lines::default()),
        Difference::Failed { error, wanted: Some(wanted) } => (format!("it failed, but not with `{wanted}`: {error}"), Lines::default()),
        Difference::NotFailed { wanted } => (format!("it did not fail with `{wanted}`"), Lines::default()),
        Difference::Emitted(lines) if lines.reordered => ("it emitted the same in another order".into(), lines),
        Difference::Emitted(lines) => ("it emitted something else".into(), lines),
        Difference::Kept(lines) => ("it keeps something else".into(), lines),
    };
    FailedTestDocument { step, what, message, missing, surplus, cut, seed: manner.cut_by, forgetful: manner.forgetful }
}

fn text(document: &PluginTestDocument) -> String {
    let mut text = String::new();
    let mut file = "";
    for test in &document.tests {
        if test.file != file {
            file = &test.file;
            text += &format!("{file}\n");
        }
        match &test.failed {
            None => text += &format!("  ok      {}\n", test.name),
            Some(failed) => text += &format!("  FAILED  {}\n{}", test.name, failed_text(failed)),
        }
    }
    let failed = document.tests.iter().filter(|test| !test.passed).count();
    text + &format!("{} passed, {failed} failed\n", document.tests.len() - failed)
}

fn failed_text(failed: &FailedTestDocument) -> String {
    let step = failed.step.map(|step| format!("step {step}, ")).unwrap_or_default();
    let mut how = Vec::new();
    how.extend(
        (!failed.cut.is_empty())
            .then(|| format!("cut into batches of {}", failed.cut.iter().map(usize::to_string).collect::<Vec<_>>().join(" + "))),
    );
    how.extend(failed.forgetful.then(|| "a new instance for each call".into()));
    how.extend(failed.seed.map(|seed| format!("--seed {seed}")));
    let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(", ")) };
    let indented = failed.message.trim_end().replace('\n', "\n            ");
    let mut text = format!("          {step}{}: {indented}{how}\n", failed.what);
    for (sign, lines) in [('-', &failed.missing), ('+', &failed.surplus)] {
        lines.iter().take(LINES_SHOWN).for_each(|line| text += &format!("          {sign} {line}\n"));
        if lines.len() > LINES_SHOWN {
            text += &format!("          {sign} and {} more\n", lines.len() - LINES_SHOWN);
        }
    }
    text
}
