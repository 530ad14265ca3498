//! What a guest says of itself, checked before anybody believes it.

use crate::bindings::weir::operator::types as wit;
use crate::guest_text::printable;
use crate::pack::Problem;
use weir_engine::operator::{
    InputDescriptor, InputPartitioning, LATE_NAME, OperatorDescriptor, OutputDescriptor, QUARANTINE_NAME, RecordSchema, TimerDescriptor,
};
use weir_engine::state::{StateDescriptor, StateKind, StateTtl, TimeDomain};

/// Inputs, outputs, states and timers of one plugin, of each at most. Sets of them are kept in a `u64`.
pub(crate) const DECLARED: usize = 64;
const NAME_BYTES: usize = 64;
const VERSION_BYTES: usize = 64;
const SCHEMA_BYTES: usize = 16_384;
/// Record schemas that one input may accept.
const ACCEPTED: usize = 64;

/// The engine's descriptor, or everything that is wrong with the guest's.
pub(crate) fn checked(descriptor: wit::Descriptor) -> Result<OperatorDescriptor, Vec<Problem>> {
    let mut problems = Vec::new();
    check_name("the plugin's name", &descriptor.name, &mut problems);
    check_text("the plugin's version", &descriptor.version, VERSION_BYTES, &mut problems);
    check_names("input", descriptor.inputs.iter().map(|input| input.name.as_str()), &mut problems);
    check_names("output", descriptor.outputs.iter().map(|output| output.name.as_str()), &mut problems);
    check_names("state", descriptor.states.iter().map(|state| state.name.as_str()), &mut problems);
    check_names("timer", descriptor.timers.iter().map(|timer| timer.name.as_str()), &mut problems);
    if descriptor.inputs.is_empty() {
        problems.push(Problem::new("it declares no input").hint("an operator has one input at least"));
    }
    let reserved = [
        (QUARANTINE_NAME, "choose another name; the host writes the records that it sets aside to an output of this name"),
        (LATE_NAME, "choose another name; the host writes the records that come too late for their window to an output of this name"),
    ];
    for (name, hint) in reserved.into_iter().filter(|(name, _)| descriptor.outputs.iter().any(|output| output.name == *name)) {
        problems.push(Problem::new(format!("the output name \"{name}\" is the host's")).hint(hint));
    }
    descriptor.inputs.iter().for_each(|input| check_accepted(input, &mut problems));
    for (output, schema) in descriptor.outputs.iter().filter_map(|output| Some((output, output.schema.as_ref()?))) {
        check_record_schema("output", &output.name, schema, &mut problems);
    }
    descriptor.states.iter().for_each(|state| check_state(state, &mut problems));
    check_windowed(&descriptor, &mut problems);
    if problems.is_empty() { Ok(converted(descriptor)) } else { Err(problems) }
}

fn check_names<'a>(what: &str, names: impl ExactSizeIterator<Item = &'a str>, problems: &mut Vec<Problem>) {
    if names.len() > DECLARED {
        problems.push(Problem::new(format!("it declares {} {what}s; {DECLARED} are the most", names.len())));
        return;
    }
    let mut seen = std::collections::HashSet::new();
    for name in names {
        check_name(&format!("the name of a {what}"), name, problems);
        if !seen.insert(name) {
            problems.push(Problem::new(format!("two {what}s are named \"{}\"", short(name))));
        }
    }
}

fn check_name(what: &str, name: &str, problems: &mut Vec<Problem>) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(fits) {
        let hint = format!("1 to {NAME_BYTES} of the characters A-Z a-z 0-9 _ -");
        problems.push(Problem::new(format!("{what} is \"{}\"", short(name))).hint(hint));
    }
}

fn check_text(what: &str, text: &str, max_bytes: usize, problems: &mut Vec<Problem>) {
    if text.len() > max_bytes {
        problems.push(Problem::new(format!("{what} has {} bytes; {max_bytes} are the most", text.len())));
    } else if text.chars().any(char::is_control) {
        problems.push(Problem::new(format!("{what} holds control characters")));
    }
}

fn check_accepted(input: &wit::InputDecl, problems: &mut Vec<Problem>) {
    if input.accepts.len() > ACCEPTED {
        problems.push(Problem::new(format!(
            "input \"{}\" accepts {} schemas; {ACCEPTED} are the most",
            short(&input.name),
            input.accepts.len()
        )));
        return;
    }
    input.accepts.iter().for_each(|schema| check_record_schema("input", &input.name, schema, problems));
}

