//! What a job file does not say itself: `${NAME}`, a variable of the environment, and `{ file = "…" }`, what stands in a file.
//!
//! Such a text is kept as it is written ([`Template`]), which is what is shown of it and what checkpoints keep, and read when it is used, each time anew: so a secret
//! that is replaced holds from the next connection on. What was read at a place for secrets, and everything that came out of a file, is remembered, and
//! [`redacted`] puts what was written in its place wherever weir says something: in every error, log line and notice.
//!
//! Invariant: a value that was read by [`Template::secret`] or from a file, of [`SHORTEST`] bytes or more, is in no text that has gone through [`redacted`].

mod known;
mod passwords;
mod template;
mod values;

pub use known::{SHORTEST, redacted};
pub use passwords::{is_written, passwords_masked, without_passwords};
pub use template::{SecretError, Template};
pub use values::{check, expanded, has_secrets, template_of, with_secrets};
