//! Where a command meets its user: standard output for the document, standard error for everything else, and the signals that end it.

mod log_lines;
mod screen;
mod signals;
pub(crate) mod standard_output;

pub(crate) use screen::Screen;
pub(crate) use signals::{HeldSignals, Signals};
