//! Records that pass as they came, absent values and headers, on the host in memory.

use crate::prelude::*;
use crate::testing::{TestHost, TestRecord, assert_cuts_agree};

const SIDE: Output = Output::new("side");

/// Does the words of the record's value, one after the other; nothing where the value is absent.
struct Scripted;

impl Operator for Scripted {
    const NAME: &'static str = "scripted";
    const VERSION: &'static str = "1";
    const OUTPUTS: &'static [Output] = &[Output::MAIN, SIDE];
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(value) = record.optional_value() else {
            ctx.pass_to(SIDE);
            return Ok(());
        };
        for word in value.split(|&byte| byte == b' ') {
            match word {
                b"pass" => ctx.pass(),
                b"side" => ctx.pass_to(SIDE),
                b"absent" => ctx.emit_absent(),
                b"keyed" => ctx.emit_keyed(Some(b"own"), "keyed"),
                b"tagged" => ctx.emit_record(&NewRecord::new("tagged").headers(&[(b"h", b"own"), (b"i", b"")])),
                b"bare" => ctx.emit_record(&NewRecord::absent().keyless().timeless().headers(&[])),
                b"moved" => ctx.emit_record(&NewRecord::new("moved").key("there").at(99)),
                b"header" => ctx.emit(record.header("h").unwrap_or(b"none")),
                b"text" => ctx.emit(record.text()?),
                other => ctx.emit(other),
            }
        }
        Ok(())
    }
}

fn host() -> TestHost<Scripted> {
    TestHost::open("{}").expect("opens")
}

fn record(value: &str) -> TestRecord {
    TestRecord::new(value).key("k").at(7).header("h", "1")
}

#[test]
fn a_record_that_passes_keeps_key_time_headers_and_the_absence_of_its_value() {
    let mut host = host();
    let records = [record("pass"), TestRecord::new("pass"), TestRecord::absent().key("k").header("h", ""), record("side")];
    host.send(&records).expect("passes");
    assert_eq!(host.emitted(), &records[..2]);
    assert_eq!(host.emitted_to(SIDE), &records[2..]);
}

#[test]
fn a_record_passes_once_before_what_else_it_emits_and_behind_what_the_ones_before_it_did() {
    let mut host = host();
    host.send(&[record("a pass b pass"), record("c"), record("pass"), record("pass d")]).expect("passes");
    let made = |value: &str| record(value);
    assert_eq!(host.emitted(), [record("a pass b pass"), made("a"), made("b"), made("c"), record("pass"), record("pass d"), made("d")]);
}

#[test]
fn a_made_record_has_the_headers_of_its_cause_unless_it_has_its_own() {
    let mut host = host();
    host.send(&[record("x keyed"), TestRecord::new("y tagged bare z"), record("moved absent")]).expect("emits");
    let expect = [
        record("x"),
        record("keyed").key("own"),
        TestRecord::new("y"),
        TestRecord::new("tagged").header("h", "own").header("i", ""),
        TestRecord::absent(),
        TestRecord::new("z"),
        record("moved").key("there").at(99),
        TestRecord { value: Vec::new(), valueless: true, ..record("") },
    ];
    assert_eq!(host.emitted(), expect);
}

#[test]
fn the_last_header_of_a_name_is_found_and_a_value_that_is_absent_is_no_text() {
    let mut host = host();
    host.send(&[record("header").header("h", "2"), TestRecord::new("header"), TestRecord::new("")]).expect("emits");
    let values: Vec<_> = host.emitted().iter().map(|record| record.value.as_slice()).collect();
    assert_eq!(values, [&b"2"[..], b"none", b""]);

    /// Reads every value as text.
    struct Text;
    impl Operator for Text {
        const NAME: &'static str = "text";
        const VERSION: &'static str = "1";
        type Config = Empty;
        type States = ();
        fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
            Ok(Self)
        }
        fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
            ctx.emit(record.text()?);
            Ok(())
        }
    }
    let mut host = TestHost::<Text>::open("{}").expect("opens");
    host.send(&[TestRecord::new("")]).expect("the empty value is text");
    let failure = host.send(&[TestRecord::new("a"), TestRecord::absent()]).expect_err("an absent one is not");
    assert_eq!((failure.record, failure.message.as_str()), (Some(1), "the record has no value"));
}

#[test]
fn cuts_change_nothing_of_what_passes() {
    let mut random = fastrand::Rng::with_seed(3);
    let words = ["pass", "side", "absent", "keyed", "tagged", "bare", "moved", "header", "x"];
    let records: Vec<_> = (0..600)
        .map(|n| {
            let script: Vec<_> = (0..random.usize(1..4)).map(|_| words[random.usize(..words.len())]).collect();
            let record = if n % 7 == 0 { TestRecord::absent() } else { TestRecord::new(script.join(" ")) };
            let record = if n % 3 == 0 { record.header("n", n.to_string()) } else { record.key("k") };
            (0, record.at(n))
        })
        .collect();
    assert_cuts_agree::<Scripted>("{}", &Setup::default(), &records, 1);
}
