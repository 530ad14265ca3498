//! The windowed operator of the conformance tests. See `tests/conformance/README.md`.

use conformance::{or_none, words};
use weir_guest::prelude::*;

#[derive(States)]
struct Kept {
    #[state(merge = |earlier, later| earlier + later)]
    sum: ValueState<i64>,
    #[state(merge = |earlier, _| earlier)]
    first: ValueState<String>,
    words: ListState<String>,
    #[state(merge = |earlier, later| earlier + later)]
    tally: MapState<String, u64>,
}

struct Windowed;

fn bounds(window: Option<Window>) -> String {
    window.map_or_else(|| "-".to_owned(), |Window { start, end }| format!("{start}..{end}"))
}

impl Operator for Windowed {
    const NAME: &'static str = "conformance-windowed";
    const VERSION: &'static str = "1.0.0";
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Kept;

    fn open(_: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (word, number) = words(record.text()?);
        if word == "fail" {
            bail!("{number}");
        }
        let number: i64 = number.parse()?;
        ctx.sum.update(|sum| *sum += number)?;
        if ctx.first.get()?.is_none() {
            ctx.first.set(word.to_owned())?;
        }
        ctx.words.append(&word.to_owned())?;
        let times = ctx.tally.get(&word.to_owned())?.unwrap_or(0);
        ctx.tally.put(&word.to_owned(), &(times + 1))
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let first = ctx.first.get()?.cloned();
        if first.as_deref() == Some("poison") {
            bail!("poison in {}", bounds(firing.window()));
        }
        let reason = match firing.reason() {
            WindowReason::OnTime => "complete",
            WindowReason::Early => "early",
            WindowReason::Correction => "correction",
        };
        let words = ctx.words.iter()?.collect::<Result<Vec<_>>>()?.join(",");
        let tally =
            ctx.tally.iter()?.map(|entry| entry.map(|(word, times)| format!("{word}:{times}"))).collect::<Result<Vec<_>>>()?.join(",");
        let replaces: Vec<_> = firing.replaces().map(|window| bounds(Some(window))).collect();
        let (sum, first) = (or_none(ctx.sum.get()?.copied()), or_none(first));
        let (window, revision) = (bounds(firing.window()), firing.revision());
        ctx.emit(format!(
            "{window} {reason} {revision} sum={sum} first={first} words={words} tally={tally} replaces={}",
            replaces.join(",")
        ));
        Ok(())
    }
}

weir_guest::export!(Windowed);
