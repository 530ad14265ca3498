//! Words in, as keys; after each the word and how often it has come: `{"word":"a","count":1}`.
//!
//! The state is a serde type: kept as CBOR and described to the host, so that other languages and later versions can read it.

use weir_guest::prelude::*;

/// The state of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, StateType)]
pub struct Occurrences {
    count: u64,
}

/// The states.
#[derive(States)]
pub struct Words {
    occurrences: ValueState<Occurrences>,
}

/// What is emitted.
#[derive(Serialize)]
struct Line<'a> {
    word: &'a str,
    count: u64,
}

/// The operator.
pub struct Count;

impl Operator for Count {
    const NAME: &'static str = "word-count-count";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = Words;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(key) = record.key() else { bail!("a word is the key of its record, and this record has none") };
        let word = std::str::from_utf8(key)?;
        let count = ctx.occurrences.update(|word| {
            word.count += 1;
            word.count
        })?;
        ctx.emit_json(&Line { word, count })
    }
}

weir_guest::export!(Count);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing::{TestHost, TestRecord, assert_cuts_agree};

    fn word(word: &str) -> TestRecord {
        TestRecord::new("").key(word)
    }

    #[test]
    fn each_word_is_counted_for_itself() {
        let mut host = TestHost::<Count>::open("{}").expect("opens");
        host.send(&[word("a"), word("the"), word("a")]).expect("counts");
        host.send(&[word("a")]).expect("counts");
        let lines: Vec<_> = host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value)).collect();
        let expect = [r#"{"word":"a","count":1}"#, r#"{"word":"the","count":1}"#, r#"{"word":"a","count":2}"#, r#"{"word":"a","count":3}"#];
        assert_eq!(lines, expect);
        assert_eq!(host.value_as("occurrences", "a"), Some(Occurrences { count: 3 }));
    }

    #[test]
    fn the_state_is_described() {
        assert_eq!(weir_guest::state::Schema::of::<Occurrences>(), "Occurrences{count:u64}");
    }

    #[test]
    fn cuts_change_nothing() {
        let words: Vec<_> = (0..300).map(|n: u32| (0, word(["a", "b", "c"][(n * n % 7 % 3) as usize]))).collect();
        assert_cuts_agree::<Count>("{}", &Setup::default(), &words, 1);
    }
}
