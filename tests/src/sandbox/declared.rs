//! What the guests in text say of themselves, from the least to all that a plugin can declare.

/// What a guest says that it has, beside a keyed input and an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Declares {
    /// A value, a list and a map state (0 to 2) and a timer by the clock.
    #[default]
    Plain,
    /// Windows, and a value state that merges.
    Windowed,
    /// All that there is without windows: a broadcast input and a second output; behind the states of a plain one broadcast state (3), a value that lives from
    /// its last read on and a map that lives from its last write on (4 and 5); a timer by event time.
    All,
    /// All that there is with windows: a second output, a value, a list and a map state (0 to 2), of which the list merges by itself.
    AllWindowed,
}

/// A state of a description.
pub(super) struct State {
    pub(super) name: &'static str,
    /// In the order of `state-kind`.
    pub(super) kind: u32,
    /// With a time to live of a minute: the word of its domain and, in its second byte, whether a read counts.
    pub(super) lives: Option<u32>,
    pub(super) merges: bool,
}

/// What is declared, each list in the numbers of the canonical ABI.
pub(super) struct Lists {
    pub(super) inputs: &'static [(&'static str, u32)],
    pub(super) outputs: &'static [&'static str],
    pub(super) states: &'static [State],
    pub(super) timers: &'static [(&'static str, u32)],
}

const fn state(name: &'static str, kind: u32) -> State {
    State { name, kind, lives: None, merges: false }
}

const fn merges(name: &'static str, kind: u32) -> State {
    State { merges: true, ..state(name, kind) }
}

const BY_KEY: (&str, u32) = ("in", 1);
const FROM_LAST_READ: u32 = 1 << 8;

impl Declares {
    /// The lists of its description.
    pub(super) fn lists(self) -> Lists {
        let one = Lists { inputs: &[BY_KEY], outputs: &["out"], states: &[], timers: &[] };
        match self {
            Self::Plain => {
                Lists { states: const { &[state("value", 0), state("list", 1), state("map", 2)] }, timers: &[("timer", 1)], ..one }
            }
            Self::Windowed => Lists { states: const { &[merges("value", 0)] }, ..one },
            Self::All => Lists {
                inputs: &[BY_KEY, ("rules", 2)],
                outputs: &["out", "side"],
                states: const {
                    &[
                        state("value", 0),
                        state("list", 1),
                        state("map", 2),
                        state("rules", 3),
                        State { lives: Some(FROM_LAST_READ), ..state("read", 0) },
                        State { lives: Some(0), ..state("written", 2) },
                    ]
                },
                timers: &[("timer", 1), ("due", 0)],
            },
            Self::AllWindowed => {
                Lists { outputs: &["out", "side"], states: const { &[merges("value", 0), state("list", 1), merges("map", 2)] }, ..one }
            }
        }
    }
}
