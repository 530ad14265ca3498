//! Built-in steps with timers in the place of plugins.

use super::*;
use crate::assemble::assemble;
use crate::job_file::{SourceText, parse};
use crate::plan::stand_in::Declared;
use crate::plan::{plan, plan_text};
use crate::plugins::PluginOrigins;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::operator::OperatorDescriptor;
use weir_engine::time::WatermarkSettings;

const JOB: &str = "name = \"j\"
[source.a]
connector = \"generator\"
[source.b]
connector = \"generator\"
[operator.same]
native = \"pass-through\"
inputs = [\"a\", \"b\"]
[operator.timed]
native = \"keyed-count\"
input = { from = \"same\", by = \"key\" }
[sink.out]
connector = \"blackhole\"
input = \"timed\"
";

/// The plan of the job, where `timers` are the last operator's (true: event time), and the vertices of `with_watermarks` make watermarks.
fn shown(timers: &[(&str, bool)], with_watermarks: &[&str]) -> (Vec<String>, String) {
    shown_of(JOB, timers, with_watermarks)
}

fn shown_of(text: &str, timers: &[(&str, bool)], with_watermarks: &[&str]) -> (Vec<String>, String) {
    let source = SourceText { name: "job.toml".into(), text: text.into() };
    let job = parse(source, std::path::Path::new("/jobs"), 2).expect("a job file that can be read");
    let assembly = assemble(&job, |_| panic!("no plugin in this job")).map_err(|failure| failure.text());
    let mut assembly = assembly.expect("a job that fits together");
    for vertex in &mut assembly.graph.vertices {
        if vertex.id == "timed" {
            let timers =
                timers.iter().map(|(name, event_time)| TimerDescriptor { name: (*name).into(), event_time: *event_time }).collect();
            vertex.kind = VertexKind::Operator(Arc::new(Declared(OperatorDescriptor { timers, ..OperatorDescriptor::default() })));
        }
        if with_watermarks.contains(&vertex.id.as_str()) {
            let delay = Duration::ZERO;
            vertex.watermark =
                Some(WatermarkSettings { delay, idle_after: None, advance_when_idle: false, max_ahead: None, in_order: false });
        }
    }
    let plan = plan(&job, &assembly, &PluginOrigins::new());
    let text = plan_text(&plan);
    (plan.remarks, text)
}

#[test]
fn a_timer_that_nothing_gives_its_time_is_warned_of() {
    let warning = "warning: the timer `due` of `timed` goes by event time, and nothing in front of it gives any: it never fires, as `a` never ends \
                   (`watermark` of a source, or of an operator, says how)";
    let at_the_end = warning.replace("it never fires, as `a` never ends", "it fires at the end of the input alone");
    assert_eq!(shown_of(&JOB.replace("\"generator\"", "\"generator\"\ncount = 5"), &[("due", true)], &[]).0, [at_the_end]);
    assert_eq!(shown(&[("tick", false), ("due", true)], &[]).0, [warning]);
    for vertex in ["a", "b", "same"] {
        assert_eq!(shown(&[("due", true)], &[vertex]).0, Vec::<String>::new(), "{vertex}");
    }
    assert_eq!(shown(&[("tick", false)], &[]).0, Vec::<String>::new());
    assert_eq!(shown(&[("due", true)], &["timed"]).0, [warning]);
}

#[test]
fn timers_are_shown_with_what_they_go_by() {
    let text = shown(&[("tick", false), ("due", true)], &["a"]).1;
    assert!(text.contains("         timer tick: processing time\n         timer due: event time\n"), "{text}");
}