fn check_record_schema(what: &str, name: &str, schema: &wit::RecordSchema, problems: &mut Vec<Problem>) {
    let what = format!("the record schema of {what} \"{}\"", short(name));
    check_text(&what, &schema.id, NAME_BYTES, problems);
    if schema.id.is_empty() {
        problems.push(Problem::new(format!("{what} has no id")));
    }
}

fn check_state(state: &wit::StateDecl, problems: &mut Vec<Problem>) {
    let name = short(&state.name);
    check_text(&format!("the schema of state \"{name}\""), &state.schema, SCHEMA_BYTES, problems);
    if state.schema.is_empty() {
        problems.push(
            Problem::new(format!("state \"{name}\" has no schema")).hint("`raw` for bytes of your own; the grammar is in wit/schema.md"),
        );
    }
    let described = match kind(state.kind) {
        _ if state.schema.is_empty() || state.schema.len() > SCHEMA_BYTES => None,
        kind => crate::schema::fault(&state.schema, kind),
    };
    if let Some(what) = described {
        let what = crate::guest_text::printable(&what, 4 * NAME_BYTES);
        let problem = Problem::new(format!("the schema of state \"{name}\" describes no type: {what}"));
        problems.push(problem.hint("`raw` for bytes of your own; the grammar is in wit/schema.md"));
    }
    if state.version == 0 {
        problems.push(Problem::new(format!("state \"{name}\" has version 0")).hint("versions count from 1"));
    }
    if state.ttl.is_some_and(|ttl| ttl.ms == 0) {
        let problem = Problem::new(format!("state \"{name}\" has a time to live of 0 ms"));
        problems.push(problem.hint("1 ms is the least; a state without one is kept for ever"));
    }
    if state.ttl.is_some() && kind(state.kind) == StateKind::Broadcast {
        let problem = Problem::new(format!("state \"{name}\" is broadcast state and has a time to live"));
        problems
            .push(problem.hint("subtasks are not at one time, and broadcast state is the same in each: let a record remove what is over"));
    }
    match state.kind {
        wit::StateKind::Value | wit::StateKind::Map => {}
        wit::StateKind::List if state.merges => {
            let problem = Problem::new(format!("state \"{name}\" is a list and merges"));
            problems.push(problem.hint("lists of windows that become one are put one behind the other by the host"));
        }
        wit::StateKind::Broadcast if state.merges => {
            let problem = Problem::new(format!("state \"{name}\" is broadcast state and merges"));
            problems.push(problem.hint("broadcast state is of no window, so there are never two of it"));
        }
        wit::StateKind::List | wit::StateKind::Broadcast => {}
    }
}

/// What goes with windows, and what goes with nothing else.
fn check_windowed(descriptor: &wit::Descriptor, problems: &mut Vec<Problem>) {
    if !descriptor.windowed {
        let merging = descriptor.states.iter().find(|state| state.merges);
        problems.extend(merging.map(|state| {
            let what = format!("state \"{}\" merges, and the operator is not windowed", short(&state.name));
            Problem::new(what).hint("only windows become one: declare the operator as windowed")
        }));
        return;
    }
    if !descriptor.timers.is_empty() {
        problems.push(
            Problem::new("it is windowed and declares timers").hint("a windowed operator has no timers: its windows fire by themselves"),
        );
    }
    if let Some(state) = descriptor.states.iter().find(|state| state.ttl.is_some()) {
        let what = format!("it is windowed, and its state \"{}\" has a time to live", short(&state.name));
        problems.push(Problem::new(what).hint("what is kept of a window lives as long as the window"));
    }
}

/// The engine's time to live.
fn ttl(ttl: wit::Ttl) -> StateTtl {
    let time = match ttl.domain {
        wit::TimeDomain::Event => TimeDomain::Event,
        wit::TimeDomain::Processing => TimeDomain::Processing,
    };
    StateTtl { ms: ttl.ms, time, refresh_on_read: ttl.refresh_on_read }
}

/// A hostile name, fit to be printed.
fn short(name: &str) -> String {
    printable(name, NAME_BYTES)
}

fn kind(kind: wit::StateKind) -> StateKind {
    match kind {
        wit::StateKind::Value => StateKind::Value,
        wit::StateKind::List => StateKind::List,
        wit::StateKind::Map => StateKind::Map,
        wit::StateKind::Broadcast => StateKind::Broadcast,
    }
}

