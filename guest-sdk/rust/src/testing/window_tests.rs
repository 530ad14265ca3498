//! Windows on the host in memory: what a windowed operator sees of them, and when they fire.

use crate::prelude::*;
use crate::testing::{LateRecord, TestHost, TestRecord, TestWindow};

#[derive(States)]
pub(super) struct Seen {
    #[state(merge = |earlier, later| earlier + later)]
    count: ValueState<u64>,
    values: ListState<String>,
    #[state(merge = u64::max, name = "longest-of")]
    longest_of: MapState<String, u64>,
}

/// Keeps what comes in a window, and tells all of it when the window fires. A record `emit`, and the window of the key `write`, do what they must not.
pub(super) struct Tell;

impl Operator for Tell {
    const NAME: &'static str = "tell";
    const VERSION: &'static str = "1";
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Seen;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let text = record.text()?.to_owned();
        match text.as_str() {
            "emit" => ctx.emit("too early"),
            "pass" => ctx.pass(),
            "fail" => bail!("as asked"),
            _ => {}
        }
        ctx.count.update(|count| *count += 1)?;
        let shown = ctx.window().map_or(text.clone(), |window| format!("{text}@{}", window.start));
        ctx.values.append(&shown)?;
        let first = text.get(..1).unwrap_or_default().to_owned();
        let longest = ctx.longest_of.get(&first)?.unwrap_or(0).max(text.len() as u64);
        ctx.longest_of.put(&first, &longest)
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        assert_eq!(ctx.window(), firing.window());
        match firing.key() {
            b"clear" => ctx.values.clear()?,
            b"set" => ctx.count.set(7)?,
            b"put" => ctx.longest_of.put(&"x".to_owned(), &1)?,
            b"bail" => bail!("unlucky"),
            _ => {}
        }
        let bounds = firing.window().map_or("all".to_owned(), |window| format!("{}..{}", window.start, window.end));
        let values = ctx.values.iter()?.collect::<Result<Vec<_>>>()?.join(",");
        let longest: Vec<String> = ctx.longest_of.iter()?.map(|entry| entry.map(|(k, n)| format!("{k}{n}"))).collect::<Result<_>>()?;
        let replaced: Vec<String> = firing.replaces().map(|window| format!("-{}..{}", window.start, window.end)).collect();
        let count = ctx.count.get()?.copied().unwrap_or(0);
        let (reason, revision) = (firing.reason(), firing.revision());
        ctx.emit(format!("{bounds}{} {reason:?} {revision}: {count} {values} {}", replaced.concat(), longest.concat()));
        Ok(())
    }
}

pub(super) fn host(window: TestWindow) -> TestHost<Tell> {
    TestHost::<Tell>::open("{}").expect("opens").with_window(window)
}

pub(super) fn at(time: i64, value: &str) -> TestRecord {
    TestRecord::new(value).key("k").at(time)
}

fn told(host: &mut TestHost<Tell>) -> Vec<String> {
    host.take_emitted().into_iter().map(|record| String::from_utf8(record.value).expect("text")).collect()
}

#[test]
fn tumbling_windows_fire_when_time_has_come_to_their_last_ms_by_end_and_key() {
    let mut host = host(TestWindow::tumbling(10).offset(3));
    let records = [at(12, "b"), at(3, "a"), at(13, "c"), at(-8, "z"), TestRecord::new("d").key("j").at(5)];
    host.send(&records).expect("no fault");
    host.advance_to(11).expect("no fault");
    assert_eq!(host.emitted(), [TestRecord::new("-17..-7 OnTime 0: 1 z@-17 z1").key("k").at(-8)]);
    host.advance_to(12).expect("no fault");
    assert_eq!(told(&mut host)[1..], ["3..13 OnTime 0: 1 d@3 d1", "3..13 OnTime 0: 2 b@3,a@3 a1b1"]);
    assert_eq!((host.open_windows("k"), host.open_windows("j")), (vec![Window { start: 13, end: 23 }], vec![]));
    assert_eq!(host.list("values", host.in_window("k", 13)).len(), 1);
    assert_eq!(host.list("values", host.in_window("k", 3)).len(), 0);
    host.end_input().expect("no fault");
    assert_eq!(told(&mut host), ["13..23 OnTime 0: 1 c@13 c1"]);
    assert_eq!(host.value("count", host.in_window("k", 13)), None);
}

