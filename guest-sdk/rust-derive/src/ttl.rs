//! What `#[state(…)]` says of a time to live: `ttl = "1h"`, `time = "event"`, `refresh = "read"`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Result, Type, meta::ParseNestedMeta};

/// Units of a duration as a job file writes them, and their ms.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// How a duration is written.
const DURATIONS: &str = "whole numbers, each with its unit (ms, s, m, h or d) right behind it, and a blank between them: \"500ms\", \"30s\", \"1h 30m\", \"7d\"";

/// What has been read of the attributes of one state.
#[derive(Default)]
pub(crate) struct TtlAttributes {
    ms: Option<u64>,
    /// By event time. The clock's otherwise.
    by_event: Option<(bool, Span)>,
    /// Reading renews it.
    on_read: Option<(bool, Span)>,
}

/// A time to live.
pub(crate) struct Ttl {
    ms: u64,
    by_event: bool,
    on_read: bool,
}

impl TtlAttributes {
    /// Reads one attribute, if it is one of these.
    pub(crate) fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        if meta.path.is_ident("ttl") {
            self.ms = Some(duration(&text(meta, DURATIONS)?)?);
        } else if meta.path.is_ident("time") {
            self.by_event = Some(one_of("time", meta, "processing", "event")?);
        } else if meta.path.is_ident("refresh") {
            self.on_read = Some(one_of("refresh", meta, "write", "read")?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The time to live, if there is one.
    pub(crate) fn finish(self) -> Result<Option<Ttl>> {
        let flag = |said: Option<(bool, Span)>| said.is_some_and(|(flag, _)| flag);
        match (self.ms, self.by_event.or(self.on_read)) {
            (Some(ms), _) => Ok(Some(Ttl { ms, by_event: flag(self.by_event), on_read: flag(self.on_read) })),
            (None, Some((_, span))) => Err(Error::new(span, "`time` and `refresh` are said of a time to live: `ttl = \"1h\"`")),
            (None, None) => Ok(None),
        }
    }
}

impl Ttl {
    /// The declaration's.
    pub(crate) fn declaration(&self) -> TokenStream {
        let Self { ms, by_event, on_read } = self;
        quote! { ::weir_guest::state::ttl(#ms, #by_event, #on_read) }
    }

    /// The handle of a state with this time to live.
    pub(crate) fn handle(&self, ty: &Type, handle: &TokenStream) -> TokenStream {
        let on_read = self.on_read;
        quote! { <#ty as ::weir_guest::state::LivingState>::living(#handle, #on_read) }
    }
}

/// The text behind an attribute's `=`; where that is none, `expected` is said.
fn text(meta: &ParseNestedMeta<'_>, expected: &str) -> Result<LitStr> {
    let said: Expr = meta.value()?.parse()?;
    match &said {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
        _ => Err(Error::new_spanned(said, format!("a text in quotes is expected here: {expected}"))),
    }
}

/// True for `second`.
fn one_of(attribute: &str, meta: &ParseNestedMeta<'_>, first: &str, second: &str) -> Result<(bool, Span)> {
    let expected = format!("`{attribute} = \"{first}\"`, which holds where nothing is said, or `{attribute} = \"{second}\"`");
    let said = text(meta, &expected)?;
    let value = said.value();
    if value == first || value == second {
        return Ok((value == second, said.span()));
    }
    Err(Error::new(said.span(), format!("`{value}` is neither of the two: {expected}")))
}

/// The ms of `1h`, or of `1h 30m`.
fn duration(said: &LitStr) -> Result<u64> {
    let text = said.value();
    match ms_of(&text) {
        Some(0) => Err(Error::new(said.span(), "a time to live is 1 ms at least; a state without one is kept for ever")),
        Some(ms) => Ok(ms),
        None => Err(Error::new(said.span(), format!("`{text}` is no duration: it is {DURATIONS}"))),
    }
}

fn ms_of(text: &str) -> Option<u64> {
    let parts = text.split_whitespace().map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit())?;
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &part[digits..])?;
        part[..digits].parse::<u64>().ok()?.checked_mul(*unit)
    });
    let parts = parts.collect::<Option<Vec<_>>>()?;
    if parts.is_empty() {
        return None;
    }
    parts.into_iter().try_fold(0_u64, u64::checked_add)
}

#[cfg(test)]
mod tests {
    use super::ms_of;

    /// What is said of a state with these attributes.
    fn refused(attributes: &str) -> String {
        let states = format!("struct S {{ #[state({attributes})] seen: ValueState<u64> }}");
        let states = syn::parse_str(&states).expect("a struct");
        crate::states::expand(&states).expect_err("it is refused").to_string()
    }

    #[test]
    fn what_a_time_to_live_may_say_is_listed_where_it_says_something_else() {
        let units = "each with its unit (ms, s, m, h or d) right behind it, and a blank between them";
        let hour = refused("ttl = \"1 hour\"");
        assert!(hour.starts_with("`1 hour` is no duration: it is whole numbers, ") && hour.contains(units), "{hour}");
        let number = refused("ttl = 3600");
        assert!(number.starts_with("a text in quotes is expected here: ") && number.contains(units), "{number}");
        let times = "`time = \"processing\"`, which holds where nothing is said, or `time = \"event\"`";
        assert_eq!(refused("ttl = \"1h\", time = \"wall\""), format!("`wall` is neither of the two: {times}"));
        assert_eq!(refused("ttl = \"1h\", time = event"), format!("a text in quotes is expected here: {times}"));
        assert!(
            refused("ttl = \"1h\", refresh = \"always\"")
                .ends_with("`refresh = \"write\"`, which holds where nothing is said, or `refresh = \"read\"`")
        );
        assert!(refused("refresh = \"read\"").contains("`ttl = \"1h\"`"));
    }

    #[test]
    fn durations_are_read_as_a_job_file_writes_them() {
        let read = ["500ms", "30s", "10m", "1h", "7d", "1h 30m", "0s"].map(ms_of);
        assert_eq!(read, [500, 30_000, 600_000, 3_600_000, 604_800_000, 5_400_000, 0].map(Some));
        for text in ["", " ", "1", "h", "1 h", "-1s", "1.5h", "1y", "1H", "99999999999999999999s", "213503982335d", "1h30m"] {
            assert_eq!(ms_of(text), None, "{text:?}");
        }
    }
}
