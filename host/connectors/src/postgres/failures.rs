//! What errors of the server mean: whether trying again may help, and what the user can do.

use super::connection::Place;
use super::tls;
use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};
use weir_engine::{EngineError, ErrorKind};

/// Why something that was asked of the server did not come off.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server has refused it.
    Refused(Box<DbError>),
    /// Nobody has answered: the outcome is unknown.
    Gone(String),
    /// One of the two does not believe the other to be who it is, or the server has no TLS.
    Untrusted { why: String, hint: &'static str },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(refused) => Self::Refused(Box::new(refused.clone())),
            None => match distrust(&error) {
                Some(hint) => Self::Untrusted { why: said(&error), hint },
                None => Self::Gone(said(&error)),
            },
        }
    }
}

/// What the user can do where TLS has come to nothing, and will the next time.
fn distrust(error: &Error) -> Option<&'static str> {
    let cause = error.source()?;
    if let Some(io) = cause.downcast_ref::<std::io::Error>() {
        return tls::hint(io.get_ref()?.downcast_ref::<rustls::Error>()?);
    }
    // What the client says of a server that answers so.
    (cause.to_string() == "server does not support TLS")
        .then_some("have TLS set up there (`ssl = on` in postgresql.conf), or do without it")
}

impl Failure {
    /// The error of what was attempted at `place`.
    pub(super) fn error(&self, attempted: &str, place: &Place) -> EngineError {
        match self {
            Self::Gone(why) => {
                let hint = format!("is PostgreSQL running at {}, and does it take connections from here?", place.hosts());
                let why = place.ended().unwrap_or(why);
                EngineError::new(ErrorKind::Retry, format!("{attempted}: {place}: {why}")).with_hint(hint)
            }
            Self::Untrusted { why, hint } => EngineError::new(ErrorKind::FixInput, format!("{attempted}: {place}: {why}")).with_hint(*hint),
            Self::Refused(refused) => {
                let error = EngineError::new(kind(refused.code()), format!("{attempted}: {place}: {}", told(refused)));
                match hint(refused, place) {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                }
            }
        }
    }
}

/// An error with what caused it: of its own it says too little.
pub(super) fn said(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(refused), _) => told(refused),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

/// What the server says, in one line.
pub(super) fn told(refused: &DbError) -> String {
    let detail = refused.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{}{detail}", refused.message())
}

/// Whether trying again may help. A server that stops, has no room for now or takes part in a deadlock is another one in a moment; what it refuses for what
/// it was given, or because somebody may not, stays refused.
fn kind(code: &SqlState) -> ErrorKind {
    match code.code().get(..2) {
        Some("08" | "40" | "53" | "55" | "57" | "58" | "XX") => ErrorKind::Retry,
        Some("25") if *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => ErrorKind::Retry,
        Some("25") if *code == SqlState::READ_ONLY_SQL_TRANSACTION => ErrorKind::Retry,
        Some(_) | None => ErrorKind::FixInput,
    }
}

fn hint(refused: &DbError, place: &Place) -> Option<String> {
    let code = refused.code();
    if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION && refused.message().contains("no encryption") {
        return Some(
            "the server may want TLS: `tls = true`, or `tls = { ca = \"…\" }` where its CA is not one that the system trusts".into(),
        );
    }
    if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION && refused.message().contains("client certificate") {
        return Some("`tls = { certificate = \"…\", key = \"…\" }` names the one that the server is shown".into());
    }
    if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code) {
        return Some(format!("see the password of `{}`, and whether the server's pg_hba.conf lets it in from here", place.user()));
    }
    if *code == SqlState::INVALID_CATALOG_NAME {
        return Some("create the database, or mend its name in `url`; `psql -l` shows what there is".into());
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return Some(format!("`GRANT` it to `{}`, or connect as somebody who may", place.user()));
    }
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return Some("this server is a standby: name the primary in `url`".into());
    }
    refused.hint().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_what_stays_refused_is_not() {
        let retried = ["08006", "40001", "40P01", "53300", "55P03", "57P01", "57P03", "57014", "25P03", "25006"];
        assert!(retried.iter().all(|code| kind(&SqlState::from_code(code)) == ErrorKind::Retry));
        let refused = ["28P01", "3D000", "42P01", "42501", "42703", "22003", "23505", "23502", "25P02"];
        assert!(refused.iter().all(|code| kind(&SqlState::from_code(code)) == ErrorKind::FixInput));
    }
}
