//! A guest that works, and traps in one export once something has come to pass: at the call of some number, behind a restore, at some keys.
//!
//! Its keys are of one digit. Not windowed, it hands each record on as it came and sets a timer that is due at once, of which it emits the key; windowed, it emits the
//! key of each window that fires. In both it keeps one byte of a key: the digit, with the highest bit set where the instance that wrote it had not begun with nothing.
//! The numbers are the offsets at which the canonical ABI lays out `batch` and `window-batch` behind their context.

use super::answer::{ANSWER, data_segment};
use super::wat::WatGuest;

/// Most records, keys, timers or windows of a call.
const MOST: u32 = 1_024;
/// From here on stand 0, 1, 2 and so forth.
const NUMBERS: u32 = 262_144;
/// From here on stand 1, 2, 3 and so forth: ends of bytes that are items of their own.
const ENDS: u32 = NUMBERS + 4 * MOST;
/// Nothing but zeros: times that are due.
const ZEROS: u32 = ENDS + 4 * MOST;
/// The values that it keeps.
const VALUES: u32 = ZEROS + 8 * MOST;
/// Updates of the value state, an output and timers, where answers point to.
const UPDATE: u32 = VALUES + MOST;
const OUTPUT: u32 = UPDATE + 64;
const TIMERS: u32 = OUTPUT + 128;

/// When a waiting guest traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Never.
    Never,
    /// At the call of this number of an instance.
    Call(u32),
    /// In `process`: where its instance found state in its first call. Elsewhere: at what an instance has written that had found some.
    Restored,
    /// At keys whose digit's bit is set.
    Keys(u32),
}

/// One that traps in `export` (`process`, `on-timers`, `on-windows`, `merge`).
pub fn waiting(export: &'static str, when: When) -> WatGuest {
    let windowed = matches!(export, "on-windows" | "merge");
    let code = |of: &str| if of == export { trap(of, when) } else { String::new() };
    let guest = if windowed { WatGuest::windowed() } else { WatGuest::default() };
    let numbers = |from: u32| {
        data_segment(if from == 0 { NUMBERS } else { ENDS }, &(from..from + MOST).flat_map(u32::to_le_bytes).collect::<Vec<_>>())
    };
    let guest = guest
        .with(&numbers(0))
        .with(&numbers(1))
        .with("(global $calls (mut i32) (i32.const 0)) (global $begun (mut i32) (i32.const 0)) (global $restored (mut i32) (i32.const 0))")
        .with(&check(when))
        .before("process", &format!("{FIND_STATE} {} {KEEP} {}", code("process"), process(windowed)))
        .answers("process", &format!("(i32.const {ANSWER})"));
    let answer = format!("(i32.const {ANSWER})");
    if windowed {
        let keys = [24, 28, 32, 36].map(of_call);
        let emits = emit("(i32.load offset=60 (local.get 0))", [&*keys[0], &*keys[1], &*keys[2], &*keys[3]]);
        return guest
            .before("on-windows", &format!("{} {emits}", code("on-windows")))
            .answers("on-windows", &answer)
            .before("merge", &code("merge"));
    }
    let emits = emit("(i32.shr_u (local.get 10) (i32.const 2))", ["(local.get 3)", "(local.get 4)", "(local.get 5)", "(local.get 6)"]);
    guest.before("on-timers", &format!("{} {emits}", code("on-timers"))).answers("on-timers", &answer)
}

/// The word at this offset of what `process` or `on-windows` is given.
fn of_call(offset: u32) -> String {
    format!("(i32.load offset={offset} (local.get 0))")
}

fn store(at: u32, value: &str) -> String {
    format!("(i32.store (i32.const {at}) {value}) ")
}

fn constant(value: u32) -> String {
    format!("(i32.const {value})")
}

fn times(count: u32, value: &str) -> String {
    format!("(i32.mul (i32.const {count}) {value})")
}

/// Traps where `when` says so; `export` has been entered.
fn trap(export: &str, when: When) -> String {
    let checked = |pairs: [(String, String); 2]| pairs.map(|(data, length)| format!("(call $check {data} {length})")).concat();
    let local = |number: u32| format!("(local.get {number})");
    // The bytes of the first state, of an export that is given states at this address.
    let kept = |states: &str| (format!("(i32.load offset=8 {states})"), format!("(i32.load offset=12 {states})"));
    let none = || ("(i32.const 0)".to_owned(), "(i32.const 0)".to_owned());
    match (when, export) {
        (When::Never, _) => String::new(),
        (When::Call(number), _) => format!(
            "(global.set $calls (i32.add (global.get $calls) (i32.const 1))) (if (i32.eq (global.get $calls) (i32.const {number})) (then unreachable))"
        ),
        (When::Restored, "process") => "(if (global.get $restored) (then unreachable))".into(),
        (When::Restored, "on-timers") => checked([kept("(local.get 13)"), none()]),
        (When::Restored, "on-windows") => checked([kept("(i32.load offset=96 (local.get 0))"), none()]),
        (When::Keys(_), "process" | "on-windows") => checked([(of_call(24), of_call(28)), none()]),
        (When::Keys(_), "on-timers") => checked([(local(3), local(4)), none()]),
        (When::Restored | When::Keys(_), _) => checked([(local(1), local(2)), (local(5), local(6))]),
    }
}

