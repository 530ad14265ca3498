//! A version on of `plugins/word-count/count` that keeps a count as another type, and brings nothing over that the first version kept.

use weir_guest::prelude::*;

/// The state of a word.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, StateType)]
pub struct Occurrences {
    times: u32,
}

/// The states.
#[derive(States)]
pub struct Words {
    #[state(version = 2)]
    occurrences: ValueState<Occurrences>,
}

/// The operator.
pub struct Count;

impl Operator for Count {
    const NAME: &'static str = "word-count-count";
    const VERSION: &'static str = "2.0.0";
    type Config = Empty;
    type States = Words;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let times = ctx.occurrences.update(|word| {
            word.times += 1;
            word.times
        })?;
        ctx.emit(format!("{} {times} of version 2", String::from_utf8_lossy(record.key().unwrap_or_default())));
        Ok(())
    }
}

weir_guest::export!(Count);
