//! Differences between two states, for people.

use crate::documents::{LookedInto, StateDiffDocument, StateDiffRow, StateDifferencesDocument};
use crate::figures::grouped;
use serde_json::value::RawValue;

/// Characters of a value that are shown.
const SHOWN_CHARS: usize = 100;
/// Of what two long values have in common in front of their difference, so many characters are shown.
const COMMON_CHARS: usize = 20;

/// What is compared with what.
pub(super) fn heading(before: &LookedInto, after: &LookedInto) -> String {
    let (was, is) = (before.place(), after.place());
    match before.job == after.job {
        true => format!("state of {} from {was} to {is}", after.job),
        false => format!("state of two jobs, from {} in {was} to {} in {is}", before.job, after.job),
    }
}

/// Counts of every state, with its first differences.
pub(super) fn text(document: &StateDiffDocument) -> String {
    let StateDiffDocument { schema: _, before, after, operators } = document;
    let mut text = format!("{}\n", heading(before, after));
    for operator in operators.iter().filter(|operator| !operator.states.is_empty()) {
        text.push_str(&format!("  {}\n", operator.id));
        for StateDifferencesDocument { name, added, removed, changed, unchanged, examples } in &operator.states {
            let [all_added, all_removed, all_changed, same] = [added, removed, changed, unchanged].map(|count| grouped(*count));
            text.push_str(&format!("    {name}: {all_added} added, {all_removed} removed, {all_changed} changed, {same} unchanged\n"));
            examples.iter().for_each(|row| text.push_str(&format!("      {}\n", example(row))));
            let more = (added + removed + changed).saturating_sub(examples.len() as u64);
            if more > 0 && !examples.is_empty() {
                text.push_str(&format!("      and {} more\n", grouped(more)));
            }
        }
    }
    text
}

/// `+` a key with what it has, `-` one with what it had, or `~` one with both.
fn example(row: &StateDiffRow) -> String {
    let key = row.key.as_deref().or(row.entry.as_deref().map(|entry| entry.get())).unwrap_or_default();
    let window = row.window.as_deref().map(|window| format!(" in {}", window.get().trim_matches('"'))).unwrap_or_default();
    let key = format!("{key}{window}");
    let problem = row.problem.as_ref().map(|what| format!("  ({what})")).unwrap_or_default();
    match (row.before.as_deref().map(RawValue::get), row.after.as_deref().map(RawValue::get)) {
        (Some(was), Some(is)) => {
            let skipped = common_to_skip(was, is);
            format!("~ {key}  {} → {}{problem}", shortened(was, skipped), shortened(is, skipped))
        }
        (Some(was), None) => format!("- {key}  {}{problem}", shortened(was, 0)),
        (None, is) => format!("+ {key}  {}{problem}", shortened(is.unwrap_or_default(), 0)),
    }
}

/// How many characters of what two values have in common at their beginnings are left out: of long values all but the last.
fn common_to_skip(was: &str, is: &str) -> usize {
    let is_long = |text: &str| text.chars().nth(SHOWN_CHARS).is_some();
    let common = was.chars().zip(is.chars()).take_while(|(was, is)| was == is).count();
    if is_long(was) || is_long(is) { common.saturating_sub(COMMON_CHARS) } else { 0 }
}

/// The text behind its first `skipped` characters, as far as it is shown.
fn shortened(text: &str, skipped: usize) -> String {
    let shown: String = text.chars().skip(skipped).take(SHOWN_CHARS).collect();
    let has_more = text.chars().nth(skipped + SHOWN_CHARS).is_some();
    format!("{}{shown}{}", if skipped > 0 { "…" } else { "" }, if has_more { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::super::select::raw;
    use super::*;

    #[track_caller]
    fn check(before: Option<&str>, after: Option<&str>, expect: &str) {
        let json = |json: &str| raw(json.to_owned());
        let (before, after) = (before.map(json), after.map(json));
        let (operator, state, key) = ("op".to_owned(), "s".to_owned(), Some("k".to_owned()));
        assert_eq!(
            example(&StateDiffRow { operator, state, change: "", key, window: None, entry: None, before, after, problem: None }),
            expect
        );
    }

    #[test]
    fn an_example_shows_where_values_differ() {
        check(None, Some("1"), "+ k  1");
        check(Some("1"), None, "- k  1");
        check(Some("1"), Some("[2]"), "~ k  1 → [2]");
        let digits = |count| "9".repeat(count);
        check(None, Some(&digits(101)), &format!("+ k  {}…", digits(100)));
        check(Some(&digits(99)), Some(&digits(100)), &format!("~ k  {} → {}", digits(99), digits(100)));
        let (was, is) = (format!("{}1", digits(200)), format!("{}12", digits(200)));
        check(Some(&was), Some(&is), &format!("~ k  …{0}1 → …{0}12", digits(19)));
    }

    #[test]
    fn a_broadcast_entry_stands_in_the_place_of_a_key() {
        let (operator, state, entry) = ("op".to_owned(), "s".to_owned(), Some(raw("\"on\"".into())));
        let row = StateDiffRow {
            operator,
            state,
            change: "added",
            key: None,
            window: None,
            entry,
            before: None,
            after: Some(raw("7".into())),
            problem: Some("why".into()),
        };
        assert_eq!(example(&row), "+ \"on\"  7  (why)");
    }

    #[test]
    fn a_key_in_a_window_is_told_with_it() {
        let (operator, state, key) = ("op".to_owned(), "s".to_owned(), Some("k".to_owned()));
        let window = Some(raw("\"2013-01-01T10:00:00.000Z\"".into()));
        let row = StateDiffRow {
            operator,
            state,
            change: "removed",
            key,
            window,
            entry: None,
            before: Some(raw("7".into())),
            after: None,
            problem: None,
        };
        assert_eq!(example(&row), "- k in 2013-01-01T10:00:00.000Z  7");
    }

    #[test]
    fn a_heading_says_what_is_compared_and_names_both_jobs_where_there_are_two() {
        let of =
            |job: &str, savepoint: Option<&str>| LookedInto { job: job.into(), checkpoint: 4, savepoint: savepoint.map(str::to_owned) };
        let later = LookedInto { checkpoint: 5, ..of("a", None) };
        assert_eq!(heading(&of("a", None), &later), "state of a from checkpoint 4 to checkpoint 5");
        assert_eq!(heading(&of("a", Some("file:/s")), &later), "state of a from savepoint file:/s (checkpoint 4) to checkpoint 5");
        assert_eq!(heading(&of("b", None), &later), "state of two jobs, from b in checkpoint 4 to a in checkpoint 5");
    }
}