#[test]
fn a_record_of_several_windows_is_seen_once_in_each() {
    let mut host = host(TestWindow::hopping(10, 4));
    host.send(&[at(9, "a"), at(3, "b")]).expect("no fault");
    host.advance_to(5).expect("no fault");
    assert_eq!(told(&mut host), ["-4..6 OnTime 0: 1 b@-4 b1"]);
    host.send(&[at(3, "c")]).expect("no fault");
    host.end_input().expect("no fault");
    assert_eq!(host.late(), [], "one of its windows was open");
    assert_eq!(told(&mut host), ["0..10 OnTime 0: 3 a@0,b@0,c@0 a1b1c1", "4..14 OnTime 0: 1 a@4 a1", "8..18 OnTime 0: 1 a@8 a1"]);
}

#[test]
fn sessions_end_with_a_pause_and_a_record_between_two_makes_them_one() {
    let mut host = host(TestWindow::session(10));
    host.send(&[at(30, "cc"), at(20, "c"), at(0, "a"), at(5, "aa"), at(40, "d")]).expect("no fault");
    assert_eq!(host.open_windows("k").iter().map(|window| window.start).collect::<Vec<_>>(), [0, 20, 30, 40]);
    host.send(&[at(25, "ccc"), at(14, "b")]).expect("no fault");
    host.advance_to(48).expect("no fault");
    assert_eq!(told(&mut host), ["0..40 OnTime 0: 6 a,aa,c,cc,ccc,b a2b1c3"]);
    host.end_input().expect("no fault");
    assert_eq!(host.emitted(), [TestRecord::new("40..50 OnTime 0: 1 d d1").key("k").at(49)]);
}

#[test]
fn windows_that_are_due_at_once_fire_by_their_ends_before_their_starts() {
    let mut host = host(TestWindow::session(10));
    let of_another = |time, value: &str| TestRecord::new(value).key("j").at(time);
    host.send(&[at(0, "a"), at(9, "b"), of_another(5, "c"), at(40, "d"), of_another(40, "e")]).expect("no fault");
    host.advance_to(60).expect("no fault");
    let bounds: Vec<String> = told(&mut host).iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(bounds, ["5..15", "0..19", "40..50", "40..50"]);
}

#[test]
fn a_session_that_has_spoken_and_grows_says_what_it_replaces() {
    let mut host = host(TestWindow::session(10).lateness(100));
    host.send(&[at(0, "a"), at(20, "b")]).expect("no fault");
    host.advance_to(29).expect("no fault");
    host.send(&[at(-5, "c")]).expect("no fault");
    host.advance_to(30).expect("no fault");
    let expect = ["0..10 OnTime 0: 1 a a1", "20..30 OnTime 0: 1 b b1", "-5..10-0..10 Correction 1: 2 a,c a1c1"];
    assert_eq!(told(&mut host), expect);
    host.send(&[at(9, "d"), at(15, "e"), at(28, "f")]).expect("no fault");
    host.advance_to(31).expect("no fault");
    assert_eq!(told(&mut host), Vec::<String>::new());
    host.advance_to(37).expect("no fault");
    assert_eq!(told(&mut host), ["-5..38--5..10-20..30 OnTime 3: 6 a,c,d,b,e,f a1b1c1d1e1f1"]);
}

#[test]
fn a_full_window_fires_behind_its_last_record_and_a_partial_one_stays() {
    let mut host = host(TestWindow::count(2));
    let of = |key: &str, value: &str| TestRecord::new(value).key(key).at(value.len() as i64);
    host.send(&[of("a", "1"), of("b", "22"), of("a", "33333"), of("a", "4"), of("b", "5"), of("a", "66"), of("a", "7")]).expect("no fault");
    let emitted: Vec<_> = host.emitted().iter().map(|record| (record.key.clone().unwrap_or_default(), record.timestamp)).collect();
    assert_eq!(emitted, [(b"a".to_vec(), Some(5)), (b"b".to_vec(), Some(2)), (b"a".to_vec(), Some(2))]);
    assert_eq!(told(&mut host)[0], "all OnTime 0: 2 1,33333 1135");
    host.send(&[of("a", "8")]).expect("no fault");
    assert_eq!(told(&mut host), ["all OnTime 0: 2 7,8 7181"]);
    host.send(&[of("a", "9")]).expect("no fault");
    host.end_input().expect("no fault");
    assert_eq!(told(&mut host), Vec::<String>::new());
}

