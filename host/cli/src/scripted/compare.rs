//! What a step came to beside what its test says.

use super::script::{Expected, Row};
use super::shown::{StateRow, record_text, rows_of, wanted_row, wanted_text};
use super::written::Wanted;
use weir_engine::replay::{Contents, OutputRecord};
use weir_engine::state::StateDescriptor;

/// How a step came to something else.
#[derive(Debug)]
pub enum Difference {
    /// The test asks for what cannot be.
    Script(String),
    /// The operator failed, where it should not have, or with other words.
    Failed {
        /// With what.
        error: String,
        /// What was to be part of it.
        wanted: Option<String>,
    },
    /// It should have failed.
    NotFailed {
        /// With this in what it says.
        wanted: String,
    },
    /// It has emitted something else.
    Emitted(Lines),
    /// It keeps something else.
    Kept(Lines),
}

/// What is missing and what is there besides, as a test writes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// What the test says and did not come.
    pub missing: Vec<String>,
    /// What came and the test does not say.
    pub surplus: Vec<String>,
    /// Both have the same records, in another order.
    pub reordered: bool,
}

/// Compares what was emitted with what a test says, output by output: in order, or as it comes.
pub fn emitted(expected: &[Expected], outputs: &[OutputRecord], (main, in_order): (&str, bool)) -> Result<(), Difference> {
    let wanted = expected.iter().map(|expected| Wanted::of(expected, main)).collect::<Result<Vec<_>, _>>().map_err(Difference::Script)?;
    let mut taken = vec![false; outputs.len()];
    let mut missing = Vec::new();
    for (wanted, expected) in wanted.iter().zip(expected) {
        let fits = (0..outputs.len()).find(|&place| !taken[place] && wanted.is(&outputs[place]));
        match fits {
            Some(place) => taken[place] = true,
            None => missing.push(wanted_text(expected)),
        }
    }
    let surplus: Vec<_> = outputs.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(output, _)| record_text(output, main)).collect();
    let reordered = missing.is_empty() && surplus.is_empty() && in_order && !stands_in_order(&wanted, outputs);
    match missing.is_empty() && surplus.is_empty() && !reordered {
        true => Ok(()),
        false if reordered => {
            let lines = Lines {
                missing: expected.iter().map(wanted_text).collect(),
                surplus: outputs.iter().map(|output| record_text(output, main)).collect(),
                reordered,
            };
            Err(Difference::Emitted(lines))
        }
        false => Err(Difference::Emitted(Lines { missing, surplus, reordered })),
    }
}

/// True where of each output the records stand as the test has them.
fn stands_in_order(wanted: &[Wanted], outputs: &[OutputRecord]) -> bool {
    let of_output = |name: &str| {
        let mut wanted = wanted.iter().filter(|wanted| wanted.output == name);
        outputs.iter().filter(|output| output.output == name).all(|output| wanted.next().is_some_and(|wanted| wanted.is(output)))
    };
    outputs.iter().all(|output| of_output(&output.output))
}

/// Compares all that is kept with what a test says.
pub fn kept(rows: &[Row], contents: &Contents, states: &[StateDescriptor]) -> Result<(), Difference> {
    let mut wanted = rows.iter().map(wanted_row).collect::<Result<Vec<_>, _>>().map_err(Difference::Script)?;
    let mut surplus = Vec::new();
    for row in rows_of(contents, states) {
        match wanted.iter().position(|wanted| wanted.is(&row)) {
            Some(place) => _ = wanted.remove(place),
            None => surplus.push(row.text()),
        }
    }
    match wanted.is_empty() && surplus.is_empty() {
        true => Ok(()),
        false => Err(Difference::Kept(Lines { missing: wanted.iter().map(StateRow::text).collect(), surplus, reordered: false })),
    }
}
