//! Names as the grammar of `wit/schema.md` has them: a letter, then letters, digits, `_` and `-`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Error, Ident, Result};

/// `name`, if the grammar has it.
pub(crate) fn checked(name: String, span: Span) -> Result<String> {
    let tail = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(tail) {
        return Ok(name);
    }
    Err(Error::new(span, format!("`{name}` is no name in a state's description: a letter, then letters, digits, `_` and `-`; rename it")))
}

/// An identifier as serde writes it.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}
