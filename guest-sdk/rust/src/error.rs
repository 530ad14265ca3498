//! Why a record cannot be worked on: one line of text for the host, the log and the quarantine.

use std::fmt;

/// A failure as the operator tells it. Any `std::error::Error` becomes one through `?`; text through [`Error::new`] or
/// [`bail!`](crate::bail).
pub struct Error(Box<str>);

impl Error {
    /// An error that says `message`.
    #[cold]
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string().into_boxed_str())
    }

    /// The same error, told as part of `attempt`: `attempt: message`.
    #[cold]
    pub fn during(self, attempt: impl fmt::Display) -> Self {
        Self::new(format_args!("{attempt}: {}", self.0))
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Error {
    #[cold]
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// What operators return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Returns an [`Error`] with a formatted message.
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return Err($crate::Error::new(format_args!($($message)*)))
    };
}
