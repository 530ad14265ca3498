//! The values that were read as secrets in this process, and what is shown in their place.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// Bytes of the shortest value that is looked for in what is shown: a shorter one is part of too many words to be taken out of them.
pub const SHORTEST: usize = 4;
/// Values that are remembered of one secret, which may be replaced for ever: the newest.
const MOST: usize = 64;
/// Bytes of the shortest line of a secret of several that is looked for alone, as that of a private key.
const SHORTEST_LINE: usize = 16;

/// Set once there is something to look for.
static ANY: AtomicBool = AtomicBool::new(false);
static KNOWN: RwLock<Vec<Known>> = RwLock::new(Vec::new());

/// A value as it may stand in a text, and what is shown for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    value: String,
    shown: String,
}

/// From now on `shown` is shown where `value` would be.
pub(crate) fn remember(value: &str, shown: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    add(&mut known, value, shown);
    ANY.store(!known.is_empty(), Ordering::Release);
}

fn add(known: &mut Vec<Known>, value: &str, shown: &str) {
    let escaped = |text: String| (text != value).then_some(text);
    let json = serde_json::Value::from(value).to_string();
    let debug = format!("{value:?}");
    // As JSON and Rust's own way of quoting write it.
    let inside = |quoted: &str| escaped(quoted[1..quoted.len() - 1].to_owned());
    let forms = [Some(value.to_owned()), inside(&json), inside(&debug)];
    let lines = value.lines().filter(|line| line.len() >= SHORTEST_LINE && *line != value).take(MOST / 2).map(str::to_owned);
    for value in forms.into_iter().flatten().chain(lines).filter(|value| value.len() >= SHORTEST) {
        // Read again it counts as new.
        known.retain(|one| one.value != value);
        known.push(Known { value, shown: shown.to_owned() });
    }
    let mut too_many = known.iter().filter(|one| one.shown == shown).count().saturating_sub(MOST);
    known.retain(|one| {
        let is_old = one.shown == shown && too_many > 0;
        too_many -= usize::from(is_old);
        !is_old
    });
}

/// `text` with what was written in the job file in place of every secret.
pub fn redacted(text: &str) -> Cow<'_, str> {
    if !ANY.load(Ordering::Acquire) {
        return Cow::Borrowed(text);
    }
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    without(text, &known)
}

/// Where several meet, one within another or over its end, all of the text that any of them takes up is taken out, for the one that begins first.
fn without<'a>(text: &'a str, known: &[Known]) -> Cow<'a, str> {
    let all = known.iter().flat_map(|known| overlapping(text, &known.value).map(move |start| (start, start + known.value.len(), known)));
    let mut found: Vec<(usize, usize, &Known)> = all.collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (start, end, known) in found {
        if start >= done {
            out.push_str(&text[done..start]);
            out.push_str(&known.shown);
        }
        done = done.max(end);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Where `value` begins in `text`, also within itself.
fn overlapping(text: &str, value: &str) -> impl Iterator<Item = usize> {
    let step = value.chars().next().map_or(1, char::len_utf8);
    let next = move |from: &usize| text.get(*from + step..).and_then(|rest| rest.find(value)).map(|at| from + step + at);
    std::iter::successors(text.find(value), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_secrets_the_longer_one_is_taken_out_first() {
        let known = |value: &str, shown: &str| Known { value: value.into(), shown: shown.into() };
        let all = [known("pass", "${A}"), known("password", "${B}")];
        assert_eq!(without("the password and the pass", &all), "the ${B} and the ${A}");
        assert!(matches!(without("nothing", &all), Cow::Borrowed(_)));
        let meeting = [known("abcd", "${A}"), known("SECRETyy", "${B}"), known("zzabcdSECR", "${AB}"), known("xyxy", "${X}")];
        assert_eq!(without("-zzabcdSECRETyy-xyxyxy-", &meeting), "-${AB}-${X}-", "nothing is left of one behind another");
    }

    #[test]
    fn a_secret_is_taken_out_as_it_is_and_as_it_is_quoted() {
        remember("ab\"c\nd-known", "${QUOTED}");
        assert_eq!(redacted("it was ab\"c\nd-known!"), "it was ${QUOTED}!");
        assert_eq!(redacted(&format!("{:?}", "ab\"c\nd-known")), "\"${QUOTED}\"");
        assert_eq!(redacted(&serde_json::json!(["ab\"c\nd-known"]).to_string()), "[\"${QUOTED}\"]");
        remember("it's\u{1}\u{200b}known-to-us", "${ODD}");
        assert_eq!(redacted(&format!("{:?}", "it's\u{1}\u{200b}known-to-us")), "\"${ODD}\"");
        remember("abc", "${SHORT}");
        assert_eq!(redacted("abc"), "abc", "too short to be looked for");
    }

    #[test]
    fn of_a_secret_that_is_replaced_for_ever_the_newest_values_are_known() {
        let mut known = Vec::new();
        add(&mut known, "another-value", "${OTHER}");
        (0..MOST + 10).for_each(|number| add(&mut known, &format!("rotated-{number:05}"), "${ROTATED}"));
        assert_eq!(without(&format!("rotated-{:05}", MOST + 9), &known), "${ROTATED}");
        assert_eq!(without("another-value rotated-00000", &known), "${OTHER} rotated-00000");
        assert_eq!(known.len(), MOST + 1);
        add(&mut known, &format!("-----BEGIN KEY-----\n{}\nshort\n", "QUJD".repeat(16)), "{ file = \"/k\" }");
        assert_eq!(without(&format!("line 2, {}, is no key", "QUJD".repeat(16)), &known), "line 2, { file = \"/k\" }, is no key");
    }
}
