//! The operator of the tests of windows, and their clock.

use super::*;
use crate::error::ErrorKind;

/// What a firing has shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    pub key: String,
    pub window: Window,
    pub reason: WindowReason,
    pub revision: u32,
    pub timestamp: i64,
    pub replaces: Vec<Window>,
    pub items: Vec<String>,
    pub sum: u64,
    pub counts: BTreeMap<String, u64>,
    pub watermark: i64,
}

pub(super) type Log = Arc<Mutex<Vec<Shown>>>;

/// Values of the records that could not be put into windows, and why.
pub(super) type Refused = Arc<Mutex<BTreeMap<String, String>>>;

/// What a merger says that does not want to.
pub(super) const UNWILLING: &str = "the dice say no";

/// A clock that is set by hand, ms.
#[derive(Default)]
pub(super) struct HandClock(pub Mutex<u64>);

impl Clock for HandClock {
    fn now(&self) -> Monotonic {
        Monotonic::ZERO + Duration::from_millis(*self.0.lock().unwrap())
    }

    fn wall_ms(&self) -> i64 {
        *self.0.lock().unwrap() as i64
    }

    fn sleep_until(&self, _deadline: Monotonic) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Keeps the values of its records in a list, their number in a value, and how often each came in a map; cannot take values that begin with `!`.
pub(super) struct Keeping {
    pub descriptor: OperatorDescriptor,
    pub log: Log,
    pub refused: Refused,
    pub seed: u64,
    pub by_clock: bool,
}

pub(super) struct Keeper {
    log: Log,
    refused: Refused,
    rng: fastrand::Rng,
    by_clock: bool,
}

/// Adds numbers, but for now and then.
pub(super) struct Adding(Mutex<fastrand::Rng>);

impl StateMerger for Adding {
    fn merge(&self, state: usize, earlier: &Column, later: &Column) -> Result<Column, EngineError> {
        assert!(state == SUM || state == MAP, "lists are joined by the host");
        if self.0.lock().unwrap().u8(0..12) == 0 {
            return Err(EngineError::new(ErrorKind::FixInput, UNWILLING));
        }
        let mut sums = Column::new();
        earlier.iter().zip(later.iter()).for_each(|(earlier, later)| sums.push(&(number(earlier) + number(later)).to_le_bytes()));
        Ok(sums)
    }
}

pub(super) fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl OperatorFactory for Keeping {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        Some(Arc::new(Adding(Mutex::new(fastrand::Rng::with_seed(self.seed)))))
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Keeper {
            log: self.log.clone(),
            refused: self.refused.clone(),
            rng: fastrand::Rng::with_seed(self.seed),
            by_clock: self.by_clock,
        }))
    }
}

pub(super) fn sum_of(state: &KeyedState, key: usize) -> u64 {
    state.copied_value(key, SUM).unwrap().map_or(0, |sum| number(&sum))
}

impl Keeper {
    /// Takes the rows of what is selected in.
    fn take(state: &mut KeyedState, batch: &RecordBatch, first: usize, by_clock: bool) {
        let rows: Vec<usize> = match state.rows() {
            Some(rows) => rows.iter().map(|&row| row as usize).collect(),
            None => (first..first + state.key_of().len()).collect(),
        };
        for (row, record) in rows.into_iter().enumerate() {
            let (key, value) = (state.key_of()[row] as usize, batch.values().get(record));
            assert_eq!(state.keys().get(key), batch.keys().get(record));
            if let Some(windows) = state.windows().filter(|_| !by_clock) {
                assert!((windows[key].start..windows[key].end).contains(&batch.timestamps()[record]));
            }
            let mut count = Column::new();
            let had = if state.map_get(key, MAP, value, &mut count).unwrap() { number(count.get(0)) } else { 0 };
            state.list_append(key, LIST, value).unwrap();
            state.map_put(key, MAP, value, &(had + 1).to_le_bytes()).unwrap();
            let sum = sum_of(state, key) + 1;
            state.set_value(key, SUM, &sum.to_le_bytes()).unwrap();
        }
    }
}

impl Operator for Keeper {
    /// Cuts the batch anywhere; a part that fails is undone, and tried again in smaller ones.
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        let mut first = 0;
        while first < batch.len() {
            let mut end = self.rng.usize(first + 1..=batch.len());
            loop {
                let taken = match state.select(batch, first..end) {
                    Ok(taken) => taken,
                    Err(SelectError::Unwindowed(refused)) => {
                        assert_eq!(refused.record, first);
                        self.refused.lock().unwrap().insert(text(batch.values().get(first)), refused.why);
                        first += 1;
                        break;
                    }
                    Err(error) => return Err(error.into_error(|_| unreachable!("each has a key"))),
                };
                assert!(taken > 0, "one at least");
                end = first + taken;
                if !(first..end).any(|record| batch.values().get(record).starts_with(b"!")) {
                    Self::take(state, batch, first, self.by_clock);
                    state.accept()?;
                    first = end;
                    break;
                }
                state.reject()?;
                if taken == 1 {
                    first = end;
                    break;
                }
                end = first + taken / 2;
            }
        }
        Ok(())
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        state.select(fired, 0..fired.len()).expect("each has a key");
        for (place, firing) in fired.firings().iter().enumerate() {
            let key = state.key_of()[place] as usize;
            assert_eq!(state.keys().get(key), fired.keys().get(place));
            let (mut items, mut entries, mut counts) = (Column::new(), Column::new(), Column::new());
            state.list_read(key, LIST, 0, usize::MAX, &mut items).unwrap();
            state.map_scan(key, MAP, None, usize::MAX, &mut entries, &mut counts).unwrap();
            self.log.lock().unwrap().push(Shown {
                key: text(fired.keys().get(place)),
                window: firing.window,
                reason: firing.reason,
                revision: firing.revision,
                timestamp: firing.timestamp,
                replaces: fired.replaces().iter().filter(|(of, _)| *of as usize == place).map(|(_, window)| *window).collect(),
                items: items.iter().map(text).collect(),
                sum: sum_of(state, key),
                counts: entries.iter().map(text).zip(counts.iter().map(number)).collect(),
                watermark: context.watermark,
            });
        }
        Ok(())
    }
}
