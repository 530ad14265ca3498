//! What the classes of SQLSTATE mean here: whose fault an error of the server is, and so whether a record is set aside, a server tried again, or the job ended.

use tokio_postgres::error::SqlState;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// A record's: without it the others are taken.
    Record,
    /// The server's, for now: it stops, has no room, or takes part in a deadlock.
    Moment,
    /// Who connects is not let in. Of a server that has let this process in before it is the moment's: what was replaced there is soon replaced here.
    Login,
    /// What the job has for the server, its tables or its rights: it stays refused.
    Job,
}

/// The classes that PostgreSQL has. What is none of them is raised by a trigger or a function of the user's, which has found something in a row.
const CLASSES: &[(Blame, &[&str])] = &[
    // A trigger, a CASE without a branch, two rows for one, values, constraints, what a function raises, a view's check, and sizes: of a row for its index, of a text
    // for its column, of a value for the stack.
    (Blame::Record, &["09", "10", "20", "21", "22", "23", "27", "2F", "38", "44", "54", "P0"]),
    (Blame::Moment, &["08", "40", "53", "55", "57", "58", "72", "XX"]),
    (Blame::Login, &["28", "3D"]),
    (
        Blame::Job,
        &[
            "00", "01", "02", "03", "0A", "0B", "0F", "0L", "0P", "0Z", "24", "25", "26", "2B", "2D", "34", "39", "3B", "3F", "42", "F0",
            "HV",
        ],
    ),
];

/// Those that are not as the others of their class: a transaction that was idle or open for too long, and a server that only reads for now.
const OF_THE_MOMENT: [&str; 3] = ["25P03", "25P04", "25006"];

impl Blame {
    pub(super) fn of(code: &SqlState) -> Self {
        let code = code.code();
        if OF_THE_MOMENT.contains(&code) {
            return Self::Moment;
        }
        let class = code.get(..2).unwrap_or_default();
        CLASSES.iter().find(|(_, classes)| classes.contains(&class)).map_or(Self::Record, |(blame, _)| *blame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_error_is_the_fault_of_a_record_the_moment_the_login_or_the_job() {
        for (blame, codes) in [
            // What does not fit a column, a constraint, a trigger, an index, a tsvector, the stack; what a function raises by itself.
            (
                Blame::Record,
                &[
                    "22003", "22P02", "23505", "23502", "23514", "44000", "P0001", "54000", "54001", "20000", "21000", "38000", "U0001",
                    "99001",
                ][..],
            ),
            (
                Blame::Moment,
                &["08006", "40001", "40P01", "53300", "53100", "55P03", "57P01", "57P03", "57014", "25P03", "25P04", "25006", "XX000"],
            ),
            (Blame::Login, &["28P01", "28000", "3D000"]),
            (Blame::Job, &["42P01", "42501", "42703", "25P02", "3F000", "0A000", "26000"]),
        ] {
            let unlike = codes.iter().filter(|code| Blame::of(&SqlState::from_code(code)) != blame);
            assert_eq!(unlike.collect::<Vec<_>>(), [&""; 0], "{blame:?}");
        }
    }

    #[test]
    fn no_class_has_two_meanings() {
        let all: Vec<&str> = CLASSES.iter().flat_map(|(_, classes)| classes.iter().copied()).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