/// Names have been checked by their characters; of the other texts, which are for people, what deceives is escaped for good.
fn converted(descriptor: wit::Descriptor) -> OperatorDescriptor {
    let clean = |text: String| printable(&text, usize::MAX);
    let schema = |schema: wit::RecordSchema| RecordSchema { id: clean(schema.id), version: schema.version };
    let state = |state: wit::StateDecl| StateDescriptor {
        name: state.name,
        kind: kind(state.kind),
        schema: clean(state.schema),
        version: state.version,
        ttl: state.ttl.map(ttl),
    };
    let input = |input: wit::InputDecl| InputDescriptor {
        name: input.name,
        accepts: input.accepts.into_iter().map(schema).collect(),
        partitioning: match input.partitioning {
            wit::InputPartitioning::Any => InputPartitioning::Any,
            wit::InputPartitioning::ByKey => InputPartitioning::ByKey,
            wit::InputPartitioning::Broadcast => InputPartitioning::Broadcast,
        },
    };
    let merging = (0..).zip(&descriptor.states).filter(|(_, state)| state.merges).map(|(number, _)| number).collect();
    OperatorDescriptor {
        name: descriptor.name,
        version: clean(descriptor.version),
        inputs: descriptor.inputs.into_iter().map(input).collect(),
        outputs: descriptor
            .outputs
            .into_iter()
            .map(|output| OutputDescriptor { name: output.name, schema: output.schema.map(schema) })
            .collect(),
        states: descriptor.states.into_iter().map(state).collect(),
        timers: descriptor
            .timers
            .into_iter()
            .map(|timer| TimerDescriptor { name: timer.name, event_time: timer.domain == wit::TimeDomain::Event })
            .collect(),
        windowed: descriptor.windowed,
        merging,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> wit::Descriptor {
        wit::Descriptor {
            name: "count".into(),
            version: "0.1.0".into(),
            inputs: vec![wit::InputDecl { name: "in".into(), accepts: vec![], partitioning: wit::InputPartitioning::Any }],
            outputs: vec![wit::OutputDecl { name: "out".into(), schema: None }],
            states: vec![wit::StateDecl {
                name: "n".into(),
                kind: wit::StateKind::Value,
                schema: "u64".into(),
                version: 1,
                ttl: None,
                merges: false,
            }],
            timers: vec![],
            windowed: false,
        }
    }

    fn check(change: impl FnOnce(&mut wit::Descriptor), expect: &str) {
        let mut descriptor = plain();
        change(&mut descriptor);
        let problems = checked(descriptor).expect_err(expect);
        assert!(problems.iter().any(|problem| problem.what.contains(expect)), "{expect}: {problems:?}");
    }

    #[test]
    fn a_plain_descriptor_is_taken() {
        assert_eq!(checked(plain()).unwrap().states[0].name, "n");
        let mut broadcast = plain();
        broadcast.states[0].kind = wit::StateKind::Broadcast;
        broadcast.states[0].schema = "map<string,u64>".into();
        assert_eq!(checked(broadcast).unwrap().states[0].kind, StateKind::Broadcast);
    }

    #[test]
    fn timers_are_taken_with_the_time_that_they_go_by() {
        let mut descriptor = plain();
        let timer = |name: &str, domain| wit::TimerDecl { name: name.into(), domain };
        descriptor.timers = vec![timer("due", wit::TimeDomain::Event), timer("n", wit::TimeDomain::Processing)];
        let timers = checked(descriptor).unwrap().timers;
        assert_eq!(timers.iter().map(|timer| (timer.name.as_str(), timer.event_time)).collect::<Vec<_>>(), [("due", true), ("n", false)]);
    }

    #[test]
    fn a_time_to_live_is_taken_as_it_is_declared_and_refused_where_it_makes_no_sense() {
        let ttl = |ms| wit::Ttl { ms, domain: wit::TimeDomain::Event, refresh_on_read: true };
        for kind in [wit::StateKind::Value, wit::StateKind::List, wit::StateKind::Map] {
            let mut descriptor = plain();
            (descriptor.states[0].kind, descriptor.states[0].ttl, descriptor.states[0].schema) = (kind, Some(ttl(7)), "raw".into());
            let taken = checked(descriptor).unwrap().states[0].ttl;
            assert_eq!(taken, Some(StateTtl { ms: 7, time: TimeDomain::Event, refresh_on_read: true }));
        }
        let mut descriptor = plain();
        descriptor.states[0].ttl = Some(wit::Ttl { ms: 7, domain: wit::TimeDomain::Processing, refresh_on_read: false });
        let taken = checked(descriptor).unwrap().states[0].ttl;
        assert_eq!(taken, Some(StateTtl { ms: 7, time: TimeDomain::Processing, refresh_on_read: false }));
        check(|d| d.states[0].ttl = Some(ttl(0)), "state \"n\" has a time to live of 0 ms");
        let broadcast = |d: &mut wit::Descriptor| (d.states[0].ttl, d.states[0].kind) = (Some(ttl(1)), wit::StateKind::Broadcast);
        check(broadcast, "state \"n\" is broadcast state and has a time to live");
    }

    #[test]
    fn a_windowed_operator_is_taken_with_the_numbers_of_the_states_that_merge() {
        let state = |name: &str, kind, merges| wit::StateDecl {
            name: name.into(),
            kind,
            schema: "raw".into(),
            merges,
            ..plain().states[0].clone()
        };
        let (value, list, map) = (wit::StateKind::Value, wit::StateKind::List, wit::StateKind::Map);
        let states = vec![state("a", value, true), state("b", list, false), state("c", value, false), state("d", map, true)];
        let checked = checked(wit::Descriptor { states, windowed: true, ..plain() }).unwrap();
        assert_eq!((checked.windowed, checked.merging), (true, vec![0, 3]));
    }

    #[test]
    fn what_does_not_go_with_windows_and_what_goes_with_them_alone_is_refused() {
        let timer = wit::TimerDecl { name: "t".into(), domain: wit::TimeDomain::Event };
        let ttl = wit::Ttl { ms: 1, domain: wit::TimeDomain::Event, refresh_on_read: false };
        let merging = |d: &mut wit::Descriptor, kind| (d.windowed, d.states[0].merges, d.states[0].kind) = (true, true, kind);
        check(|d| (d.timers, d.windowed) = (vec![timer], true), "it is windowed and declares timers");
        check(|d| (d.states[0].ttl, d.windowed) = (Some(ttl), true), "it is windowed, and its state \"n\" has a time to live");
        check(|d| d.states[0].merges = true, "state \"n\" merges, and the operator is not windowed");
        check(|d| merging(d, wit::StateKind::List), "state \"n\" is a list and merges");
        check(|d| merging(d, wit::StateKind::Broadcast), "state \"n\" is broadcast state and merges");
    }

    #[test]
    fn versions_and_schemas_hold_nothing_that_deceives() {
        let mut descriptor = plain();
        descriptor.version = "1.0\u{202e}0.2".into();
        descriptor.inputs[0].accepts = vec![wit::RecordSchema { id: "row\u{200b}".into(), version: 1 }];
        descriptor.outputs[0].schema = Some(wit::RecordSchema { id: "row\u{2066}s".into(), version: 1 });
        let checked = checked(descriptor).unwrap();
        assert_eq!(checked.version, "1.0\\u{202e}0.2");
        assert_eq!(checked.inputs[0].accepts[0].id, "row\\u{200b}");
        assert_eq!(checked.outputs[0].schema.as_ref().unwrap().id, "row\\u{2066}s");
        check(|d| d.states[0].schema = "u64\u{feff}".into(), "the schema of state \"n\" describes no type");
    }

    #[test]
    fn what_is_not_served_or_not_well_named_is_refused_by_name() {
        let timer = |name: &str| wit::TimerDecl { name: name.into(), domain: wit::TimeDomain::Event };
        check(|d| d.timers = vec![timer("weir:t")], "the name of a timer is \"weir:t\"");
        check(|d| d.timers = vec![timer("t"), timer("t")], "two timers are named \"t\"");
        check(|d| d.timers = vec![timer("t"); 65], "it declares 65 timers; 64 are the most");
        check(|d| d.states[0].name = "weir:timer:t".into(), "the name of a state is \"weir:timer:t\"");
        check(|d| d.outputs[0].name = "quarantine".into(), "\"quarantine\" is the host's");
        check(|d| d.outputs[0].name = "late".into(), "the output name \"late\" is the host's");
        check(|d| d.outputs.push(wit::OutputDecl { name: "out".into(), schema: None }), "two outputs are named \"out\"");
        check(|d| d.states[0].name = "a/b".into(), "\"a/b\"");
        check(|d| d.name = String::new(), "the plugin's name is \"\"");
        check(|d| d.inputs.clear(), "no input");
        check(|d| d.states[0].schema = "Vec<u64>".into(), "the schema of state \"n\" describes no type: at byte 8: `Vec<…>`");
        check(|d| d.states[0].kind = wit::StateKind::Map, "the schema of state \"n\" describes no type: it is not that of a map");
        check(|d| d.states[0].schema = "x".repeat(SCHEMA_BYTES + 1), "16384 are the most");
        check(|d| d.states = vec![d.states[0].clone(); 65], "65 states");
    }
}
