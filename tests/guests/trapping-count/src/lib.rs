//! Counts words on the same state as `plugins/word-count/count`, and traps at every hundredth occurrence of one: a version that nobody wants.

use weir_guest::prelude::*;

/// The state of a word, as the good version has it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, StateType)]
pub struct Occurrences {
    count: u64,
}

/// The states.
#[derive(States)]
pub struct Words {
    occurrences: ValueState<Occurrences>,
}

/// The operator.
pub struct TrappingCount;

impl Operator for TrappingCount {
    const NAME: &'static str = "trapping-count";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = Words;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let count = ctx.occurrences.update(|word| {
            word.count += 1;
            word.count
        })?;
        assert!(!count.is_multiple_of(100), "it traps at every hundredth occurrence");
        ctx.emit(format!("{} for the {count}th time, by the wrong version", String::from_utf8_lossy(record.key().unwrap_or_default())));
        Ok(())
    }
}

weir_guest::export!(TrappingCount);
