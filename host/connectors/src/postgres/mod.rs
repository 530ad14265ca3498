//! PostgreSQL: a table as a sink.
//!
//! The sink is an outbox. Each chunk of records is one transaction, with the marker in it, which is a row of a table of its own; nothing is open between two of
//! them. Records are copied into a temporary table first, of the connection's own, and go from there into the table by one statement or two: so
//! the row that keeps other publishers out is locked for the shortest time, and never while rows are still on their way.

mod catalog;
mod cells;
mod chunk;
mod columns;
mod connection;
mod failures;
mod fields;
mod markers;
mod patience;
mod prepared;
mod quarantine;
mod replaced;
mod rows;
mod secured;
mod session;
mod settings;
mod sqlstate;
mod statements;
mod stopped;
mod table_name;
mod target;
mod tls;
mod transact;
mod url;
mod values;

pub(crate) use settings::SINK_SETTINGS;
pub(crate) use target::sink;
