//! What errors of the server mean: whether trying again may help, and what the user can do. Whose fault one is is in `sqlstate`.

use super::connection::Place;
use super::sqlstate::Blame;
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
    /// One of the two does not believe the other to be who it is, or has nothing to show that it is; or the server has no TLS.
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

/// What the user can do where TLS, or telling who connects, has come to nothing, and will the next time.
fn distrust(error: &Error) -> Option<&'static str> {
    let cause = error.source()?;
    if let Some(io) = cause.downcast_ref::<std::io::Error>() {
        return tls::hint(io.get_ref()?.downcast_ref::<rustls::Error>()?);
    }
    // What the client says of a server that answers so, or that asks so for who connects.
    match (error.to_string().as_str(), cause.to_string().as_str()) {
        (_, "server does not support TLS") => Some("have TLS set up there (`ssl = on` in postgresql.conf), or do without it"),
        ("invalid configuration", "password missing") => Some("the server asks for a password: `password` says it, or `url`"),
        ("authentication error", _) => {
            Some("see the password, and how the server's pg_hba.conf has it told: weir tells it by `scram-sha-256`, `md5` and `password`")
        }
        (_, _) => None,
    }
}

impl Failure {
    /// The error of what was attempted at `place`. Who is not let in for a reason of the job file's ends the job where the server has never answered; later it is tried
    /// again, because it may be that only one of the two has the new password by now.
    pub(super) fn error(&self, attempted: &str, place: &Place) -> EngineError {
        match self {
            Self::Gone(why) => {
                let hint = format!("is PostgreSQL running at {}, and does it take connections from here?", place.hosts());
                let why = place.ended().unwrap_or(why);
                EngineError::new(ErrorKind::Retry, format!("{attempted}: {place}: {why}")).with_hint(hint)
            }
            Self::Untrusted { why, hint } => {
                EngineError::new(place.kind_of_refusal(), format!("{attempted}: {place}: {why}")).with_hint(*hint)
            }
            Self::Refused(refused) => {
                let error = EngineError::new(kind(refused.code(), place), format!("{attempted}: {place}: {}", told(refused)));
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

fn kind(code: &SqlState, place: &Place) -> ErrorKind {
    match Blame::of(code) {
        Blame::Moment => ErrorKind::Retry,
        Blame::Login => place.kind_of_refusal(),
        Blame::Record | Blame::Job => ErrorKind::FixInput,
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
    if *code == SqlState::TOO_MANY_CONNECTIONS {
        return Some("raise `max_connections` of the server, or end connections that nobody needs".into());
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
