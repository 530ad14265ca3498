//! Lines for the job's log. A line leaves at once: it survives the trap that follows it.
//!
//! `log::info!("opened with {columns} columns")`, and likewise `debug!`, `warn!` and `error!`.

use crate::host;
use std::fmt;

pub use crate::bindings::weir::operator::logging::Level;
#[doc(inline)]
pub use crate::{__log_debug as debug, __log_error as error, __log_info as info, __log_warn as warn};

/// Writes one line at `level`. Legal inside `open` and `process`; describing an operator must not log.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(text) => host::log(level, text),
        None => host::log(level, &message.to_string()),
    }
}

/// Logs a formatted line at level debug.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Debug, format_args!($($message)*)) };
}

/// Logs a formatted line at level info.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Info, format_args!($($message)*)) };
}

/// Logs a formatted line at level warn.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Warn, format_args!($($message)*)) };
}

/// Logs a formatted line at level error.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Error, format_args!($($message)*)) };
}

/// From now on a panic's message and place are logged at level error before the guest traps. Later calls change nothing.
#[cfg(target_arch = "wasm32")]
pub(crate) fn panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| write(Level::Error, format_args!("{panic}")))));
}

/// Natively the test runner shows panics itself.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn panics() {}
