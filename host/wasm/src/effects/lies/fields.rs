//! All fields of effects, taken apart without a rest: a new one does not compile until it stands here.

use super::field::{Count, Field};
use super::right::{COUNT, KEYS, SPARE_LIST, SPARE_VALUE, STATES, TIMERS};
use super::{Given, wit};

/// A key that no right effects name.
const OTHER_KEY: u32 = KEYS - 1;

/// Each field of each element, with its lies; what was given says which records pass.
pub(super) fn fields(effects: &mut wit::Effects, given: Given) -> Vec<Field<'_>> {
    let wit::Effects { outputs, values, lists, maps, broadcasts, touched, timers, metrics } = effects;
    let mut all = Vec::new();
    outputs.iter_mut().for_each(|raw| output(&mut all, raw, given));
    values.iter_mut().for_each(|raw| value(&mut all, raw));
    lists.iter_mut().for_each(|raw| list(&mut all, raw));
    maps.iter_mut().for_each(|raw| map(&mut all, raw));
    broadcasts.iter_mut().for_each(|raw| broadcast(&mut all, raw));
    touched.iter_mut().for_each(|raw| touch(&mut all, raw));
    timers.iter_mut().for_each(|raw| timer(&mut all, raw));
    metrics.iter_mut().for_each(|raw| metric(&mut all, raw));
    all
}

fn output<'a>(all: &mut Vec<Field<'a>>, raw: &'a mut wit::Output, given: Given) {
    let wit::Output { output: number, passes, cause, values, valueless, keys, keyless, headers, timestamps } = raw;
    let of = &*format!("output {number}");
    let name = |name: &str| format!("outputs.{name}");
    let (records, passing, one) = (cause.len() / 4, !passes.is_empty(), given.one());
    let other = 1 - *number;
    all.push(Field::number(of, name("output"), number, ("output", 2, other)));
    all.push(passes_of(Field::bits(of, name("passes"), passes), given));
    let made = Field::u32s(of, name("cause"), cause, "cause");
    let made = made.range(COUNT as u32, &format!("cause names {one} #, but the batch has {COUNT}"));
    let made = made.count(4, 2, Count::Leads("values", records));
    all.push(match passing {
        true => made.or("causes that fall", &[2, 0], format!("{of}: cause decreases at item 1, where records pass")),
        false => made,
    });
    all.push(Field::column(of, name("values"), values, "values").parallel(Count::Follows("values", records)));
    all.push(absent(of, name("valueless"), valueless, ["valueless", "values"]).or(
        "a record that has one",
        &[0],
        format!("{of}: record 0 is valueless, but its item in values is not empty"),
    ));
    all.push(Field::column(of, name("keys"), keys, "keys").parallel(Count::Follows("keys", records)));
    all.push(absent(of, name("keyless"), keyless, ["keyless", "keys"]).or(
        "a record that has one",
        &[1],
        format!("{of}: record 1 is keyless, but its item in keys is not empty"),
    ));
    of_headers(all, of, headers.as_mut().expect("right effects have them"), records);
    let times = Field::u64s(of, name("timestamps"), timestamps, "timestamps");
    all.push(times.count(8, 0, Count::Follows("timestamps", records)));
}

fn passes_of(field: Field<'_>, given: Given) -> Field<'_> {
    let of = field.of.clone();
    match given {
        Given::Records { .. } => field
            .bytes("a bit too many", &[0b1000], format!("{of}: passes names a record behind the last of the {COUNT} there are"))
            .bytes("a byte too many", &[1, 0], format!("{of}: passes has 2 bytes where there have to be 1 for {COUNT} records")),
        Given::Timers | Given::Windows => field.bytes(
            "what passes where nothing does",
            &[1],
            format!("{of}: passes: only records of a batch pass, and this call was given {}", given.many()),
        ),
    }
}

/// Records whose item in another column is absent.
fn absent<'a>(of: &str, name: String, raw: &'a mut Vec<u8>, [said, column]: [&str; 2]) -> Field<'a> {
    let falls = format!("{of}: {said} does not ascend");
    Field::u32s(of, name, raw, said)
        .range(2, &format!("{said} names record #, but {column} has 2 items"))
        .or("an index twice", &[1, 1], falls.clone())
        .or("indexes that fall", &[1, 0], falls)
}

