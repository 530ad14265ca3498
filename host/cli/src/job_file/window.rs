//! `window` of an operator: which windows its records are put into, and when these fire.

use super::model::Window;
use super::problem::{Problem, Span};
use super::section::{Located, Section};
use super::suggest;
use super::tables::EMIT;
use super::written::{duration, duration_text};
use serde_json::{Map, Value, json};
use std::time::Duration;
use weir_engine::state::{HOPS_MAX, TimeDomain, WindowKind, WindowSettings};

/// Windows are at most so long, and take late records for so long at most.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 31_557_600);

/// What is said of a window, by the kind that it is of.
const KINDS: [&str; 5] = ["tumbling", "hopping", "session", "count", "global"];
/// What only windows of some kinds have: the setting, and these.
const ONLY_OF: [(&str, &[&str]); 4] = [
    ("every", &["hopping"]),
    ("offset", &["tumbling", "hopping"]),
    ("lateness", &["tumbling", "hopping", "session"]),
    ("time", &["tumbling", "hopping", "session"]),
];
const KINDS_HINT: &str =
    "one of `tumbling = \"1h\"`, `hopping = \"1h\"` with `every = \"10m\"`, `session = \"30m\"`, `count = 100` and `global = true`";

/// What windows are called elsewhere, and what those are here.
const NAMES_ELSEWHERE: [(&str, &str); 5] = [
    ("sliding", "windows that overlap are `hopping`"),
    ("slide", "how far one window begins behind the other is `every`"),
    ("size", "how long a window is stands behind its kind"),
    ("gap", "the pause that ends a session stands behind its kind"),
    ("fixed", "windows that lie one behind the other are `tumbling`"),
];

/// Reads it, where the step has it. How many windows a key may have is among the step's limits.
pub(super) fn read(step: &Section<'_>) -> Option<Window> {
    let span = step.place("window");
    step.show("window", Value::Null);
    if let Some(text) = step.get("window").filter(|said| said.get_ref().as_str().is_some()) {
        let problem = Problem::new(text.span(), format!("`window` of {} is a table that names a kind of windows", step.name));
        step.problem(problem.hint(KINDS_HINT));
        return None;
    }
    let section = step.table("window")?;
    let span = span.unwrap_or(section.span.clone());
    let has_unknown = !section.rest().values.is_empty();
    NAMES_ELSEWHERE.iter().for_each(|(name, here)| section.misplaced(name, |_| format!("{here}; {KINDS_HINT}")));
    let kind_said = read_kind_said(&section, has_unknown);
    let settings = read_settings(&section, kind_said.as_ref().map(|kind| kind.value));
    let shown: Map<String, Value> = section.finish().into_iter().filter(|(key, _)| shows(kind_said.as_ref(), key)).collect();
    step.show("window", shown);
    Some(Window { settings: settings?, span, kind: kind_said?.span })
}

/// The kind that the section says; a problem where it says none, or several.
fn read_kind_said(section: &Section<'_>, has_unknown: bool) -> Option<Located<&'static str>> {
    let is_global = section.flag("global");
    let is_said = |kind: &&str| *kind != "global" || is_global;
    let place = |kind: &'static str| Some(Located { value: kind, span: section.place(kind)? });
    let said: Vec<_> = KINDS.into_iter().filter(is_said).filter_map(place).collect();
    match said.as_slice() {
        [one] => return Some(one.clone()),
        // A kind that is misspelt, or said wrongly, is told of as that.
        [] if has_unknown || section.get("global").is_some_and(|said| said.get_ref().as_bool().is_none()) => {}
        [] => section.problem(Problem::new(section.span.clone(), format!("{} names no kind of windows", section.name)).hint(KINDS_HINT)),
        [first, others @ ..] => {
            for other in others {
                let message = format!("{} says `{}` and `{}`", section.name, first.value, other.value);
                section.problem(Problem::new(other.span.clone(), message).hint("the windows of an operator are of one kind"));
            }
        }
    }
    None
}

/// Whether what holds for `key` says anything of windows of this kind.
fn shows(kind: Option<&Located<&'static str>>, key: &str) -> bool {
    let Some(kind) = kind else { return true };
    let only_of = ONLY_OF.iter().find(|(only, _)| *only == key);
    only_of.map_or(key == kind.value || !KINDS.contains(&key), |(_, kinds)| kinds.contains(&kind.value))
}

/// Reads everything, so that all problems are found; `None` where there are some.
fn read_settings(section: &Section<'_>, kind_said: Option<&'static str>) -> Option<WindowSettings> {
    let [tumbling, hopping, every, session] = ["tumbling", "hopping", "every", "session"].map(|key| millis(section, key));
    let (count, offset, emit) = (section.whole("count"), read_offset(section), read_emit(section));
    let lateness = section.duration_or_default("lateness");
    let lateness = whole_millis(section, "lateness", lateness);
    let time = section.choice("time", &[("event", TimeDomain::Event), ("processing", TimeDomain::Processing)]);
    let kind_said = kind_said?;
    refuse_what_does_not_go_with(section, kind_said);
    if time == TimeDomain::Processing {
        refuse_lateness_by_the_clock(section);
    }
    let kind = match kind_said {
        "tumbling" => tumbling.zip(offset).map(|(size, offset)| WindowKind::Tumbling { size, offset: offset.rem_euclid(size) }),
        "hopping" => hopping_kind(section, hopping, every).zip(offset).map(|((size, every), offset)| WindowKind::Hopping {
            size,
            every,
            offset: offset.rem_euclid(every),
        }),
        "session" => session.map(|gap| WindowKind::Session { gap }),
        "count" => count.map(|count| WindowKind::Count { records: count.value }),
        _ => Some(WindowKind::Global),
    };
    Some(WindowSettings { lateness: lateness?, emit_every: emit?, time, ..WindowSettings::new(kind?) })
}

fn refuse_what_does_not_go_with(section: &Section<'_>, kind: &'static str) {
    for (key, kinds) in ONLY_OF.into_iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
        let Some(span) = section.place(key) else { continue };
        let problem = Problem::new(span, format!("`{key}` does not go with `{kind}` in {}", section.name));
        section.problem(problem.hint(format!("leave it out: it goes with {}", suggest::list(kinds.iter().copied()))));
    }
}

