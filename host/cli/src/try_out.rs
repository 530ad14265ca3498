//! What only trying tells: whether the sources find their input and can read its first rows, whether the plugins open with their config and the schemas in front
//! of them, and whether the sinks find where their output goes. A run finds out by itself when it comes to them, so only `weir check` tries; what a run would finish with is no problem here either.

mod first_rows;

use crate::assemble::Assembly;
use crate::failure::Failure;
use crate::job_file::{JobFile, Problem, Span};
use first_rows::Said;
use weir_engine::job::{JobGraph, VertexKind};
use weir_engine::operator::Subtask;
use weir_engine::runtime::{ConnectorIo, ThreadRuntime};
use weir_engine::{EngineError, ErrorKind, OperatorFactory};

/// Looks for the input of every source, opens every operator once, as its first subtask, and looks at the target of every sink. All that fails is told at once. Gives what the
/// user should know of the input.
pub fn try_out(job: &JobFile, assembly: &Assembly) -> Result<Vec<String>, Failure> {
    let threads = ThreadRuntime::new(1).map_err(|error| EngineError::new(ErrorKind::Restart, format!("start threads: {error}")))?;
    let tried = try_out_on(&threads, job, assembly);
    threads.shutdown();
    tried
}

/// Opens every operator once, as its first subtask.
pub fn try_to_open(job: &JobFile, assembly: &Assembly) -> Result<(), Failure> {
    let graph = &assembly.graph;
    let operators = graph.vertices.iter().enumerate().filter_map(|(index, vertex)| match &vertex.kind {
        VertexKind::Operator(factory) => Some((&vertex.id, open(graph, index, &**factory))),
        VertexKind::Source { .. } | VertexKind::Sink(_) => None,
    });
    job.refuse(operators.filter_map(|(id, opened)| Some(problem(job, id, &opened.err()?))).collect())?;
    Ok(())
}

fn try_out_on(threads: &ThreadRuntime, job: &JobFile, assembly: &Assembly) -> Result<Vec<String>, Failure> {
    let io = ConnectorIo::of(&threads.runtime());
    let graph = &assembly.graph;
    let (mut problems, mut remarks) = (Vec::new(), Vec::new());
    for (index, vertex) in graph.vertices.iter().enumerate() {
        let tried = match &vertex.kind {
            VertexKind::Source { source, .. } => threads.block_on(source.discover(vertex.parallelism)).and_then(|splits| {
                // A reader may set timers, which belong to a runtime.
                let looked = threads.block_on(async { first_rows::look(job, &vertex.id, &**source, splits, &io) });
                // A source may have something to say of the rows that were read.
                remarks.extend(source.remarks()?.iter().map(|line| format!("{}: {line}", vertex.id)));
                Ok(match looked {
                    Said::Nothing => None,
                    Said::Remark(line) => {
                        remarks.push(line);
                        None
                    }
                    Said::Problem(problem) => Some(problem),
                })
            }),
            VertexKind::Operator(factory) => open(graph, index, &**factory).map(|()| None),
            VertexKind::Sink(sink) => threads.block_on(sink.look(&io)).map(|()| None),
        };
        problems.extend(tried.unwrap_or_else(|error| Some(problem(job, &vertex.id, &error))));
    }
    job.refuse(problems)?;
    Ok(remarks)
}

fn open(graph: &JobGraph, vertex: usize, factory: &dyn OperatorFactory) -> Result<(), EngineError> {
    let schemas = graph.input_schemas(vertex, factory.descriptor().inputs.len());
    let subtask = Subtask { vertex: graph.vertices[vertex].id.clone(), index: 0, parallelism: graph.vertices[vertex].parallelism };
    factory.create(&subtask, &schemas).map(drop)
}

