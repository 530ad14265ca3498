//! A guest's lines are bounded whatever it does, and what is dropped is counted.

use crate::support::{Bench, Setup, quarantine};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use weir_wasm::Limits;

/// What has been logged: the guest's lines, and how many were dropped.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(Vec<String>, u64)>>);

impl Visit for Heard {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "dropped" {
            self.0.lock().unwrap().1 += value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "line" {
            self.0.lock().unwrap().0.push(value.into());
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl Subscriber for Heard {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _attributes: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn a_line_stays_one_line_and_shows_what_is_in_it() {
    let heard = Heard::default();
    tracing::subscriber::with_default(heard.clone(), || {
        Bench::new(Setup::default()).keyed(&[("a", "log one\nWARN two\u{1b}[2J\u{202e}\u{200b}")]).unwrap();
    });
    let lines = heard.0.lock().unwrap().0.clone();
    assert_eq!(lines.last().map(String::as_str), Some("one\\nWARN two\\u{1b}[2J\\u{202e}\\u{200b}"), "{lines:?}");
}

#[test]
fn a_guest_gains_no_lines_by_failing() {
    let heard = Heard::default();
    tracing::subscriber::with_default(heard.clone(), || {
        let limits = Limits { log_bytes_per_s: 1_000, ..Limits::default() };
        let mut bench = Bench::new(Setup { limits, on_failure: quarantine(), ..Setup::default() });
        bench.keyed(&[("a", "cry out"); 100]).unwrap();
    });
    let (lines, dropped) = heard.0.lock().unwrap().clone();
    // Each try logs a line, and so does each new instance when it opens.
    assert!((1..=7).contains(&lines.len()), "{lines:?}");
    assert!(dropped > 300, "{dropped} lines were dropped");
}
