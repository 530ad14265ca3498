//! The pattern of a path: `?`, `*`, `[a-z]` and `[!a-z]` within a name, and `**` for any number of folders, none too.
//!
//! Names are compared character by character. A byte of a name that belongs to no character is one place that no pattern spells out: `*`, `?`
//! and `[!…]` match it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// A character of a name; `None`: a byte that is part of none.
type Sign = Option<char>;

/// Whether `*`, `?`, `[…]` and `**` match a name that begins with a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// As other names.
    Match,
    /// Only a dot in the pattern does.
    Stay,
}

/// A pattern, folder by folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// True where it begins at the root of the file system.
    pub absolute: bool,
    pub components: Vec<Component>,
    pub hidden: Hidden,
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    /// This name; `..` is the folder above.
    Name(OsString),
    /// Names that fit.
    Fitting(Vec<Token>),
    /// `**`: any number of folders. At the end of a pattern: all files below.
    AnyDepth,
}

/// A piece of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// `?`
    AnyChar,
    /// `*`
    AnySequence,
    /// `[…]`, `[!…]`: one character inside of these ranges, or outside of all.
    Set { inside: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// Understands a glob; else says why it is none.
    pub(crate) fn parse(text: &str, hidden: Hidden) -> Result<Self, String> {
        if text.ends_with('/') {
            return Err("it ends in `/`, and a folder is no file".into());
        }
        let mut components = Vec::new();
        for part in parts(text) {
            let component = Component::parse(part)?;
            if component != Component::AnyDepth || components.last() != Some(&Component::AnyDepth) {
                components.push(component);
            }
        }
        Ok(Self { absolute: text.starts_with('/'), components, hidden })
    }

    /// The path itself, whatever signs it has in it.
    pub(crate) fn literal(text: &str) -> Self {
        let components = parts(text).map(|part| Component::Name(part.into())).collect();
        Self { absolute: text.starts_with('/'), components, hidden: Hidden::Stay }
    }

    /// True where it can match one path only.
    pub(crate) fn is_literal(&self) -> bool {
        self.components.iter().all(|component| matches!(component, Component::Name(_)))
    }

    /// True where nothing but a dot in the pattern matches this name's.
    pub(super) fn leaves_out(&self, name: &OsStr) -> bool {
        self.hidden == Hidden::Stay && name.as_bytes().starts_with(b".")
    }

    /// True where `tokens` fit the whole name.
    pub(super) fn fits(&self, tokens: &[Token], name: &OsStr) -> bool {
        if self.leaves_out(name) && tokens.first() != Some(&Token::Char('.')) {
            return false;
        }
        let characters: Vec<Sign> = name.as_bytes().utf8_chunks().flat_map(characters).collect();
        fit(tokens, &characters)
    }
}

/// The names between the slashes, without those that change nothing.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|part| !part.is_empty() && *part != ".")
}

fn characters(chunk: std::str::Utf8Chunk<'_>) -> impl Iterator<Item = Sign> {
    chunk.valid().chars().map(Some).chain(chunk.invalid().iter().map(|_| None))
}

/// Goes back to the last `*` where a character does not fit, which is enough: what an earlier one could take, the last one can.
fn fit(tokens: &[Token], name: &[Sign]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut last_star = None;
    while at < name.len() {
        match tokens.get(token) {
            Some(Token::AnySequence) => {
                last_star = Some((token, at));
                token += 1;
            }
            Some(one) if one.fits(name[at]) => {
                token += 1;
                at += 1;
            }
            Some(_) | None => {
                let Some((star, taken)) = last_star else { return false };
                last_star = Some((star, taken + 1));
                (token, at) = (star + 1, taken + 1);
            }
        }
    }
    tokens[token..].iter().all(|token| *token == Token::AnySequence)
}

impl Token {
    /// The one character that it stands for, or one at the end of each of its ranges.
    pub(super) fn itself(&self) -> Vec<char> {
        match self {
            Self::Char(own) => vec![*own],
            Self::AnyChar | Self::AnySequence => Vec::new(),
            Self::Set { ranges, .. } => ranges.iter().map(|&(first, _)| first).collect(),
        }
    }

    /// True where it takes this one character, or a byte that is part of none.
    pub(super) fn fits(&self, character: Sign) -> bool {
        let is_in = |&(first, last): &(char, char)| character.is_some_and(|character| (first..=last).contains(&character));
        match self {
            Self::Char(own) => Some(*own) == character,
            Self::AnyChar | Self::AnySequence => true,
            Self::Set { inside, ranges } => ranges.iter().any(is_in) == *inside,
        }
    }
}

