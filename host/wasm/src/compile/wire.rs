//! What the process that examines a plugin answers, and what the cache keeps of that: one line of JSON that says what follows, then the component
//! and its compiled code.
//!
//! Both ends are the same binary, so there is no version; the cache's key has one.

use crate::pack::Problem;
use serde::{Deserialize, Serialize};

/// Bytes of the line: names of imports and problems, both bounded where they are made.
const HEAD_BYTES: usize = 1 << 20;
/// Problems that are told of one file, and bytes of one of them.
const PROBLEMS: usize = 50;
const PROBLEM_BYTES: usize = 4_096;

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is a plugin.
    Fits(Examined),
    /// It is none.
    Refused(Vec<Problem>),
    /// It took more memory than it may.
    OutOfMemory,
}

/// What is known of a plugin that has been examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Examined {
    /// Names of its imports.
    pub(crate) imports: Vec<String>,
    /// The component that was made of it; `None` where it is one.
    pub(crate) component: Option<Vec<u8>>,
    /// Compiled, as wasmtime keeps it; empty where that was not asked for.
    pub(crate) code: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Head {
    Fits { imports: Vec<String>, component: Option<usize>, code: usize },
    Refused { problems: Vec<Problem> },
    OutOfMemory,
}

impl Answer {
    /// As bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Fits(examined) => examined.encode(),
            Self::Refused(problems) => encode(&Head::Refused { problems: bounded(problems) }, [&[], &[]]),
            Self::OutOfMemory => encode(&Head::OutOfMemory, [&[], &[]]),
        }
    }

    /// From bytes; `None` where they are no answer.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().take(HEAD_BYTES).position(|byte| *byte == b'\n')?;
        let mut rest = &bytes[end + 1..];
        Some(match serde_json::from_slice(&bytes[..end]).ok()? {
            Head::Fits { imports, component, code } => {
                let component = match component {
                    Some(length) => Some(rest.split_off(..length)?.to_vec()),
                    None => None,
                };
                let code = rest.split_off(..code)?.to_vec();
                rest.is_empty().then_some(Self::Fits(Examined { imports, component, code }))?
            }
            Head::Refused { problems } => Self::Refused(problems),
            Head::OutOfMemory => Self::OutOfMemory,
        })
    }
}

impl Examined {
    /// As the bytes of an answer that it fits.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Self { imports, component, code } = self;
        let head = Head::Fits { imports: imports.clone(), component: component.as_ref().map(Vec::len), code: code.len() };
        encode(&head, [component.as_deref().unwrap_or_default(), code])
    }
}

fn encode(head: &Head, parts: [&[u8]; 2]) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(head).expect("texts and numbers are JSON");
    bytes.push(b'\n');
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// The first of them, cut off where one has no end: all of it is a file's to say.
fn bounded(problems: &[Problem]) -> Vec<Problem> {
    let cut = |text: &str| match text.char_indices().map(|(at, _)| at).find(|at| *at >= PROBLEM_BYTES) {
        Some(end) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    let one = |problem: &Problem| Problem { what: cut(&problem.what), hint: problem.hint.as_deref().map(cut) };
    let mut kept: Vec<Problem> = problems.iter().take(PROBLEMS).map(one).collect();
    if problems.len() > PROBLEMS {
        kept.push(Problem::new(format!("and {} more", problems.len() - PROBLEMS)));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_it_was_and_a_cut_one_is_none() {
        let fits = |component: Option<&[u8]>| {
            let imports = vec!["weir:operator/logging@0.1.0".into()];
            Answer::Fits(Examined { imports, component: component.map(<[u8]>::to_vec), code: b"code\n".to_vec() })
        };
        for answer in [fits(None), fits(Some(b"\n\0asm")), Answer::Refused(vec![Problem::new("no").hint("yes")]), Answer::OutOfMemory] {
            let bytes = answer.encode();
            assert_eq!(Answer::decode(&bytes).as_ref(), Some(&answer));
            assert_eq!(Answer::decode(&bytes[..bytes.len() - 1]), None);
        }
        let mut more = fits(None).encode();
        more.push(0);
        assert_eq!(Answer::decode(&more), None);
    }

    #[test]
    fn what_is_told_of_a_hostile_file_is_bounded() {
        let problems = vec![Problem::new("ä".repeat(PROBLEM_BYTES)); 1_000];
        let Some(Answer::Refused(told)) = Answer::decode(&Answer::Refused(problems).encode()) else { panic!("an answer") };
        assert_eq!((told.len(), told[50].what.as_str()), (51, "and 950 more"));
        assert!(told[0].what.len() < PROBLEM_BYTES + 10);
    }
}