fn refuse_lateness_by_the_clock(section: &Section<'_>) {
    let Some(span) = section.place("lateness") else { return };
    let message = "with `time = \"processing\"` no record is late, so there is no `lateness`";
    section.problem(Problem::new(span, message).hint("leave one of the two out"));
}

/// The size of hopping windows and the step from one to the next.
fn hopping_kind(section: &Section<'_>, size: Option<i64>, every: Option<i64>) -> Option<(i64, i64)> {
    let Some(place) = section.place("every") else {
        let message = format!("{} has no `every`", section.name);
        let problem = Problem::new(section.place("hopping").unwrap_or(section.span.clone()), message);
        section.problem(problem.hint("how far one window begins behind the other: for example `every = \"10m\"`"));
        return None;
    };
    let (size, every) = (size?, every?);
    if every > size {
        let message = "windows that begin further apart than they are long leave records out";
        section.problem(Problem::new(place, message).hint("`every` is at most what `hopping` says"));
    } else if size > every.saturating_mul(HOPS_MAX) {
        let message = format!("a record would be in more than {HOPS_MAX} windows");
        section.problem(Problem::new(place, message).hint(format!("`every` is a {HOPS_MAX}th of what `hopping` says at least")));
    } else {
        return Some((size, every));
    }
    None
}

/// A duration in ms, where it is said.
fn millis(section: &Section<'_>, key: &'static str) -> Option<i64> {
    let said = section.duration(key)?;
    whole_millis(section, key, said)
}

/// Windows are told in whole ms, and what is between them would be lost.
fn whole_millis(section: &Section<'_>, key: &'static str, said: Duration) -> Option<i64> {
    if said.subsec_nanos().is_multiple_of(1_000_000) {
        return i64::try_from(said.as_millis()).ok();
    }
    let place = section.place(key).unwrap_or(section.span.clone());
    section.problem(not_whole(section, key, place));
    None
}

fn not_whole(section: &Section<'_>, key: &str, place: Span) -> Problem {
    Problem::new(place, format!("`{key}` of {} is a whole number of milliseconds", section.name))
}

/// Where windows begin, in ms from 1970; before it with a `-` in front.
fn read_offset(section: &Section<'_>) -> Option<i64> {
    let said = section.string_or_default("offset");
    let (sign, text) = match said.value.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, said.value.as_str()),
    };
    let Some(offset) = duration(text).filter(|offset| *offset <= LONGEST) else {
        let message = format!("`offset` of {} is a duration, with a `-` in front of it where it is negative", section.name);
        section.problem(Problem::new(said.span, message).hint("for example `offset = \"-15m\"`"));
        return None;
    };
    section.show("offset", format!("{}{}", if sign < 0 { "-" } else { "" }, duration_text(offset)));
    Some(sign * whole_millis(section, "offset", offset)?)
}

/// How often windows fire before they are complete, ms; `Some(None)`: they do not.
fn read_emit(section: &Section<'_>) -> Option<Option<u64>> {
    section.show("emit", "close");
    let Some(said) = section.get("emit") else { return Some(None) };
    if said.get_ref().as_str() == Some("close") {
        return Some(None);
    }
    let Some(table) = said.get_ref().as_table() else {
        let message = format!("`emit` of {} is `\"close\"` or `{{ every = \"1m\" }}`", section.name);
        section.problem(Problem::new(said.span(), message).hint("with `every` windows fire before they are complete, too"));
        return None;
    };
    let emit = section.inner("`emit`", said.span(), table, EMIT);
    let every = emit.duration("every").and_then(|every| Some((every, whole_millis(&emit, "every", every)?)));
    if emit.place("every").is_none() && emit.rest().values.is_empty() {
        section.problem(Problem::new(emit.span.clone(), format!("{} has no `every`", emit.name)).hint("for example `every = \"1m\"`"));
    }
    emit.finish();
    let (every, ms) = every?;
    section.show("emit", json!({ "every": duration_text(every) }));
    Some(Some(ms.unsigned_abs()))
}
