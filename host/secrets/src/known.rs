//! The values that were read as secrets in this process, and what is shown in their place.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// Bytes of the shortest value that is looked for in what is shown: a shorter one is part of too many words to be taken out of them.
pub const SHORTEST: usize = 4;
/// Values that are remembered: of a secret that is replaced for ever the newest.
const MOST: usize = 256;

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
    // As JSON and Rust's own way of quoting write it.
    let forms = [Some(value.to_owned()), escaped(json[1..json.len() - 1].to_owned()), escaped(value.escape_debug().to_string())];
    for value in forms.into_iter().flatten().filter(|value| value.len() >= SHORTEST) {
        if known.iter().all(|one| one.value != value) {
            known.push(Known { value, shown: shown.to_owned() });
        }
    }
    let too_many = known.len().saturating_sub(MOST);
    known.drain(..too_many);
}

/// `text` with what was written in the job file in place of every secret.
pub fn redacted(text: &str) -> Cow<'_, str> {
    if !ANY.load(Ordering::Acquire) {
        return Cow::Borrowed(text);
    }
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    without(text, &known)
}

/// The longest first: one may be part of another.
fn without<'a>(text: &'a str, known: &[Known]) -> Cow<'a, str> {
    let mut found: Vec<&Known> = known.iter().filter(|known| text.contains(&known.value)).collect();
    found.sort_by_key(|known| std::cmp::Reverse(known.value.len()));
    found.iter().fold(Cow::Borrowed(text), |text, Known { value, shown }| Cow::Owned(text.replace(value, shown)))
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
    }

    #[test]
    fn a_secret_is_taken_out_as_it_is_and_as_it_is_quoted() {
        remember("ab\"c\nd-known", "${QUOTED}");
        assert_eq!(redacted("it was ab\"c\nd-known!"), "it was ${QUOTED}!");
        assert_eq!(redacted(&format!("{:?}", "ab\"c\nd-known")), "\"${QUOTED}\"");
        assert_eq!(redacted(&serde_json::json!(["ab\"c\nd-known"]).to_string()), "[\"${QUOTED}\"]");
        remember("abc", "${SHORT}");
        assert_eq!(redacted("abc"), "abc", "too short to be looked for");
    }

    #[test]
    fn of_a_secret_that_is_replaced_for_ever_the_newest_values_are_known() {
        let mut known = Vec::new();
        (0..MOST + 10).for_each(|number| add(&mut known, &format!("rotated-{number:05}"), "${ROTATED}"));
        assert_eq!(without(&format!("rotated-{:05}", MOST + 9), &known), "${ROTATED}");
        assert_eq!(known.len(), MOST);
    }
}