impl Component {
    fn parse(part: &str) -> Result<Self, String> {
        if part == "**" {
            return Ok(Self::AnyDepth);
        }
        if part.contains("**") {
            return Err(format!("`**` stands for folders and has to stand alone between slashes, not as in `{part}`"));
        }
        let characters: Vec<char> = part.chars().collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < characters.len() {
            let (token, next) = match characters[at] {
                '?' => (Token::AnyChar, at + 1),
                '*' => (Token::AnySequence, at + 1),
                '[' => set(&characters, at).ok_or_else(|| format!("the `[` of `{part}` has no `]`; as a sign of the name it is `[[]`"))?,
                other => (Token::Char(other), at + 1),
            };
            tokens.push(token);
            at = next;
        }
        let only_characters = tokens.iter().all(|token| matches!(token, Token::Char(_)));
        Ok(if only_characters { Self::Name(part.into()) } else { Self::Fitting(tokens) })
    }
}

/// The set that begins at `open`, and where the pattern goes on. A `]` right behind the beginning belongs to the set.
fn set(characters: &[char], open: usize) -> Option<(Token, usize)> {
    let inside = characters.get(open + 1) != Some(&'!');
    let first = if inside { open + 1 } else { open + 2 };
    let close = first + 1 + characters.get(first + 1..)?.iter().position(|&c| c == ']')?;
    let mut ranges = Vec::new();
    let mut rest = &characters[first..close];
    while let Some((&from, others)) = rest.split_first() {
        match others {
            ['-', to, after @ ..] => {
                ranges.push((from, *to));
                rest = after;
            }
            _ => {
                ranges.push((from, from));
                rest = others;
            }
        }
    }
    Some((Token::Set { inside, ranges }, close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &[u8]) -> bool {
        let parsed = Pattern::parse(pattern, Hidden::Stay).unwrap();
        match &parsed.components[0] {
            Component::Name(own) => own.as_bytes() == name,
            Component::Fitting(tokens) => parsed.fits(tokens, OsStr::from_bytes(name)),
            Component::AnyDepth => panic!("`**` fits no name"),
        }
    }

    #[test]
    fn a_name_fits_as_the_crate_glob_has_it() {
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
        let mut rng = fastrand::Rng::with_seed(7);
        let draw = |rng: &mut fastrand::Rng, signs: &[&str], most: usize| -> String {
            (0..rng.usize(1..most)).map(|_| signs[rng.usize(0..signs.len())]).collect()
        };
        let mut compared = 0;
        for _ in 0..60_000 {
            let pattern = draw(&mut rng, &["a", "b", "ä", "?", "*", "[ab]", "[!a]", "[a-c]", "[]a]", "[!]]", "[b-]", ".", "-", "]"], 6);
            let name = draw(&mut rng, &["a", "b", "ä", "c", "]", "-", "."], 6);
            let Ok(theirs) = glob::Pattern::new(&pattern) else { continue };
            // `**` and dots alone name folders. To that crate a `*` that takes nothing lets the next token meet the leading dot.
            let are_folders = [&pattern, &name].iter().any(|text| matches!(text.as_str(), "." | ".." | "**"));
            if are_folders || (pattern.starts_with('*') && name.starts_with('.')) {
                continue;
            }
            assert_eq!(fits(&pattern, name.as_bytes()), theirs.matches_with(&name, options), "{pattern} and {name}");
            compared += 1;
        }
        assert!(compared > 40_000, "{compared}");
    }

    #[test]
    fn a_name_that_is_not_text_is_matched_by_what_takes_any_character() {
        let last = '\u{10ffff}';
        for (pattern, fit) in [
            ("*", true),
            ("a?b", true),
            ("a[!c]b", true),
            ("a[c-z]b", false),
            ("*.csv", false),
            ("a\u{fffd}b", false),
            (&format!("a{last}*"), false),
            (&format!("a[{last}]b"), false),
            (&format!("a[c-{last}]b"), false),
            (&format!("a[!{last}]b"), true),
        ] {
            assert_eq!(fits(pattern, b"a\xffb"), fit, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (pattern, why) in
            [("a/b**", "stand alone"), ("***", "stand alone"), ("a[bc", "no `]`"), ("[]", "no `]`"), ("a/", "ends in `/`")]
        {
            let error = Pattern::parse(pattern, Hidden::Stay).unwrap_err();
            assert!(error.contains(why), "{pattern}: {error}");
        }
        let collapsed = Pattern::parse("a/./**//**/b", Hidden::Stay).unwrap();
        assert_eq!(collapsed.components, [Component::Name("a".into()), Component::AnyDepth, Component::Name("b".into())]);
    }
}
