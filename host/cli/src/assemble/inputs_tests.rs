//! What an operator with timers needs.

use super::*;
use crate::job_file::{SourceText, parse};
use weir_engine::operator::{InputDescriptor, TimerDescriptor};

#[track_caller]
fn check(input: &str, expect: &[&str]) {
    let text = format!(
        "name = \"j\"\n[source.in]\nconnector = \"generator\"\n[operator.op]\nnative = \"pass-through\"\ninput = {input}\n[sink.out]\n\
         connector = \"blackhole\"\ninput = \"op\"\n"
    );
    let source = SourceText { name: "job.toml".into(), text: text.into() };
    let job = parse(source, std::path::Path::new("/jobs"), 2).expect("a job file that can be read");
    let timer = |name: &str| TimerDescriptor { name: name.into(), event_time: true };
    let timers = vec![timer("awaited"), timer("retry")];
    let descriptor = OperatorDescriptor { inputs: vec![InputDescriptor::default()], timers, ..OperatorDescriptor::default() };
    let texts: Vec<String> = match job.refuse(unserved(&job.operators[0], &descriptor)) {
        Ok(()) => Vec::new(),
        Err(failure) => vec![crate::failure::Failure::from(failure).text()],
    };
    assert_eq!(texts, expect);
}

#[test]
fn an_operator_with_timers_needs_an_input_by_key() {
    check("{ from = \"in\", by = \"key\" }", &[]);
    check(
        "\"in\"",
        &["job.toml:6:9: `op` has timers (`awaited`, `retry`), which belong to keys, but none of its inputs is distributed by key (write \
           `input = { from = \"in\", by = \"key\" }`)"],
    );
}
