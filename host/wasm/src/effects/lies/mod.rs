//! Every field of the effects, with every lie that its type allows, in every call that may have it.
//!
//! The fields are taken apart without a rest ([`fields`]), so one that is new in the wit does not compile until it is said how it can lie.

mod field;
mod fields;
mod right;

use super::*;
use field::Field;
use fields::fields;
use right::{COUNT, KEYS, descriptor, everything, of_output};
use std::collections::BTreeSet;

/// Something that effects come out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    name: &'static str,
    given: Given,
    windowed: bool,
    keyed: bool,
    /// The lists of the effects that its answer may have.
    may: &'static [&'static str],
}

const BY_KEY: &[&str] = &["outputs", "values", "lists", "maps", "touched", "timers", "metrics"];

const CALLS: [Call; 6] = [
    Call { name: "process", given: Given::Records { broadcast: false }, windowed: false, keyed: true, may: BY_KEY },
    Call {
        name: "process of an input without keys",
        given: Given::Records { broadcast: false },
        windowed: false,
        keyed: false,
        may: &["outputs", "metrics"],
    },
    Call {
        name: "process of a broadcast",
        given: Given::Records { broadcast: true },
        windowed: false,
        keyed: false,
        may: &["outputs", "broadcasts", "metrics"],
    },
    Call { name: "on-timers", given: Given::Timers, windowed: false, keyed: true, may: BY_KEY },
    Call {
        name: "process of a windowed operator",
        given: Given::Records { broadcast: false },
        windowed: true,
        keyed: true,
        may: &["values", "lists", "maps", "touched", "timers", "metrics"],
    },
    Call { name: "on-windows", given: Given::Windows, windowed: true, keyed: true, may: &["outputs", "touched", "metrics"] },
];

/// The lists of the effects.
const LISTS: [&str; 8] = ["outputs", "values", "lists", "maps", "broadcasts", "touched", "timers", "metrics"];

impl Call {
    /// What becomes of an answer to it.
    fn checked(&self, raw: wit::Effects) -> Result<Effects, GuestFault> {
        let descriptor = OperatorDescriptor { windowed: self.windowed, ..descriptor() };
        let called = Called {
            descriptor: &descriptor,
            limits: &Limits::default(),
            given: self.given,
            count: COUNT,
            keys: self.keyed.then_some(KEYS as usize),
        };
        Effects::check(raw, &called)
    }

    /// What is said where its answer has a list that it may not have.
    fn refusal(&self, list: &str) -> &'static str {
        match list {
            "outputs" => "output 0: `process` of a windowed operator changes state and emits nothing",
            _ if self.given == Given::Windows => "`on-windows` reads the state of windows and emits; it changes nothing",
            "broadcasts" => "state 6 is updated as broadcast state, and this batch is no broadcast",
            _ => "the batch's input is not keyed, so ",
        }
    }

    fn has_records(&self) -> bool {
        matches!(self.given, Given::Records { .. })
    }

    /// A right answer to it, in which each list that it may have has two elements.
    fn right(&self) -> wit::Effects {
        only(everything(self.has_records()), self.may)
    }
}

/// Effects without what is not in these lists.
fn only(effects: wit::Effects, lists: &[&str]) -> wit::Effects {
    fn kept<T>(list: Vec<T>, name: &str, lists: &[&str]) -> Vec<T> {
        if lists.contains(&name) { list } else { Vec::new() }
    }
    let wit::Effects { outputs, values, lists: of_lists, maps, broadcasts, touched, timers, metrics } = effects;
    wit::Effects {
        outputs: kept(outputs, "outputs", lists),
        values: kept(values, "values", lists),
        lists: kept(of_lists, "lists", lists),
        maps: kept(maps, "maps", lists),
        broadcasts: kept(broadcasts, "broadcasts", lists),
        touched: kept(touched, "touched", lists),
        timers: kept(timers, "timers", lists),
        metrics: kept(metrics, "metrics", lists),
    }
}

/// Tells every lie of every field in an answer to `call`, one at a time. Which fields were lied in, and how many lies there were.
fn lie_to(call: Call) -> (BTreeSet<String>, usize) {
    let (mut names, mut told) = (BTreeSet::new(), 0);
    let mut right = call.right();
    let lies: Vec<usize> = fields(&mut right, call.given).iter().map(|field| field.lies.len()).collect();
    for (place, lie) in lies.iter().enumerate().flat_map(|(place, &lies)| (0..lies).map(move |lie| (place, lie))) {
        let mut raw = call.right();
        let field: Field<'_> = fields(&mut raw, call.given).swap_remove(place);
        let name = field.name.clone();
        let (lie, expect) = field.tell(lie);
        let what = format!("{}: {name}, {lie}", call.name);
        let fault = call.checked(raw).expect_err(&what).to_string();
        assert!(fault.contains(&expect), "{what}: {expect:?} wanted: {fault}");
        names.insert(name);
        told += 1;
    }
    (names, told)
}

#[test]
fn no_field_of_no_answer_lies_and_is_believed() {
    let (mut names, mut told) = (BTreeSet::new(), 0);
    for call in CALLS {
        let taken = call.checked(call.right()).unwrap_or_else(|fault| panic!("{}: {fault}", call.name));
        assert!(!taken.metrics.is_empty(), "{}", call.name);
        let (lied, lies) = lie_to(call);
        names.extend(lied);
        told += lies;
    }
    let mut all = everything(true);
    let (can, cannot): (Vec<_>, Vec<_>) =
        fields(&mut all, CALLS[0].given).into_iter().map(|field| (field.name, field.lies.len())).partition(|(_, lies)| *lies > 0);
    assert_eq!(can.into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>(), names, "each field was lied in, in one call at least");
    let free: BTreeSet<String> = cannot.into_iter().map(|(name, _)| name).collect();
    assert_eq!(free.into_iter().collect::<Vec<_>>(), ["broadcasts.cleared", "metrics.delta"], "whatever these are, they are right");
    assert!(names.len() > 40 && told > 1_200, "{} fields, {told} lies", names.len());
}

#[test]
fn each_call_has_the_lists_that_it_may_have_and_no_other() {
    for call in CALLS {
        for list in LISTS {
            let raw = only(everything(call.has_records()), &[list]);
            match call.checked(raw) {
                Ok(_) => assert!(call.may.contains(&list), "{}: {list} were taken", call.name),
                Err(fault) => {
                    let text = fault.to_string();
                    assert!(!call.may.contains(&list) && text.contains(call.refusal(list)), "{}: {list}: {text}", call.name);
                }
            }
        }
    }
}

/// A list is looked at to its end: an element is not right because the one before it is.
#[test]
fn fields_are_lied_in_in_the_first_element_and_in_the_last() {
    for call in CALLS {
        let mut right = call.right();
        let of: BTreeSet<String> = fields(&mut right, call.given).into_iter().map(|field| field.of).collect();
        assert_eq!(of.len(), 2 * call.may.len(), "{}: {of:?}", call.name);
    }
    assert!(of_output(0, true).passes != of_output(1, true).passes, "records pass in one of them");
}
