//! What several connectors have in common. What every source and every sink may say the job file reads itself, so a connector is never given one of these;
//! [`TLS`] is read by each that has it.

use super::table::Fallback::{Found, Nothing, Required, Value};
use super::table::{Kind, Setting};
use weir_engine::state::MAX_PARALLELISM_LIMIT;

/// How many subtasks a step may have.
pub const PARALLELISM: Kind = Kind::Whole { least: 1, most: MAX_PARALLELISM_LIMIT as u64 };

const CONNECTOR_ABOUT: &str = "Which connector: [connectors](connectors.md) has them all, with their settings.";
const PARALLELISM_ABOUT: &str = "How many subtasks the step has. A connector that has to be in one subtask is.";
/// What `was` says of any step.
pub const WAS_ABOUT: &str = "The id that the step had before, once: it goes on with that one's state.";
/// The type of `input` and of each of `inputs`.
pub const INPUT: Kind = Kind::Other("step, `step.output` or table");
/// What `input` says of any step.
pub const INPUT_ABOUT: &str =
    "What the step reads; a table says more of it, see below. A side output is named with its step: `\"dwell.slow\"`.";
/// What `inputs` says of any step.
pub const INPUTS_ABOUT: &str = "The same for several, which are merged or feed the inputs that an operator declares.";

/// `[source.ID]`, but for its connector's own.
pub const SOURCE_STEP: &[Setting] = &[
    Setting::new("connector", Kind::Text, Required("\"file\""), CONNECTOR_ABOUT),
    Setting::new("parallelism", PARALLELISM, Found("the job's"), PARALLELISM_ABOUT),
    Setting::new("rate", Kind::AboveZero, Nothing, "At most so many records in a second, all subtasks together."),
    Setting::new(
        "replay",
        Kind::Choice(&["none"]),
        Nothing,
        "`\"none\"` says that it is known that a source cannot be read twice: after a failure records are lost.",
    ),
    Setting::new("was", Kind::Text, Nothing, WAS_ABOUT),
    Setting::new(
        "watermark",
        Kind::Table(WATERMARK),
        Nothing,
        "How event time is told from the times of its records, see below and [time](time.md); without it the source says nothing of time.",
    ),
];

/// `watermark` of `[source.ID]`.
pub const WATERMARK: &[Setting] = &[
    Setting::new("delay", Kind::DURATION, Value("5s"), "How much older than the newest record so far one may be and still be in time."),
    Setting::new(
        "idle-after",
        Kind::Other("duration or `\"never\"`"),
        Value("30s"),
        "Nothing waits for a split any more that has had nothing new for so long.",
    ),
    Setting::new(
        "advance-when-idle",
        Kind::Flag,
        Value("false"),
        "Whether event time goes on as the clock does while every split of the source is idle.",
    ),
    Setting::new(
        "max-ahead",
        Kind::DURATION,
        Nothing,
        "A record that is further ahead of the clock than this moves no watermark; it is counted.",
    ),
    Setting::new(
        "order",
        Kind::Choice(&["name"]),
        Nothing,
        "`\"name\"`: files are read one after the other in the order of their names, and those that are not begun hold no time back.",
    ),
];

/// `[sink.ID]`, but for its connector's own.
pub const SINK_STEP: &[Setting] = &[
    Setting::new("connector", Kind::Text, Required("\"file\""), CONNECTOR_ABOUT),
    Setting::new("input", INPUT, Found("to be said, or `inputs`"), INPUT_ABOUT),
    Setting::new("inputs", Kind::Other("list of inputs"), Found("to be said, or `input`"), INPUTS_ABOUT),
    Setting::new("parallelism", PARALLELISM, Found("the job's"), PARALLELISM_ABOUT),
    Setting::new("was", Kind::Text, Nothing, WAS_ABOUT),
];

/// `tls` of a connector that has a client, as a table.
pub const TLS: &[Setting] = &[
    Setting::new(
        "ca",
        Kind::Text,
        Found("the roots that the system trusts"),
        "Who vouches for the server: certificates as PEM, or the path of a file that has them, from the job file's folder on.",
    ),
    Setting::new(
        "certificate",
        Kind::Text,
        Nothing,
        "What weir shows a server that asks who it is: its certificate, and behind it those that lead to the root, as PEM or as a path.",
    ),
    Setting::new(
        "key",
        Kind::Text,
        Nothing,
        "The private key of that certificate, as PEM without a passphrase, or the path of a file that has it. What it says is not shown.",
    ),
];
