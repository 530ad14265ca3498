//! What is stored of states whose times to live are declared otherwise, rewritten: stamps come and go, what had expired is gone, and what is migrated stays in step.

use super::*;
use crate::state::lifetime::StateTtl;
use crate::state::{timer_state, timers};

const KINDS: [StateKind; 3] = [StateKind::Value, StateKind::List, StateKind::Map];

const EVENT: Option<StateTtl> = Some(StateTtl { ms: 5, time: TimeDomain::Event, refresh_on_read: false });
const LONGER: Option<StateTtl> = Some(StateTtl { ms: 50, time: TimeDomain::Event, refresh_on_read: true });
const CLOCK: Option<StateTtl> = Some(StateTtl { ms: 5, time: TimeDomain::Processing, refresh_on_read: false });

/// A checkpoint that had come to this event time, and to 900 by the clock.
fn come_to(event: i64) -> JudgedBy {
    let mut times = JudgedBy::NONE;
    times.tell(event, 900);
    times
}

fn written_at(stamp: i64, value: &str) -> Vec<u8> {
    [&stamp.to_le_bytes()[..], value.as_bytes()].concat()
}

/// A value, a list and a map that live so, in this version.
fn living(version: u32, ttl: Option<StateTtl>) -> Vec<StateDescriptor> {
    let names = ["a", "b", "c"].map(|name| format!("{name}{version}")).join(" ");
    states(&names, &KINDS).into_iter().map(|state| StateDescriptor { ttl, ..state }).collect()
}

/// What a key has of three states: the value, the items, the values of the entries.
type Rewritten = [Vec<Vec<u8>>; 3];

/// What becomes of a value, of items and of entries that were each stored as `stored` says, where the states lived as `was` and live as `now`, in this version. Both as
/// a block and as the delta behind it.
#[track_caller]
fn rewritten(was: Option<StateTtl>, stored: &[Vec<u8>], (now, version): (Option<StateTtl>, u32), times: JudgedBy) -> Rewritten {
    let (before, after) = (living(1, was), living(version, now));
    let mut backend = Backend::new(before.clone());
    let mut slot = backend.slot(b"k\0");
    stored.first().into_iter().for_each(|value| backend.backend.set_value(&mut slot, b"k\0", 0, value));
    for (place, value) in stored.iter().enumerate() {
        backend.backend.list_append(&mut slot, b"k\0", 1, value);
        backend.backend.map_put(&mut slot, b"k\0", 2, &[place as u8], value);
    }
    let rewrite = StateRewrite::new(vec![Some(0), Some(1), Some(2)], &after, Some(Arc::new(Marking::default()))).of(&before);
    let blocks = backend.backend.blocks(CheckpointId(1), None);
    let [(group, block)] = &blocks[..] else { panic!("one group has the key") };
    let as_block = rewrite.block(block, times).unwrap();
    assert_eq!(matches!(as_block, Cow::Borrowed(_)), rewrite.keeps(&before));
    let restored = |restore: &dyn Fn(&mut SteadyBackend)| {
        let mut restored = Backend::new(after.clone());
        restore(&mut restored.backend);
        let contents = restored.contents();
        let keys = u64::from(!contents.is_empty());
        assert_eq!(restored.backend.keys(), keys, "a key of which nothing is left is gone");
        [0, 1, 2].map(|state| {
            let kept = contents.get(&(b"k\0".to_vec(), state)).into_iter().flatten();
            kept.map(|(_, value)| value.clone()).collect()
        })
    };
    let by_block: Rewritten = restored(&|backend| backend.restore(*group, &as_block, rewrite.places()).unwrap());
    // The same as a change of a key that was there.
    let mut delta = Vec::new();
    write_removed_keys(&mut delta, Vec::<&[u8]>::new());
    delta.extend_from_slice(block);
    let as_delta = rewrite.delta(&delta, times).unwrap();
    let by_delta = restored(&|backend| {
        backend.restore(*group, &rewrite.block(block, come_to(i64::MIN)).unwrap(), rewrite.places()).unwrap();
        backend.restore_delta(*group, &as_delta, rewrite.places()).unwrap();
    });
    assert_eq!(by_block, by_delta);
    by_block
}

/// What becomes of one value, item and entry; in the second version the state's number and the version that was are in front of each.
#[track_caller]
fn check(was: Option<StateTtl>, stored: &[u8], now: (Option<StateTtl>, u32), expect: &[u8]) {
    let marked = |state: usize| String::from_utf8_lossy(expect).replace('#', &state.to_string()).into_bytes();
    assert_eq!(rewritten(was, &[stored.to_vec()], now, come_to(8)), [0, 1, 2].map(|state| vec![marked(state)]), "{was:?} {now:?}");
}

