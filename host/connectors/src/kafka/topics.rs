//! Which topics a source reads.

use crate::settings::table::{Fallback, Kind, Setting};

/// The table that `topics` may be.
pub(super) const PATTERN: &[Setting] = &[Setting::new("pattern", Kind::Text, Fallback::Required("\"orders-*\""), "")];

/// Which topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topics {
    /// These.
    Named(Vec<String>),
    /// Those whose names match, now or later.
    Matching(String),
}

impl Topics {
    /// True of what a topic can be called.
    pub(super) fn is_name(name: &str) -> bool {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.bytes().all(of_name)
    }

    /// True of a pattern that a topic's name can match.
    pub(super) fn is_pattern(pattern: &str) -> bool {
        Self::is_name(&pattern.replace('*', "x"))
    }

    /// True where this topic is one of them. Those of the brokers themselves match no pattern.
    pub(super) fn has(&self, topic: &str) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|name| name == topic),
            Self::Matching(pattern) => !topic.starts_with("__") && matches(pattern.as_bytes(), topic.as_bytes()),
        }
    }

    /// As messages call them.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Named(names) => names.join(", "),
            Self::Matching(pattern) => pattern.clone(),
        }
    }
}

/// `*` stands for any text. The newest star that has been passed takes one more byte wherever the rest does not fit.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star = None;
    while read < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(byte) if *byte == name[read] => (at, read) = (at + 1, read + 1),
            _ => match star {
                None => return false,
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, read) = (place + 1, taken + 1);
                }
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_for_none() {
        for (pattern, topic, expect) in [
            ("orders-*", "orders-eu", true),
            ("orders-*", "orders-", true),
            ("orders-*", "orders", false),
            ("*", "a", true),
            ("*-eu", "orders-eu-eu", true),
            ("*-eu", "orders-eu-us", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**", "a", true),
            ("orders", "orders", true),
            ("orders", "orders-eu", false),
            ("", "a", false),
            ("*", "__consumer_offsets", false),
            ("__*", "__consumer_offsets", false),
        ] {
            assert_eq!(Topics::Matching(pattern.into()).has(topic), expect, "{pattern} {topic}");
        }
    }

    #[test]
    fn a_pattern_is_a_name_with_stars() {
        assert!(["*", "a-*", "*.b_*", "a"].iter().all(|pattern| Topics::is_pattern(pattern)));
        assert!(!["", "[", "a-[0-9]", "a ?", "ä*"].iter().any(|pattern| Topics::is_pattern(pattern)));
    }

    #[test]
    fn a_name_is_what_brokers_take_as_one() {
        assert!(["a", "A.b_c-9", &"x".repeat(249)].iter().all(|name| Topics::is_name(name)));
        assert!(!["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)].iter().any(|name| Topics::is_name(name)));
    }
}
