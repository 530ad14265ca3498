//! Reads `NUMBER,KEY,TIME` and emits the line under its key at its time, which nobody in front of it knows.

use weir_guest::prelude::*;

/// The operator.
pub struct TimedLines;

impl Operator for TimedLines {
    const NAME: &'static str = "timed-lines";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let line = std::str::from_utf8(record.value())?;
        let mut cells = line.split(',').skip(1);
        let (Some(key), Some(time)) = (cells.next(), cells.next()) else { bail!("a line is a number, a key and a time") };
        ctx.emit_record(&NewRecord::new(line).key(key).at(time.parse()?));
        Ok(())
    }
}

weir_guest::export!(TimedLines);