#[test]
fn stamps_come_and_go_with_times_to_live_and_are_not_migrated() {
    check(None, b"v", (None, 1), b"v");
    check(EVENT, &written_at(7, "v"), (LONGER, 1), &written_at(7, "v"));
    check(LONGER, &written_at(7, "v"), (EVENT, 1), &written_at(7, "v"));
    check(EVENT, &written_at(7, "v"), (None, 1), b"v");
    check(EVENT, &written_at(7, "v"), (LONGER, 2), &written_at(7, "#<1:v"));
    check(EVENT, &written_at(7, "v"), (None, 2), b"#<1:v");
    // What has no stamp of that time was written no later than the checkpoint.
    check(None, b"v", (EVENT, 1), &written_at(8, "v"));
    check(None, b"v", (EVENT, 2), &written_at(8, "#<1:v"));
    check(CLOCK, &written_at(899, "v"), (EVENT, 1), &written_at(8, "v"));
}

#[test]
fn what_has_no_stamp_of_the_clock_is_as_old_as_the_checkpoint() {
    let times = come_to(8);
    let value = |stored: Vec<u8>, was| rewritten(was, &[stored], (CLOCK, 1), times)[0].clone();
    assert_eq!(value(b"v".to_vec(), None), [written_at(900, "v")]);
    assert_eq!(value(written_at(7, "v"), EVENT), [written_at(900, "v")]);
    let unknown = rewritten(None, &[b"v".to_vec()], (EVENT, 1), come_to(i64::MIN));
    assert_eq!(unknown[0], [written_at(i64::MIN, "v")], "there was no event time yet");
}

#[test]
fn what_had_expired_is_gone_and_what_is_migrated_stays_in_step() {
    // The first two have expired at 12.
    let stored = [(6, "x"), (7, "y"), (8, "z"), (9, "w")].map(|(stamp, value)| written_at(stamp, value));
    for (now, stamps) in [(None, None), (LONGER, Some([8, 9])), (CLOCK, Some([900, 900]))] {
        for version in [1, 2] {
            let [value, items, entries] = rewritten(EVENT, &stored, (now, version), come_to(12));
            let expect = |state: usize| {
                let values = ["z", "w"].map(|value| if version == 2 { format!("{state}<1:{value}") } else { value.to_owned() });
                let stamped =
                    |place: usize| stamps.map_or_else(|| values[place].as_bytes().to_vec(), |of| written_at(of[place], &values[place]));
                vec![stamped(0), stamped(1)]
            };
            assert_eq!((value, items, entries), (Vec::new(), expect(1), expect(2)), "{now:?}, version {version}");
        }
    }
    let gone = rewritten(EVENT, &stored, (LONGER, 1), come_to(14));
    assert!(gone.iter().all(Vec::is_empty), "{gone:?}");
    // By a shorter one it is judged when it is read.
    assert_eq!(rewritten(LONGER, &stored, (EVENT, 1), come_to(14))[1].len(), 4);
}

#[test]
fn what_a_timer_that_is_due_will_see_is_left_to_it() {
    let left = |domain: TimeDomain, due: i64, drops_timer: bool| {
        let living = |ms| {
            let ttl = Some(StateTtl { ms, time: domain, refresh_on_read: false });
            vec![StateDescriptor { ttl, ..states("a1", &KINDS).remove(0) }, timer_state("later", domain)]
        };
        let (before, after) = (living(5), living(50));
        let mut backend = Backend::new(before.clone());
        let mut slot = backend.slot(b"k\0");
        backend.backend.set_value(&mut slot, b"k\0", 0, &written_at(7, "v"));
        backend.backend.set_value(&mut slot, b"k\0", 1, &due.to_le_bytes());
        let rewrite = StateRewrite::new(vec![Some(0), (!drops_timer).then_some(1)], &after, None).of(&before);
        let blocks = backend.backend.blocks(CheckpointId(1), None);
        let block = rewrite.block(&blocks[0].1, come_to(20)).unwrap();
        let mut restored = Backend::new(after);
        restored.backend.restore(blocks[0].0, &block, rewrite.places()).unwrap();
        restored.contents().contains_key(&(b"k\0".to_vec(), 0))
    };
    // The watermark that is being worked off has come to 20, and one of its timers has not fired yet.
    for domain in [TimeDomain::Event, TimeDomain::Processing] {
        assert_eq!([11, 12, 25].map(|due| left(domain, due, false)), [true, false, false], "{domain:?}");
        assert!(!left(domain, 11, true), "one that is dropped does not fire");
        let by = |of| timers::may_be_of_timer_by(&timer_state("later", domain), of);
        assert!(by(domain) && [TimeDomain::Event, TimeDomain::Processing].map(by) != [true, true]);
    }
}
