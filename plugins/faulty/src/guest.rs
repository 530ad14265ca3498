//! The exports: the operator's own, with the faults around it that no SDK would let through.

use crate::{Faulty, malformed};
use std::cell::{Cell, RefCell};
use weir_guest::Instance;
use weir_guest::bindings::exports::weir::operator::guest::{
    Batch, Column, Context, Descriptor, Effects, Failure, Guest, Subtask, TimerBatch, WindowBatch,
};

thread_local! {
    static INSTANCE: RefCell<Option<Instance<Faulty>>> = const { RefCell::new(None) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// How often `process` of this instance has been called.
pub(crate) fn calls() -> u64 {
    CALLS.get()
}

/// The component.
pub struct Component;

impl Guest for Component {
    fn describe() -> Descriptor {
        fail_describe();
        Instance::<Faulty>::describe()
    }

    fn open(config: String, schemas: Vec<Option<String>>, subtask: Subtask) -> Result<(), String> {
        INSTANCE.set(Some(Instance::open(&config, schemas, subtask)?));
        Ok(())
    }

    /// `unnamed` fails without naming a record, `astray` names one that is not there.
    fn process(context: Context, batch: Batch) -> Result<Effects, Failure> {
        CALLS.set(CALLS.get() + 1);
        let requests: Vec<String> = values(&batch).filter_map(|value| request(&batch, value)).collect();
        if requests.iter().any(|request| request == "unnamed") {
            return Err(Failure { cause: None, message: "failed without a name, as requested".into() });
        }
        if requests.iter().any(|request| request == "astray") {
            return Err(Failure { cause: Some(u32::MAX), message: "failed astray, as requested".into() });
        }
        let mut effects = INSTANCE.with_borrow_mut(|instance| match instance {
            Some(instance) => instance.process(context, batch),
            None => Err(Failure { cause: None, message: "process was called before open".into() }),
        })?;
        for kind in requests.iter().filter_map(|request| request.strip_prefix("malformed:")) {
            if !malformed::spoil(kind, &mut effects) {
                return Err(Failure { cause: None, message: format!("effects cannot be malformed like `{kind}`") });
            }
        }
        Ok(effects)
    }

    fn on_timers(context: Context, fired: TimerBatch) -> Result<Effects, Failure> {
        INSTANCE.with_borrow_mut(|instance| match instance {
            Some(instance) => instance.on_timers(context, fired),
            None => Err(Failure { cause: None, message: "on-timers was called before open".into() }),
        })
    }

    fn on_windows(context: Context, fired: WindowBatch) -> Result<Effects, Failure> {
        INSTANCE.with_borrow_mut(|instance| match instance {
            Some(instance) => instance.on_windows(context, fired),
            None => Err(Failure { cause: None, message: "on-windows was called before open".into() }),
        })
    }

    fn merge(state: u32, earlier: Column, later: Column) -> Result<Column, String> {
        Instance::<Faulty>::merge(state, &earlier, &later)
    }

    fn migrate(state: u32, from_version: u32, values: Column) -> Result<Column, String> {
        Instance::<Faulty>::migrate(state, from_version, &values)
    }
}

/// The ranges of the values.
fn values(batch: &Batch) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut start = 0;
    batch.values.ends.as_chunks::<4>().0.iter().map(move |end| {
        let end = u32::from_le_bytes(*end) as usize;
        std::mem::replace(&mut start, end)..end
    })
}

/// The value as text, where it may be a request to this module.
fn request(batch: &Batch, value: std::ops::Range<usize>) -> Option<String> {
    let text = std::str::from_utf8(&batch.values.data[value]).ok()?;
    let ours = text.as_bytes().starts_with(malformed::PREFIX) || text == "unnamed" || text == "astray";
    ours.then(|| text.to_owned())
}

/// What the features ask for. With none of them, nothing.
fn fail_describe() {
    #[cfg(feature = "describe-traps")]
    panic!("describe panics as requested");
    #[cfg(feature = "describe-spins")]
    loop {
        std::hint::black_box(());
    }
    #[cfg(feature = "describe-calls")]
    weir_guest::bindings::weir::operator::collections::list_length(0, 0);
}

#[cfg(target_arch = "wasm32")]
weir_guest::bindings::export_component!(Component with_types_in weir_guest::bindings);
