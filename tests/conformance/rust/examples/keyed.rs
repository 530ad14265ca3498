//! The keyed operator of the conformance tests: each record is a command. See `tests/conformance/README.md`.

use conformance::{or_none, words};
use weir_guest::prelude::*;

const COMMANDS: Input = Input::new("commands").by_key();
const RULES: Input = Input::new("rules").broadcast();
const SIDE: Output = Output::new("side");
const SOON: Timer = Timer::event("soon");
const TICK: Timer = Timer::processing("tick");

/// The job file's `config`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    #[serde(default = "hello")]
    greeting: String,
    fail_open: Option<String>,
}

fn hello() -> String {
    "hello".into()
}

/// What is kept of a key. In version 1 it was the count alone.
#[derive(Clone, Default, Serialize, Deserialize, StateType)]
struct Seen {
    count: u64,
    last: Option<String>,
    low: i64,
}

#[derive(States)]
struct Kept {
    #[state(version = 2)]
    seen: ValueState<Seen>,
    blob: ValueState<Vec<u8>, Raw>,
    items: ListState<String>,
    entries: MapState<String, i64>,
    #[state(ttl = "1h", time = "event", refresh = "read")]
    brief: ValueState<u32>,
    rules: BroadcastState<String, String>,
}

struct Keyed {
    greeting: String,
    schema: Option<String>,
    subtask: String,
}

type Ctx<'a> = Context<'a, Keyed>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(digits: &str) -> Result<Vec<u8>> {
    let pair = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    digits.as_bytes().chunks(2).map(pair).collect()
}