fn of_headers<'a>(all: &mut Vec<Field<'a>>, of: &str, raw: &'a mut wit::HeadersResult, records: usize) {
    let wit::HeadersResult { ends, names, values } = raw;
    let name = |name: &str| format!("outputs.headers.{name}");
    let last = |last: u32| format!("{of}: headers: the last end is {last} but there are 2 headers");
    let field = Field::u32s(of, name("ends"), ends, "headers: ends").count(4, 2, Count::Follows("headers", records));
    let field = field.or("an end that falls", &[2, 1], format!("{of}: headers: the end of record 1 is smaller than the end before it"));
    all.push(field.or("an end past the names", &[1, 3], last(3)).or("names behind the last end", &[1, 1], last(1)));
    let field = Field::column(of, name("names"), names, "headers: names");
    all.push(field.items(|items| format!("headers: {items} names and 2 values")));
    let field = Field::column(of, name("values"), values, "headers: values");
    all.push(field.items(|items| format!("headers: 2 names and {items} values")));
}

/// Keys of the batch, which errors call `said`.
fn keys_of<'a>(of: &str, name: String, raw: &'a mut Vec<u8>, said: [&str; 2]) -> Field<'a> {
    let [said, named] = said;
    Field::u32s(of, name, raw, said).range(KEYS, &format!("{named} names key #, but the batch has {KEYS}"))
}

/// The keys and the items of a part of an update.
fn keyed<'a>(of: &str, list: &str, part: &str, raw: &'a mut wit::KeyedColumnResult) -> [Field<'a>; 2] {
    let wit::KeyedColumnResult { keys, items } = raw;
    let (keyed, held) = (keys.len() / 4, items.ends.len() / 4);
    let field = keys_of(of, format!("{list}.{part}.keys"), keys, [&format!("{part}: keys"), part]);
    let items = Field::column(of, format!("{list}.{part}.items"), items, part);
    [field.count(4, OTHER_KEY, Count::Leads(part, held)), items.parallel(Count::Follows(part, keyed))]
}

/// The number of a state that is updated as of this kind, which `spare` is not.
fn state<'a>(of: &str, name: &str, state: &'a mut u32, (other, spare, kinds): (u32, u32, [&str; 2])) -> Field<'a> {
    let [kind, declared] = kinds;
    let expect = format!("state {spare}: \"s{spare}\" is updated as a {kind}, but declared as a {declared}");
    Field::number(of, format!("{name}.state"), state, ("state", STATES, other)).wrong_kind(spare, expect)
}

fn value<'a>(all: &mut Vec<Field<'a>>, raw: &'a mut wit::ValueUpdate) {
    let wit::ValueUpdate { state: number, cleared, set } = raw;
    let of = &*format!("state {number}");
    let twice = |key: u32| format!("{of}: key {key} is named twice");
    let other = 1 - *number;
    all.push(state(of, "values", number, (other, SPARE_LIST, ["Value", "List"])));
    let field = keys_of(of, "values.cleared".into(), cleared, ["cleared", "cleared"]);
    all.push(field.or("a key twice", &[1, 1], twice(1)).or("a key that is set", &[2], twice(2)));
    let [keys, items] = keyed(of, "values", "set", set);
    all.extend([keys.or("a key twice", &[0, 0], twice(0)), items]);
}

/// The keys of a part of a list's update, and their numbers.
fn key_counts<'a>(of: &str, part: &str, raw: &'a mut wit::KeyCounts) -> [Field<'a>; 2] {
    let wit::KeyCounts { keys, counts } = raw;
    let (keyed, counted) = (keys.len() / 4, counts.len() / 8);
    let field = keys_of(of, format!("lists.{part}.keys"), keys, [&format!("{part}: keys"), part]);
    let field = field.or("a key twice", &[1, 1], format!("{of}: {part} names key 1 twice"));
    let counts = Field::u64s(of, format!("lists.{part}.counts"), counts, &format!("{part}: counts"));
    [field.count(4, OTHER_KEY, Count::Leads(part, counted)), counts.count(8, 0, Count::Follows(part, keyed))]
}

fn list<'a>(all: &mut Vec<Field<'a>>, raw: &'a mut wit::ListUpdate) {
    let wit::ListUpdate { state: number, cleared, popped, truncated, append } = raw;
    let of = &*format!("state {number}");
    let other = 5 - *number;
    all.push(state(of, "lists", number, (other, SPARE_VALUE, ["List", "Value"])));
    all.push(keys_of(of, "lists.cleared".into(), cleared, ["cleared", "cleared"]));
    all.extend(key_counts(of, "popped", popped));
    all.extend(key_counts(of, "truncated", truncated));
    all.extend(keyed(of, "lists", "append", append));
}

