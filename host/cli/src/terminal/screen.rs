//! Standard error: progress, notices and log lines, which must not tear each other apart.
//!
//! On a terminal there is one line of progress at the bottom, and everything else is written above it. Elsewhere all of it is plain lines.

use super::log_lines::{LogLines, OF_PLUGINS};
use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// Where everything goes that is not the document.
#[derive(Clone)]
pub struct Screen(Arc<Inner>);

struct Inner {
    bar: Option<ProgressBar>,
    quiet: bool,
    colour: bool,
}

impl Screen {
    /// That of this process. `quiet`: errors only.
    pub fn of_process(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        Self(Arc::new(Inner { bar, quiet, colour: terminal && !no_colour }))
    }

    /// Whether there is a terminal that progress can be redrawn on.
    pub fn redraws(&self) -> bool {
        self.0.bar.is_some()
    }

    /// Whether nothing but errors is wanted.
    pub fn quiet(&self) -> bool {
        self.0.quiet
    }

    /// Whether to use colours.
    pub fn colour(&self) -> bool {
        self.0.colour
    }

    /// Tells the user something.
    pub fn notice(&self, text: &str) {
        if !self.0.quiet {
            self.write(format!("weir: {text}\n").as_bytes());
        }
    }

    /// Tells the user why the dataflow restarts, or the like: a backtrace follows only where it is the last word.
    pub fn notice_in_short(&self, text: &str) {
        self.notice(first_line(text));
    }

    /// Shows how far the run is: redrawn in place, or a line of its own.
    pub fn progress(&self, text: &str) {
        match &self.0.bar {
            Some(bar) => bar.set_message(weir_secrets::redacted(text).into_owned()),
            None => self.notice(text),
        }
    }

    /// Takes the progress line away.
    pub fn end_progress(&self) {
        if let Some(bar) = &self.0.bar {
            bar.finish_and_clear();
        }
    }

    /// Says why a command failed.
    pub fn error(&self, text: &str) {
        self.write(text.as_bytes());
    }

    /// Nobody can be told of a standard error that is gone.
    fn write(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = weir_secrets::redacted(&text);
        let bytes = text.as_bytes();
        let write = || _ = io::stderr().lock().write_all(bytes);
        match &self.0.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Sends log lines here. `WEIR_LOG` says which (as `RUST_LOG` does elsewhere); by default warnings and what plugins log.
    pub fn take_logs(&self) -> Result<(), Failure> {
        let filter = match std::env::var_os("WEIR_LOG") {
            Some(wanted) => log_filter(&wanted.to_string_lossy())?,
            None if self.0.quiet => Targets::new().with_default(LevelFilter::ERROR),
            None => Targets::new().with_default(LevelFilter::WARN).with_target(OF_PLUGINS, LevelFilter::INFO),
        };
        let lines = tracing_subscriber::fmt::layer().with_ansi(self.0.colour).event_format(LogLines::default()).with_writer(self.clone());
        // A second subscriber in one process (tests) is none.
        _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Ok(())
    }
}

/// What `WEIR_LOG` asks for. A lone word that is no level would be the name of a crate, and is a level misspelt.
fn log_filter(wanted: &str) -> Result<Targets, Failure> {
    let bad = |why: &str| Failure::Usage {
        message: format!("WEIR_LOG=\"{}\": {why}", wanted.escape_debug()),
        hint: "it is a level (error, warn, info, debug, trace or off), or a list like `warn,weir_engine=debug`".into(),
    };
    let lone_word = !wanted.is_empty() && wanted.chars().all(|c| c.is_alphanumeric());
    if lone_word && wanted.parse::<LevelFilter>().is_err() {
        return Err(bad("there is no such level"));
    }
    let is_name = |c: char| c.is_alphanumeric() || "_:-".contains(c);
    if let Some(odd) = wanted.chars().find(|c| !is_name(*c) && !",=".contains(*c)) {
        return Err(bad(&format!("`{odd}` has no meaning in it")));
    }
    // What is between two commas and nothing else would be a level of its own.
    let parts: Vec<&str> = wanted.split(',').filter(|part| !part.is_empty()).collect();
    parts.join(",").parse().map_err(|error: ParseError| bad(&error.to_string()))
}

/// What is said of an error that may have a guest's backtrace below it.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = LogWriter<'a>;

    fn make_writer(&'a self) -> LogWriter<'a> {
        LogWriter(self)
    }
}

/// Writes whole log lines above the progress.
pub struct LogWriter<'a>(&'a Screen);

impl Write for LogWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_in_short_leaves_the_backtrace_out() {
        assert_eq!(first_line("restarting in 100ms: it trapped\n  0: f\n  1: g"), "restarting in 100ms: it trapped");
        assert_eq!(first_line(""), "");
    }

    #[test]
    fn a_filter_that_is_none_is_refused_and_not_ignored() {
        for good in ["debug", "WARN", "off", "", "warn,weir_engine=debug", "weir_engine"] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        let enabled = |wanted: &str| {
            let filter = log_filter(wanted).expect("a filter");
            let (debug, warn, error) = (LevelFilter::DEBUG, LevelFilter::WARN, LevelFilter::ERROR);
            [("weir_engine::job", debug), ("weir_engine", warn), ("weir", warn), ("weir", error)]
                .map(|(target, level)| filter.would_enable(target, &level.into_level().expect("a level")))
        };
        assert_eq!(enabled("error,weir_engine=debug"), [true, true, false, true]);
        assert_eq!(enabled("WARN"), [false, true, true, true]);
        assert_eq!(enabled("off"), [false; 4]);
        assert_eq!(enabled("debug,"), enabled("debug"));
        for bad in ["debgu", "weir_engine=loud", "a=b=c", "verbose", "weir[{"] {
            let failure = log_filter(bad).err().unwrap_or_else(|| panic!("{bad} is taken"));
            assert!(failure.text().starts_with(&format!("WEIR_LOG=\"{bad}\": ")), "{}", failure.text());
            assert!(failure.hint().is_some_and(|hint| hint.contains("weir_engine=debug")));
        }
    }
}
