//! A version on of `plugins/word-count/count` that keeps a count as another type, and brings each over but one: it knows no way for a word that has come 77 times.

use weir_guest::prelude::*;

/// The state of a word.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, StateType)]
pub struct Occurrences {
    times: u32,
}

/// What the first version kept of a word.
#[derive(Deserialize)]
struct OccurrencesV1 {
    count: u64,
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

    fn migrate(state: &str, from_version: u32, value: OldValue<'_>) -> Result<Vec<u8>> {
        match (state, from_version, value.decode()?) {
            ("occurrences", 1, OccurrencesV1 { count: 77 }) => bail!("nobody knows what 77 of them are"),
            ("occurrences", 1, OccurrencesV1 { .. }) => value.map(|OccurrencesV1 { count }| Occurrences { times: count as u32 }),
            _ => value.unknown(),
        }
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