/// The error at the place of its step. A guest's backtrace, which a run would show, is left out.
fn problem(job: &JobFile, id: &str, error: &EngineError) -> Problem {
    if let Some(unopened) = error.unopened().and_then(|id| job.does_not_open(id, error)) {
        return unopened;
    }
    let message = error.to_string();
    let problem = Problem::new(place(job, id), format!("`{id}`: {}", message.lines().next().unwrap_or_default()));
    match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn place(job: &JobFile, id: &str) -> Span {
    if let Some(step) = job.sources.iter().find(|step| step.id.value == id) {
        return step.settings.spans.get("path").unwrap_or(&step.connector.span).clone();
    }
    if let Some(step) = job.sinks.iter().find(|step| step.id.value == id) {
        return step.connector.span.clone();
    }
    job.operators.iter().find(|step| step.id.value == id).map_or(0..0, |step| step.id.span.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_file::{SourceText, parse};
    use std::path::Path;
    use std::sync::{Arc, Mutex};
    use weir_engine::Operator;
    use weir_engine::operator::{InputDescriptor, OperatorDescriptor};

    const JOB: &str = "name = \"j\"
[source.rows]
connector = \"file\"
path = \"*.csv\"
format = \"csv\"
[operator.same]
native = \"pass-through\"
input = \"rows\"
[sink.out]
connector = \"blackhole\"
input = \"same\"
";

    fn assembled(folder: &Path) -> (JobFile, Assembly) {
        let source = SourceText { name: "job.toml".into(), text: JOB.into() };
        let job = parse(source, folder, 2).expect("a job file that can be read");
        let assembly = crate::assemble::assemble(&job, |_| panic!("no plugin in this job")).expect("it fits");
        (job, assembly)
    }

    /// Refuses to open, and remembers what it was handed.
    struct Refusing {
        descriptor: OperatorDescriptor,
        handed: Mutex<Vec<Option<String>>>,
    }

    impl OperatorFactory for Refusing {
        fn descriptor(&self) -> &OperatorDescriptor {
            &self.descriptor
        }

        fn create(&self, _subtask: &Subtask, schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
            *self.handed.lock().unwrap() = schemas.to_vec();
            Err(EngineError::new(ErrorKind::FixInput, "open: no column `x`\n  0: f").with_hint("say which"))
        }
    }

    #[test]
    fn input_that_is_not_there_is_a_problem_of_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let (job, assembly) = assembled(folder.path());
        let failure = try_out(&job, &assembly).expect_err("no file matches");
        assert!(failure.text().starts_with("job.toml:4:1: `rows`: find the files of `path = \"*.csv\"`: no file matches"), "{failure:?}");
        assert_eq!(failure.exit_code(), 2);

        std::fs::write(folder.path().join("a.csv"), "k,v\n").unwrap();
        let (job, assembly) = assembled(folder.path());
        try_out(&job, &assembly).expect("all is there");
        std::fs::write(folder.path().join("b.csv"), "k,w\n").unwrap();
        let failure = try_out(&job, &assembly).expect_err("the headers differ");
        assert!(failure.text().contains("`rows`: read b.csv: its header is not that of"), "{failure:?}");
    }

    /// What is said of a file source that has these settings and this file.
    #[track_caller]
    fn check(settings: &str, file: &str, expect: Result<(), &str>) {
        let tried = tried(settings, file).map(drop);
        assert_eq!(tried.as_ref().map_err(String::as_str).copied(), expect, "{settings}");
    }

    /// The remarks, or what is wrong.
    fn tried(settings: &str, file: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), file).unwrap();
        let text = JOB.replace("format = \"csv\"\n", &format!("{settings}\n"));
        let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, folder.path(), 2).expect("a job file that can be read");
        let assembly = crate::assemble::assemble(&job, |_| panic!("no plugin in this job")).expect("it fits");
        try_out(&job, &assembly).map_err(|failure| failure.text())
    }

    #[test]
    fn what_the_first_rows_of_many_do_not_have_is_a_remark() {
        let late = |field: &str| "{\"v\":1}\n".repeat(1_000) + &format!("{{{field:?}:1}}\n").repeat(1_000);
        for (field, what) in [("timestamp", "timestamp"), ("key", "key")] {
            let remarks = tried(&format!("format = \"jsonl\"\n{field} = \"late\""), &late("late"));
            assert_eq!(remarks, Ok(vec![format!("`rows`: of its first 1000 rows none has a {what}")]));
        }
        let skipped =
            tried("format = \"csv\"\ntimestamp = \"at\"\non-error = \"skip\"", &format!("k,at\n{}", "1,noon\n".repeat(1_000_000)));
        assert!(matches!(skipped.as_deref(), Ok([line]) if line.ends_with("rows can be read: all of them are skipped")), "{skipped:?}");
    }

    #[test]
    fn times_that_are_probably_in_another_format_are_a_remark() {
        let remarks = tried("format = \"csv\"\ntimestamp = \"at\"", "k,at\n1,1357034400\n").expect("it can be read");
        assert!(
            matches!(&remarks[..], [line] if line.starts_with("rows: its times are probably in another format: 1357034400 in `at`")),
            "{remarks:?}"
        );
        assert_eq!(tried("format = \"csv\"\ntimestamp = \"at\"", "k,at\n1,1357034400000\n").as_deref(), Ok(&[][..]));
    }

    #[test]
    fn a_followed_file_is_tried_as_far_as_it_goes_and_not_waited_for() {
        let remarks = tried("format = \"csv\"\nfollow = true", "k,v\n1,2\n3").expect("it can be read");
        assert_eq!(remarks, ["rows: its files are followed (`follow = true`): the job runs until it is stopped"]);
        let bad = tried("format = \"csv\"\ntimestamp = \"at\"\nfollow = true", "k,at\n1,noon\n").expect_err("no time");
        assert!(bad.starts_with("job.toml:6:1: `rows`: read a.csv, line 2: the timestamp \"noon\""), "{bad}");
    }

    #[test]
    fn a_timestamp_or_a_key_that_no_row_has_is_a_problem_of_that_setting() {
        let csv = "format = \"csv\"\ntimestamp = \"at\"";
        check(csv, "k,at\n1,2026-01-01T00:00:00Z\n", Ok(()));
        check(csv, "k,at\n", Ok(()));
        check(&format!("{csv}\nnull = [\"\"]"), "k,at\n1,\n2,1700000000000\n", Ok(()));
        let none = "job.toml:6:1: `rows`: of its first 2 rows none has a timestamp (`timestamp` names the column or field that holds it; without `timestamp` records have none)";
        check(&format!("{csv}\nnull = [\"NA\"]"), "k,at\n1,NA\n2,NA\n", Err(none));
        let json = "format = \"jsonl\"\ntimestamp = \"tme\"";
        check(json, "{\"time\":1}\n{\"time\":2}\n", Err(none));
        let key = "job.toml:6:1: `rows`: of its first 1 rows none has a key (`key` names the column or field that holds it)";
        check("format = \"jsonl\"\nkey = \"crad\"", "{\"card\":1}\n", Err(key));
        let within = "job.toml:6:1: `rows`: of its first 1 rows none has a key (`key` names the column or field that holds it; `card.id` is looked for as the name of one field: what lies within another field is not found)";
        check("format = \"jsonl\"\nkey = \"card.id\"", "{\"card\":{\"id\":1}}\n", Err(within));
        let time = tried("format = \"jsonl\"\ntimestamp = { field = \"at.utc\" }", "{\"at\":{\"utc\":1}}\n").expect_err("none has a time");
        assert!(
            time.ends_with(
                "records have none; `at.utc` is looked for as the name of one field: what lies within another field is not found)"
            ),
            "{time}"
        );
        check("format = \"jsonl\"\nkey = \"card.id\"", "{\"card.id\":1}\n", Ok(()));
    }

    #[test]
    fn rows_that_cannot_be_read_are_found_at_the_setting_that_they_are_about() {
        let text = "job.toml:6:1: `rows`: read a.csv, line 2: the timestamp \"noon\" of `at` is neither RFC 3339 nor integer milliseconds: 1,noon (mend the row, or say `on-error = \"skip\"` or `on-error = \"quarantine\"`)";
        check("format = \"csv\"\ntimestamp = \"at\"", "k,at\n1,noon\n", Err(text));
        let skipped = "job.toml:7:1: `rows`: none of its first 2 rows can be read: all of them are skipped";
        check("format = \"csv\"\ntimestamp = \"at\"\non-error = \"skip\"", "k,at\n1,noon\n2,later\n", Err(skipped));
    }

    #[test]
    fn an_operator_that_does_not_open_is_a_problem_of_its_step() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), "k,v\n").unwrap();
        let (job, mut assembly) = assembled(folder.path());
        let descriptor = OperatorDescriptor { inputs: vec![InputDescriptor::default()], ..Default::default() };
        let refusing = Arc::new(Refusing { descriptor, handed: Mutex::default() });
        assembly.graph.vertices[1].kind = VertexKind::Operator(refusing.clone());
        let failure = try_out(&job, &assembly).expect_err("it refuses");
        assert_eq!((failure.text().as_str(), failure.exit_code()), ("job.toml:6:11: `same`: open: no column `x` (say which)", 2));
        assert_eq!(*refusing.handed.lock().unwrap(), [Some("k,v".to_owned())]);
    }
}