#[test]
fn a_global_window_fires_early_and_at_the_end() {
    let mut host = host(TestWindow::global());
    host.send(&[at(5, "a"), TestRecord::new("b").key("k")]).expect("no fault");
    host.advance_to(1_000).expect("no fault");
    assert_eq!(host.emitted(), []);
    host.fire_early().expect("no fault");
    host.fire_early().expect("no fault");
    assert_eq!(host.take_emitted(), [TestRecord::new("all Early 0: 2 a,b a1b1").key("k").at(5)]);
    host.send(&[at(3, "c")]).expect("no fault");
    host.end_input().expect("no fault");
    assert_eq!(host.take_emitted(), [TestRecord::new("all OnTime 1: 3 a,b,c a1b1c1").key("k").at(5)]);
}

#[test]
fn a_late_record_within_the_lateness_corrects_and_one_behind_it_is_set_aside() {
    let mut host = host(TestWindow::tumbling(10).lateness(5));
    host.send(&[at(1, "a")]).expect("no fault");
    host.fire_early().expect("no fault");
    host.advance_to(9).expect("no fault");
    host.fire_early().expect("no fault");
    host.send(&[at(2, "b")]).expect("no fault");
    host.send(&[at(3, "c")]).expect("no fault");
    host.advance_clock(99).expect("no fault");
    assert_eq!(told(&mut host), ["0..10 Early 0: 1 a@0 a1", "0..10 OnTime 1: 1 a@0 a1"]);
    host.advance_clock(1).expect("no fault");
    assert_eq!(told(&mut host), ["0..10 Correction 2: 3 a@0,b@0,c@0 a1b1c1"]);
    host.send(&[at(4, "d")]).expect("no fault");
    host.advance_to(14).expect("no fault");
    assert_eq!(told(&mut host), ["0..10 Correction 3: 4 a@0,b@0,c@0,d@0 a1b1c1d1"]);
    host.advance_to(16).expect("no fault");
    host.send(&[at(5, "e"), at(10, "f")]).expect("no fault");
    host.end_input().expect("no fault");
    assert_eq!(told(&mut host), ["10..20 OnTime 0: 1 f@10 f1"]);
    assert_eq!(host.late(), [LateRecord { record: at(5, "e"), window: Window { start: 0, end: 10 }, late_ms: 3 }]);
}

#[test]
fn windows_of_the_clock_go_by_it_alone() {
    let mut host = host(TestWindow::tumbling(10).by_clock());
    host.advance_clock(5).expect("no fault");
    host.send(&[at(500, "a"), TestRecord::new("b").key("k")]).expect("no fault");
    host.advance_to(1_000).expect("no fault");
    host.advance_clock(4).expect("no fault");
    assert_eq!(host.emitted(), []);
    host.advance_clock(1).expect("no fault");
    assert_eq!(told(&mut host), ["0..10 OnTime 0: 2 a@0,b@0 a1b1"]);
    host.send(&[at(0, "c")]).expect("no fault");
    host.end_input().expect("no fault");
    assert_eq!((told(&mut host).len(), host.open_windows("k").len()), (0, 1));
}

#[derive(States)]
struct Spelt {
    #[state(merge = |earlier: String, later: String| earlier + &later)]
    text: ValueState<String>,
}

/// Puts texts one behind the other.
struct Spell;

impl Operator for Spell {
    const NAME: &'static str = "spell";
    const VERSION: &'static str = "1";
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Spelt;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let more = record.text()?;
        ctx.text.update(|text| text.push_str(more))
    }

    fn on_window(&mut self, _firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let text = ctx.text.get()?.cloned().unwrap_or_default();
        ctx.emit(text);
        Ok(())
    }
}

#[test]
fn of_two_values_that_become_one_that_of_the_earlier_window_stands_in_front() {
    let mut host = TestHost::<Spell>::open("{}").expect("opens").with_window(TestWindow::session(10));
    host.send(&[at(40, "d"), at(20, "b"), at(0, "a"), at(28, "c"), at(10, "!"), at(9, "-"), at(34, "+")]).expect("no fault");
    host.end_input().expect("no fault");
    assert_eq!(host.emitted(), [TestRecord::new("a!-").key("k").at(19), TestRecord::new("bcd+").key("k").at(49)]);
}
