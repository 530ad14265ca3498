//! Broadcast state: changed by batches of a broadcast input, read by all.

use crate::support::{Bench, Out, Setup, quarantine, reports, values};
use weir_engine::EngineError;

fn bench() -> Bench {
    Bench::new(Setup::default())
}

#[test]
fn every_call_reads_it_as_of_its_start_page_by_page() {
    let mut bench = bench();
    bench.broadcast(&["rule b=2", "rule a=1", "rule c=3"]).unwrap();
    assert_eq!(values(&bench.keyed(&[("k", "rules 1000"), ("k", "get-rule c,nope,a")]).unwrap()), ["1: a=1,b=2,c=3", "[0, 2] 3,1"]);
    assert_eq!(values(&bench.unkeyed(&[(None, "rules 1")]).unwrap()), ["3: a=1,b=2,c=3"]);
    assert_eq!(values(&bench.broadcast(&["rule a=9", "unrule b", "get-rule a,b"]).unwrap()), ["[0, 1] 1,2"]);
    assert_eq!(values(&bench.broadcast(&["rules 1000", "unrule-all", "rule d=4"]).unwrap()), ["1: a=9,c=3"]);
    assert_eq!(values(&bench.keyed(&[("k", "rules 1000")]).unwrap()), ["1: d=4"]);
}

#[test]
fn a_batch_of_another_input_must_not_change_it() {
    let refused = |outs: Result<Vec<Out>, EngineError>| {
        let error = outs.unwrap_err();
        assert!(error.is_guest_fault());
        assert!(
            error.to_string().contains("malformed effects: state 3 is updated as broadcast state, and this batch is no broadcast"),
            "{error}"
        );
    };
    let mut bench = bench();
    refused(bench.keyed(&[("k", "x"), ("k", "rule a=1")]));
    refused(bench.unkeyed(&[(None, "unrule-all")]));
    assert_eq!(values(&bench.keyed(&[("k", "rules 10"), ("k", "x")]).unwrap()), ["1: ", "x=1"]);
}

#[test]
fn malformed_changes_and_reads_are_refused_and_have_no_effect() {
    let check = |instruction: &str, expect: &str| {
        let mut bench = bench();
        bench.broadcast(&["rule a=1"]).unwrap();
        let error = bench.broadcast(&["rule b=2", instruction]).unwrap_err().to_string();
        assert!(error.contains(expect), "{instruction}: {error}");
        assert_eq!(values(&bench.broadcast(&["rules 100"]).unwrap()), ["1: a=1"], "{instruction}");
    };
    check("rule b=3", "state 3: an entry is named twice: b");
    check("unrule b", "state 3: an entry is named twice: b");
    check("wrong rules", "state 3: values: the last end is 0 but there are 1 bytes");
    check("wrong rules-kind", "state 2: \"entries\" is updated as a Broadcast, but declared as a Map");
    check("put x=1", "wasm `unreachable` instruction executed");
    check("peek-rules 0", "broadcast-scan names state 0, which is not a broadcast state");
    check("peek-rules 4", "broadcast-scan names state 4, which is not a broadcast state");
    check("trap", "wasm `unreachable` instruction executed");
}

#[test]
fn poison_among_broadcast_records_is_set_aside_and_the_rest_takes_effect_once() {
    for poison in ["trap", "fail bad rule", "fail-batch bad rules"] {
        let mut bench = Bench::new(Setup { on_failure: quarantine(), ..Setup::default() });
        let mut records: Vec<String> = (0..20).map(|rule| format!("rule r{rule:02}={rule}")).collect();
        records[13] = poison.into();
        // A part that took effect twice, or behind a later one, would bring this rule back.
        records[6] = "unrule r05".into();
        let outs = bench.broadcast(&records.iter().map(String::as_str).collect::<Vec<_>>());
        // One call must not name an entry twice, so the batch fails as a whole as well and is narrowed around both.
        let outs = outs.unwrap();
        assert_eq!(reports(&outs).iter().map(|report| report["value"].as_str().unwrap()).collect::<Vec<_>>(), [poison]);
        let rules: Vec<String> = (0..20).filter(|rule| ![5, 6, 13].contains(rule)).map(|rule| format!("r{rule:02}={rule}")).collect();
        assert_eq!(values(&bench.keyed(&[("k", "rules 10000")]).unwrap()), [format!("1: {}", rules.join(","))]);
    }
}