impl Keyed {
    /// Commands about the value states. `None`: it is none of them.
    fn values(ctx: &mut Ctx<'_>, name: &str, rest: &str) -> Result<Option<()>> {
        match name {
            "count" => {
                let (count, last) = ctx.seen.update(|seen| {
                    seen.count += 1;
                    seen.low -= 1;
                    let last = std::mem::replace(&mut seen.last, (!rest.is_empty()).then(|| rest.to_owned()));
                    (seen.count, last)
                })?;
                ctx.emit(format!("{count} {}", or_none(last)));
            }
            "huge" => ctx.seen.set(Seen { count: u64::MAX, last: Some(rest.to_owned()), low: i64::MIN })?,
            "seen" => {
                let seen = ctx.seen.get()?.map(|seen| format!("{} {} {}", seen.count, or_none(seen.last.as_ref()), seen.low));
                ctx.emit(or_none(seen));
            }
            "blob" => ctx.blob.set(bytes_of(rest)?)?,
            "blob?" => {
                let blob = ctx.blob.get()?.map(|blob| hex(blob));
                ctx.emit(or_none(blob));
            }
            "brief" => ctx.brief.set(rest.parse()?)?,
            "brief?" => {
                let brief = ctx.brief.get()?.copied();
                ctx.emit(or_none(brief));
            }
            "forget" => {
                ctx.seen.clear()?;
                ctx.blob.clear()?;
                ctx.items.clear()?;
                ctx.entries.clear()?;
                ctx.brief.clear()?;
            }
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// Commands about the list, the map and the rules.
    fn collections(ctx: &mut Ctx<'_>, name: &str, rest: &str) -> Result<Option<()>> {
        match name {
            "append" => ctx.items.append(&rest.to_owned())?,
            "pop" => ctx.items.pop_front(rest.parse()?)?,
            "truncate" => ctx.items.truncate(rest.parse()?)?,
            "clear-items" => ctx.items.clear()?,
            "item" => {
                let item = ctx.items.get(rest.parse()?)?;
                ctx.emit(or_none(item));
            }
            "items" => {
                let items = ctx.items.iter()?.collect::<Result<Vec<_>>>()?;
                let told = format!("{} {}", ctx.items.len()?, items.join(","));
                ctx.emit(told);
            }
            "put" => {
                let (entry, number) = words(rest);
                ctx.entries.put(&entry.to_owned(), &number.parse()?)?;
            }
            "remove" => ctx.entries.remove(&rest.to_owned())?,
            "clear-entries" => ctx.entries.clear()?,
            "entry" => {
                let number = ctx.entries.get(&rest.to_owned())?;
                ctx.emit(or_none(number));
            }
            "entries" => {
                let entries = ctx.entries.iter()?.collect::<Result<Vec<_>>>()?;
                ctx.emit(entries.iter().map(|(entry, number)| format!("{entry}={number}")).collect::<Vec<_>>().join(","));
            }
            "rule" => {
                let rule = ctx.rules.get(&rest.to_owned())?;
                ctx.emit(or_none(rule));
            }
            "rules" => {
                let rules = ctx.rules.iter().collect::<Result<Vec<_>>>()?;
                ctx.emit(rules.iter().map(|(name, rule)| format!("{name}={rule}")).collect::<Vec<_>>().join(","));
            }
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// Commands about what is emitted.
    fn emits(record: &Record<'_>, ctx: &mut Ctx<'_>, name: &str, rest: &str) -> Result<Option<()>> {
        match name {
            "echo" => ctx.emit(rest),
            "long" => ctx.emit("x".repeat(rest.parse()?)),
            "pass" => ctx.pass(),
            "pass-side" => ctx.pass_to(SIDE),
            "both" => {
                ctx.pass();
                ctx.emit("made");
            }
            "side" => ctx.to(SIDE).emit(rest),
            "absent" => ctx.emit_absent(),
            "key" => ctx.emit_keyed(Some(rest.as_bytes()), "keyed"),
            "keyless" => ctx.emit_keyed(None, "keyless"),
            "at" => ctx.emit_with(record.key(), Some(rest.parse()?), "at"),
            "timeless" => ctx.emit_with(record.key(), None, "timeless"),
            "header" => {
                let mut headers: Vec<_> = record.headers().collect();
                headers.push((b"seen", rest.as_bytes()));
                ctx.emit_record(&NewRecord::new("header").headers(&headers));
            }
            "headers" => {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                let pairs: Vec<_> = record.headers().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
                ctx.emit_record(&NewRecord::new(&pairs.join(",")).headers(&[]));
            }
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// Commands about time.
    fn times(record: &Record<'_>, ctx: &mut Ctx<'_>, name: &str, rest: &str) -> Result<Option<()>> {
        match name {
            "timer" => ctx.timers.set(SOON, rest.parse()?)?,
            "untimer" => ctx.timers.delete(SOON, rest.parse()?)?,
            "tick" => ctx.timers.set(TICK, rest.parse()?)?,
            "untick" => ctx.timers.delete(TICK, rest.parse()?)?,
            "time" => ctx.emit(or_none(record.timestamp())),
            "watermark" => ctx.emit(or_none(ctx.watermark())),
            "clock" => ctx.emit(ctx.processing_time().to_string()),
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// Everything else.
    fn others(&self, ctx: &mut Ctx<'_>, name: &str, rest: &str) -> Result<()> {
        match name {
            "config" => ctx.emit(&self.greeting),
            "schema" => ctx.emit(or_none(self.schema.as_ref())),
            "subtask" => ctx.emit(&self.subtask),
            "log" => log::info!("{rest}"),
            "metric" => ctx.metric("metric", rest.parse()?),
            "fail" => bail!("{rest}"),
            other => bail!("no command `{other}`"),
        }
        Ok(())
    }

    fn rule(text: &str, ctx: &mut Ctx<'_>) -> Result<()> {
        match (text, text.split_once('=')) {
            ("*", _) => ctx.rules.clear(),
            (_, Some((name, rule))) => ctx.rules.put(&name.to_owned(), &rule.to_owned()),
            (name, None) => ctx.rules.remove(&name.to_owned()),
        }
    }
}

impl Operator for Keyed {
    const NAME: &'static str = "conformance-keyed";
    const VERSION: &'static str = "2.0.0";
    const INPUTS: &'static [Input] = &[COMMANDS, RULES];
    const OUTPUTS: &'static [Output] = &[Output::MAIN, SIDE];
    const TIMERS: &'static [Timer] = &[SOON, TICK];
    type Config = Config;
    type States = Kept;

    fn open(config: Config, setup: &Setup) -> Result<Self> {
        if let Some(why) = config.fail_open {
            bail!("{why}");
        }
        let subtask = format!("{} of {}", setup.subtask.index, setup.subtask.parallelism);
        Ok(Self { greeting: config.greeting, schema: setup.schema(0).map(str::to_owned), subtask })
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Ctx<'_>) -> Result<()> {
        if record.input() == RULES {
            return Self::rule(record.text()?, ctx);
        }
        let Some(value) = record.optional_value() else {
            ctx.to(SIDE).emit_absent();
            return Ok(());
        };
        let Ok(text) = std::str::from_utf8(value) else {
            ctx.emit(value.iter().rev().copied().collect::<Vec<_>>());
            return Ok(());
        };
        let (name, rest) = words(text);
        let done = match Self::values(ctx, name, rest)? {
            None => Self::collections(ctx, name, rest)?,
            done => done,
        };
        let done = match done {
            None => Self::emits(&record, ctx, name, rest)?,
            done => done,
        };
        match done {
            None if Self::times(&record, ctx, name, rest)?.is_none() => self.others(ctx, name, rest),
            Some(()) | None => Ok(()),
        }
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Ctx<'_>) -> Result<()> {
        let (time, key) = (fired.time(), String::from_utf8_lossy(fired.key()).into_owned());
        if time % 1_000 == 777 {
            bail!("poison at {time}");
        }
        let count = ctx.seen.get()?.map(|seen| seen.count);
        if fired.timer() == TICK {
            ctx.to(SIDE).emit(format!("tick {key} {time} {}", or_none(count)));
            return Ok(());
        }
        ctx.emit(format!("soon {key} {time} {}", or_none(count)));
        let again = ctx.seen.update(|seen| {
            seen.count += 1;
            seen.last.as_deref() == Some("again")
        })?;
        if again && time % 100 != 0 {
            ctx.timers.set(SOON, time + 10)?;
        }
        Ok(())
    }

    fn migrate(state: &str, from_version: u32, value: OldValue<'_>) -> Result<Vec<u8>> {
        match (state, from_version) {
            ("seen", 1) => value.map(|count: u64| Seen { count, last: None, low: 0 }),
            _ => value.unknown(),
        }
    }
}

weir_guest::export!(Keyed);
