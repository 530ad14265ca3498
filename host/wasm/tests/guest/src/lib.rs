//! A guest written against the bare world, without an SDK: an SDK would keep it from the mistakes that it is here to make.
//!
//! Each record's value is an instruction, as is the key of a timer that is due or of a window that fires where it begins with `!`; other timers are counted as
//! `name@time`. What is no instruction is counted: the key's count goes up by one and `value=count` is emitted with what it inherits from its record. As a
//! windowed operator it only counts, and a window that fires emits `start..end reason#revision=count`, with the windows that it replaces behind the reason.

mod call;
mod columns;
mod merge;

wit_bindgen::generate!({ path: "../../../../wit", world: "weir:operator/operator" });

use call::Call;
use columns::{Items, bytes, items};
use exports::weir::operator::guest::Guest;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use weir::operator::logging::{Level, log};
use weir::operator::types::*;

/// It is a windowed operator.
const WINDOWED: bool = cfg!(feature = "windowed");

const COUNT: u32 = 0;
const ITEMS: u32 = 1;
const ENTRIES: u32 = 2;
const RULES: u32 = 3;
/// Ten ms of event time since it was last read, as the next one. A windowed operator has neither.
const FRESH: u32 = 4;
const LATELY: u32 = 5;

/// Set by the config `stale`: from the second call of an instance on, everything traps.
static STALE: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU32 = AtomicU32::new(0);

struct Puppet;
export!(Puppet);

impl Guest for Puppet {
    fn describe() -> Descriptor {
        let state = |name: &str, kind| StateDecl {
            name: name.into(),
            kind,
            schema: "raw".into(),
            version: 2,
            ttl: None,
            merges: WINDOWED && matches!(kind, StateKind::Value | StateKind::Map),
        };
        let living = |name: &str, kind| StateDecl {
            ttl: Some(Ttl { ms: 10, domain: TimeDomain::Event, refresh_on_read: true }),
            ..state(name, kind)
        };
        let mut states = vec![
            state("count", StateKind::Value),
            state("items", StateKind::List),
            state("entries", StateKind::Map),
            state("rules", StateKind::Broadcast),
        ];
        if !WINDOWED {
            states.extend([living("fresh", StateKind::Value), living("lately", StateKind::List)]);
        }
        let timer = |name: &str, domain| TimerDecl { name: name.into(), domain };
        let input = |name: &str| InputDecl { name: name.into(), accepts: vec![], partitioning: InputPartitioning::Any };
        let output = |name: &str| OutputDecl { name: name.into(), schema: None };
        Descriptor {
            name: "puppet".into(),
            version: "0.1.0".into(),
            inputs: vec![input("in"), input("rules")],
            outputs: vec![output("out"), output("side")],
            states,
            timers: if WINDOWED { vec![] } else { vec![timer("due", TimeDomain::Event), timer("tick", TimeDomain::Processing)] },
            windowed: WINDOWED,
        }
    }

    fn open(config: String, schemas: Vec<Option<String>>, subtask: Subtask) -> Result<(), String> {
        STALE.store(config == "\"stale\"", Relaxed);
        match config.as_str() {
            "\"refuse\"" => Err("no such mode".into()),
            "\"panic\"" => panic!("open panics"),
            "\"spin\"" => spin(),
            _ => {
                log(Level::Info, &format!("opened {config} {schemas:?} {}/{} {}", subtask.index, subtask.parallelism, subtask.seed));
                Ok(())
            }
        }
    }

    fn process(context: Context, batch: Batch) -> Result<Effects, Failure> {
        if CALLS.fetch_add(1, Relaxed) > 0 && STALE.load(Relaxed) {
            panic!("this instance has been used before");
        }
        Call::new(context, batch).run()
    }

    fn on_timers(context: Context, fired: TimerBatch) -> Result<Effects, Failure> {
        if CALLS.fetch_add(1, Relaxed) > 0 && STALE.load(Relaxed) {
            panic!("this instance has been used before");
        }
        Call::of_timers(context, fired).run()
    }

    fn on_windows(context: Context, fired: WindowBatch) -> Result<Effects, Failure> {
        if CALLS.fetch_add(1, Relaxed) > 0 && STALE.load(Relaxed) {
            panic!("this instance has been used before");
        }
        Call::of_windows(context, fired).run()
    }

    fn merge(state: u32, earlier: Column, later: Column) -> Result<Column, String> {
        merge::merged(state, &items(&earlier), &items(&later), CALLS.fetch_add(1, Relaxed))
    }

    fn migrate(_state: u32, from_version: u32, values: Column) -> Result<Column, String> {
        match from_version {
            1 => {
                let mut migrated = Items::default();
                for value in items(&values) {
                    migrated.push(&[&value[..], b"!"].concat());
                }
                Ok(migrated.column())
            }
            3 => Ok(Items::default().column()),
            4 => {
                log(Level::Info, "migrate may not");
                Ok(values)
            }
            5 => spin(),
            6 => Ok(Column { data: vec![1; 100 << 20], ends: vec![] }),
            7 => Ok(Column { data: vec![1; 20 << 20], ends: bytes(&[20 << 20]) }),
            _ => Err(format!("cannot come from version {from_version}")),
        }
    }
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

/// Small frames, so that the host's stack ends before the guest's own.
fn recurse(depth: u64) -> u64 {
    let depth = std::hint::black_box(depth);
    if depth == 0 { 0 } else { recurse(depth + 1) ^ depth }
}
