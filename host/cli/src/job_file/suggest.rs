//! "Did you mean …": the nearest of the words that would have been right.

/// The nearest of `known` to `word`, where one is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('_', "-");
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase().replace('_', "-"));
    let (distance, best) = known.into_iter().map(|candidate| (distance(candidate), candidate)).min_by_key(|&(distance, _)| distance)?;
    (distance * 3 <= best.chars().count().max(3)).then_some(best)
}

/// A hint for `word` where one of `known` was expected: the nearest, else all of them.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(best) => format!("did you mean `{best}`?"),
        None if known.is_empty() => "there are none".into(),
        None => format!("there are: {}", list(known)),
    }
}

/// Words in backquotes, with commas.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["parallelism", "max-parallelism", "name"];
        assert_eq!(nearest("paralelism", known), Some("parallelism"));
        assert_eq!(nearest("max_parallelism", known), Some("max-parallelism"));
        assert_eq!(nearest("Name", known), Some("name"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(hint("colour", ["a", "b"]), "there are: `a`, `b`");
    }
}