/// The function `$check`: traps at a byte of those at an address that says so.
fn check(when: When) -> String {
    let byte = "(i32.load8_u (i32.add (local.get 0) (local.get $at)))";
    let is_bad = match when {
        When::Never | When::Call(_) => constant(0),
        When::Restored => format!("(i32.shr_u {byte} (i32.const 7))"),
        When::Keys(digits) => format!("(i32.and (i32.shr_u (i32.const {digits}) (i32.and {byte} (i32.const 15))) (i32.const 1))"),
    };
    format!(
        "(func $check (param i32 i32) (local $at i32)
            (block $end (loop $each
                (br_if $end (i32.ge_u (local.get $at) (local.get 1)))
                (if {is_bad} (then unreachable))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $each))))"
    )
}

/// In the first call of `process`: whether there is state already.
const FIND_STATE: &str = "(local $keys i32) (local $count i32) (local $at i32)
    (local.set $keys (i32.load offset=24 (local.get 0)))
    (local.set $count (i32.load offset=28 (local.get 0)))
    (if (i32.eqz (global.get $begun)) (then
        (global.set $begun (i32.const 1))
        (global.set $restored (i32.gt_u (i32.load offset=4 (i32.load offset=128 (local.get 0))) (i32.const 0)))))";

/// Makes a value of each key.
const KEEP: &str = "(block $end (loop $each
    (br_if $end (i32.ge_u (local.get $at) (local.get $count)))
    (i32.store8 offset=278528 (local.get $at)
        (i32.or (i32.load8_u (i32.add (local.get $keys) (local.get $at))) (i32.shl (global.get $restored) (i32.const 7))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br $each)))";
const _: () = assert!(VALUES == 278_528);

/// The effects of `process`: a value for each key; and, not windowed, all records as they are, and a timer of each key.
fn process(windowed: bool) -> String {
    let count = "(local.get $count)";
    let mut code = store(ANSWER + 12, &constant(UPDATE)) + &store(ANSWER + 16, &constant(1));
    code += &(store(UPDATE + 12, &constant(NUMBERS)) + &store(UPDATE + 16, &times(4, count)));
    code += &(store(UPDATE + 20, &constant(VALUES)) + &store(UPDATE + 24, count));
    code += &(store(UPDATE + 28, &constant(ENDS)) + &store(UPDATE + 32, &times(4, count)));
    if windowed {
        // What `on-windows` has answered is none of this.
        return code + &store(ANSWER + 4, &constant(0)) + &store(ANSWER + 8, &constant(0));
    }
    code += &(store(ANSWER + 52, &constant(TIMERS)) + &store(ANSWER + 56, &constant(1)));
    code += &(store(TIMERS + 4, &constant(NUMBERS)) + &store(TIMERS + 8, &times(4, count)));
    code += &(store(TIMERS + 12, &constant(ZEROS)) + &store(TIMERS + 16, &times(8, count)));
    let values = [56, 60, 64, 68].map(of_call);
    code + &output("(i32.shr_u (i32.load offset=124 (local.get 0)) (i32.const 3))", [&*values[0], &*values[1], &*values[2], &*values[3]])
}

/// Effects that are nothing but so many records with these values (a column's data and ends, with their lengths).
fn emit(count: &str, values: [&str; 4]) -> String {
    let nothing = [12, 16, 52, 56].map(|offset| store(ANSWER + offset, &constant(0)));
    nothing.concat() + &output(count, values)
}

/// So many records with these values on the first output, one for each cause.
fn output(count: &str, values: [&str; 4]) -> String {
    let mut code = store(ANSWER + 4, &constant(OUTPUT)) + &store(ANSWER + 8, &constant(1));
    code += &(store(OUTPUT + 12, &constant(NUMBERS)) + &store(OUTPUT + 16, &times(4, count)));
    for (offset, value) in [20, 24, 28, 32].into_iter().zip(values) {
        code += &store(OUTPUT + offset, value);
    }
    code
}
