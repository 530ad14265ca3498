//! What serde's attributes do to the bytes. The description follows `rename`; attributes that leave the bytes alone are
//! passed over; every other one is refused, so that no description says what the bytes are not.

use syn::{Attribute, Error, LitStr, Result, meta::ParseNestedMeta};

/// Attributes that change nothing about how a value that is there is written.
const HARMLESS: [&str; 5] = ["default", "deny_unknown_fields", "bound", "crate", "alias"];

/// The name that `rename` gives, if one of `attributes` is `#[serde(rename = "…")]`.
pub(crate) fn rename(attributes: &[Attribute]) -> Result<Option<String>> {
    let mut renamed = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") && meta.input.peek(syn::Token![=]) {
                renamed = Some(meta.value()?.parse::<LitStr>()?.value());
                return Ok(());
            }
            if HARMLESS.iter().any(|harmless| meta.path.is_ident(harmless)) {
                return skip_value(&meta);
            }
            let path = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            Err(Error::new_spanned(&meta.path, format!("serde({path}) changes the bytes in a way that StateType cannot describe")))
        })?;
    }
    Ok(renamed)
}

/// Reads the rest of a harmless attribute: nothing, or `= literal`.
fn skip_value(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(syn::Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    }
    Ok(())
}
