//! What is wrong with a job file, where, and what to do about it. All problems of a file are collected and shown together.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use weir_engine::shown_text::{masked, printable_lines};

/// Bytes of a job file that something was read from.
pub type Span = Range<usize>;

/// Lines of a report are wrapped at this many columns.
const REPORT_WIDTH: usize = 120;

/// The text of a job file with the name it is shown by.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// The path as the user gave it.
    pub name: Arc<str>,
    /// The file's content.
    pub text: Arc<str>,
}

impl SourceText {
    /// Line and column of a byte, both from 1.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What is said right beside the place.
    pub label: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at `span`.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: printable_lines(&message.into()), span, label: "here".into(), hint: None }
    }

    /// Says something right beside the place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = printable_lines(&label.into());
        self
    }

    /// Says what the user can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(printable_lines(&hint.into()));
        self
    }
}

/// Collects problems while a file is read.
#[derive(Debug, Default)]
pub(crate) struct Reporter(RefCell<Vec<Problem>>);

impl Reporter {
    /// Adds one.
    pub(crate) fn add(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    /// All of them.
    pub(crate) fn finish(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// A job file that cannot be run.
#[derive(Clone, Debug)]
pub struct JobFileError {
    /// The file.
    pub source: SourceText,
    /// At least one, in the order of the file.
    pub problems: Vec<Problem>,
}

/// A problem as it stands in a JSON document.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemDocument {
    /// The job file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

/// Where a step begins in a job file. Its text is `job.toml:7: [operator.count]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepPlace {
    /// The job file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// `source` or `operator`.
    pub kind: &'static str,
    /// The step's id.
    pub id: String,
}

impl fmt::Display for StepPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, kind, id } = self;
        write!(f, "{file}:{line}: [{kind}.{id}]")
    }
}

impl JobFileError {
    /// The error that these problems are; nothing where there are none.
    pub fn unless_none(source: &SourceText, mut problems: Vec<Problem>) -> Result<(), Self> {
        problems.sort_by_key(|problem| problem.span.start);
        if problems.is_empty() { Ok(()) } else { Err(Self { source: source.clone(), problems }) }
    }

    /// The problems with excerpts of the file; `colour` for terminals.
    pub fn render(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(REPORT_WIDTH).with_links(false).with_context_lines(1);
        let code = NamedSource::new(&*self.source.name, masked(&weir_secrets::passwords_masked(&self.source.text)));
        let mut out = String::new();
        for problem in &self.problems {
            let report = Report { problem, code: &code };
            if handler.render_report(&mut out, &report).is_err() {
                out.push_str(&problem.message);
            }
        }
        out
    }

    /// The problems for a JSON document.
    pub fn documents(&self) -> Vec<ProblemDocument> {
        let document = |problem: &Problem| {
            let (line, column) = self.source.position(problem.span.start);
            let (message, hint) = (problem.message.clone(), problem.hint.clone());
            ProblemDocument { file: self.source.name.to_string(), line, column, message, hint }
        };
        self.problems.iter().map(document).collect()
    }
}

impl fmt::Display for JobFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.documents().iter().enumerate() {
            let ProblemDocument { file, line, column, message, hint } = problem;
            write!(f, "{}{file}:{line}:{column}: {message}", if index > 0 { "\n" } else { "" })?;
            if let Some(hint) = hint {
                write!(f, " ({hint})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for JobFileError {}

/// One problem with the file beside it, as miette wants it.
struct Report<'a> {
    problem: &'a Problem,
    code: &'a NamedSource<String>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Problem { span, label, .. } = self.problem;
        Some(Box::new(std::iter::once(LabeledSpan::new(Some(label.clone()), span.start, span.len()))))
    }
}
