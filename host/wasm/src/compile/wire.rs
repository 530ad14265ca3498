//! What the process that examines a plugin answers, and what the cache keeps of that: one line of JSON that says what follows, then the component
//! and its compiled code.
//!
//! Both ends are the same binary, so there is no version; the cache's key has one.

use crate::pack::Problem;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{self, Write};

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
    /// Writes it as bytes, without a copy of what is large.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Fits(examined) => examined.parts().iter().try_for_each(|part| out.write_all(part)),
            Self::Refused(problems) => out.write_all(&line(&Head::Refused { problems: bounded(problems) })),
            Self::OutOfMemory => out.write_all(&line(&Head::OutOfMemory)),
        }
    }

    /// From bytes; `None` where they are no answer. The code, which is most of them, stays where it is.
    pub(crate) fn decode(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().take(HEAD_BYTES).position(|byte| *byte == b'\n')?;
        let head = end + 1;
        Some(match serde_json::from_slice(&bytes[..end]).ok()? {
            Head::Fits { imports, component, code } => {
                let code_at = head.checked_add(component.unwrap_or(0))?;
                if code_at.checked_add(code)? != bytes.len() {
                    return None;
                }
                let component = component.map(|_| bytes[head..code_at].to_vec());
                bytes.drain(..code_at);
                Self::Fits(Examined { imports, component, code: bytes })
            }
            Head::Refused { problems } => Self::Refused(problems),
            Head::OutOfMemory => Self::OutOfMemory,
        })
    }
}

impl Examined {
    /// The bytes of an answer that it fits, in pieces.
    pub(crate) fn parts(&self) -> [Cow<'_, [u8]>; 3] {
        let Self { imports, component, code } = self;
        let head = Head::Fits { imports: imports.clone(), component: component.as_ref().map(Vec::len), code: code.len() };
        [line(&head).into(), component.as_deref().unwrap_or_default().into(), code.as_slice().into()]
    }
}

fn line(head: &Head) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(head).expect("texts and numbers are JSON");
    bytes.push(b'\n');
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

    fn encoded(answer: &Answer) -> Vec<u8> {
        let mut bytes = Vec::new();
        answer.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_code_of_an_answer_is_not_copied() {
        let code = vec![7; 1 << 20];
        let bytes = encoded(&Answer::Fits(Examined { imports: Vec::new(), component: Some(vec![1; 1_000]), code: code.clone() }));
        let place = bytes.as_ptr();
        let Some(Answer::Fits(examined)) = Answer::decode(bytes) else { panic!("it fits") };
        assert_eq!((examined.code.as_ptr(), examined.code == code), (place, true));
        assert!(matches!(&examined.parts()[2], Cow::Borrowed(part) if part.as_ptr() == place));
    }

    #[test]
    fn an_answer_is_what_it_was_and_a_cut_one_is_none() {
        let fits = |component: Option<&[u8]>| {
            let imports = vec!["weir:operator/logging@0.2.0".into()];
            Answer::Fits(Examined { imports, component: component.map(<[u8]>::to_vec), code: b"code\n".to_vec() })
        };
        for answer in [fits(None), fits(Some(b"\n\0asm")), Answer::Refused(vec![Problem::new("no").hint("yes")]), Answer::OutOfMemory] {
            let bytes = encoded(&answer);
            assert_eq!(Answer::decode(bytes.clone()).as_ref(), Some(&answer));
            assert_eq!(Answer::decode(bytes[..bytes.len() - 1].to_vec()), None);
        }
        let mut more = encoded(&fits(None));
        more.push(0);
        assert_eq!(Answer::decode(more), None);
    }

    #[test]
    fn what_is_told_of_a_hostile_file_is_bounded() {
        let problems = vec![Problem::new("ä".repeat(PROBLEM_BYTES)); 1_000];
        let Some(Answer::Refused(told)) = Answer::decode(encoded(&Answer::Refused(problems))) else { panic!("an answer") };
        assert_eq!((told.len(), told[50].what.as_str()), (51, "and 950 more"));
        assert!(told[0].what.len() < PROBLEM_BYTES + 10);
    }
}