fn map<'a>(all: &mut Vec<Field<'a>>, raw: &'a mut wit::MapUpdate) {
    let wit::MapUpdate { state: number, cleared, removed, put, values } = raw;
    let of = &*format!("state {number}");
    let twice = |key: u32, entry: &str| format!("{of}: an entry of key {key} is named twice: {entry}");
    let (other, entries) = (9 - *number, put.keys.len() / 4);
    all.push(state(of, "maps", number, (other, SPARE_VALUE, ["Map", "Value"])));
    all.push(keys_of(of, "maps.cleared".into(), cleared, ["cleared", "cleared"]));
    let [keys, items] = keyed(of, "maps", "removed", removed);
    all.extend([keys.or("a key whose entry is put", &[1], twice(1, "e")), items.again(&["f"], twice(0, "f"))]);
    let [keys, items] = keyed(of, "maps", "put", put);
    all.extend([keys.or("a key whose entry is removed", &[0, 0], twice(0, "e")), items.again(&["e", "e"], twice(0, "e"))]);
    all.push(Field::column(of, "maps.values".into(), values, "values").parallel(Count::Follows("values", entries)));
}

fn broadcast<'a>(all: &mut Vec<Field<'a>>, raw: &'a mut wit::BroadcastUpdate) {
    let wit::BroadcastUpdate { state: number, cleared: _, removed, put, values } = raw;
    let of = &*format!("state {number}");
    let (other, entries, valued) = (13 - *number, put.ends.len() / 4, values.ends.len() / 4);
    let twice = || format!("{of}: an entry is named twice: b");
    all.push(state(of, "broadcasts", number, (other, SPARE_VALUE, ["Broadcast", "Value"])));
    all.push(Field::free(of, "broadcasts.cleared".into()));
    all.push(Field::column(of, "broadcasts.removed".into(), removed, "removed").again(&["b"], twice()));
    let field = Field::column(of, "broadcasts.put".into(), put, "put").again(&["b", "b"], twice());
    all.push(field.parallel(Count::Leads("values", valued)));
    all.push(Field::column(of, "broadcasts.values".into(), values, "values").parallel(Count::Follows("values", entries)));
}

fn touch<'a>(all: &mut Vec<Field<'a>>, raw: &'a mut wit::Touch) {
    let wit::Touch { state: number, keys } = raw;
    let of = &*format!("touched state {number}");
    let other = 17 - *number;
    let field = Field::number(of, "touched.state".into(), number, ("touched state", STATES, other));
    let expect = format!("touched state {SPARE_VALUE}: \"s{SPARE_VALUE}\" has no time to live that counts from its last read");
    all.push(field.wrong_kind(SPARE_VALUE, expect));
    let field = keys_of(of, "touched.keys".into(), keys, ["keys", "touched"]);
    all.push(field.or("a key twice", &[1, 1], format!("{of}: key 1 is named twice")));
}

/// The keys of timers that are set or deleted, and their times.
fn key_times<'a>(of: &str, part: &str, raw: &'a mut wit::Timers) -> [Field<'a>; 2] {
    let wit::Timers { keys, times } = raw;
    let (keyed, timed) = (keys.len() / 4, times.len() / 8);
    let field = keys_of(of, format!("timers.{part}.keys"), keys, [&format!("{part}: keys"), part]);
    let times = Field::u64s(of, format!("timers.{part}.times"), times, &format!("{part}: times"));
    [field.count(4, OTHER_KEY, Count::Leads(part, timed)), times.count(8, 0, Count::Follows(part, keyed))]
}

fn timer<'a>(all: &mut Vec<Field<'a>>, raw: &'a mut wit::TimerUpdate) {
    let wit::TimerUpdate { timer: number, set, deleted } = raw;
    let of = &*format!("timer {number}");
    let both = |key: u32, time: i64| format!("{of}: key {key} at {time} is both set and deleted");
    let other = 1 - *number;
    all.push(Field::number(of, "timers.timer".into(), number, ("timer", TIMERS, other)));
    let [keys, times] = key_times(of, "set", set);
    all.extend([keys.or("a timer that is deleted", &[1, 1], both(1, 7)), times.or_times("one that is deleted", &[7, 7], both(1, 7))]);
    let [keys, times] = key_times(of, "deleted", deleted);
    all.extend([keys.or("a timer that is set", &[0, 0], both(0, 7)), times.or_times("one that is set", &[5, -1], both(1, 5))]);
}

fn metric<'a>(all: &mut Vec<Field<'a>>, raw: &'a mut wit::Metric) {
    let wit::Metric { name, delta: _ } = raw;
    let of = &*format!("metric {name}");
    let lies = [("no name", String::new()), ("a name with a space", "a b".into()), ("a long name", "n".repeat(65))];
    all.push(Field::text(of, "metrics.name".into(), name, &lies));
    all.push(Field::free(of, "metrics.delta".into()));
}
