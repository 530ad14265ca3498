//! Lines in, words out: each word is the key of a record with an empty value.
//!
//! A word is a maximal run of Unicode letters and digits, lower-cased. There is no state, so the input needs no key; what follows
//! counts the words behind an edge with `by = "key"`.

use weir_guest::prelude::*;

/// The operator.
pub struct Split;

impl Operator for Split {
    const NAME: &'static str = "word-count-split";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        for word in words(record.text()?) {
            ctx.emit_keyed(Some(word.to_lowercase().as_bytes()), "");
        }
        Ok(())
    }
}

weir_guest::export!(Split);

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing::{TestHost, TestRecord, assert_cuts_agree};

    #[track_caller]
    fn check(line: &str, expect: &[&str]) {
        let mut host = TestHost::<Split>::open("{}").expect("opens");
        host.send(&[TestRecord::new(line).at(3)]).expect("splits");
        let expect: Vec<_> = expect.iter().map(|word| TestRecord::new("").key(word).at(3)).collect();
        assert_eq!(host.emitted(), expect, "{line}");
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        check("The battle-field, 1863!", &["the", "battle", "field", "1863"]);
        check("Ünïcode ΣΊΣΥΦΟΣ 東京42", &["ünïcode", "σίσυφος", "東京42"]);
        check("don't", &["don", "t"]);
        check("  -- ", &[]);
        check("", &[]);
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_named() {
        let mut host = TestHost::<Split>::open("{}").expect("opens");
        let failure = host.send(&[TestRecord::new("a"), TestRecord::new(b"\xff")]).expect_err("not UTF-8");
        assert_eq!(failure.record, Some(1));
    }

    #[test]
    fn cuts_change_nothing() {
        let lines: Vec<_> = (0..100).map(|n| (0, TestRecord::new(format!("a b{n} c")))).collect();
        assert_cuts_agree::<Split>("{}", &Setup::default(), &lines, 1);
    }
}
