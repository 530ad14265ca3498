//! Single values of a job file: the number, the JSON or the text that each stands for.

use super::problem::Problem;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeValue};
use weir_secrets::{SecretError, Template};

/// The text that a value stands for now: itself with its variables, or what `{ file = "…" }` leads to; `None`: it stands for none.
pub(super) fn text_now(value: &DeValue<'_>) -> Option<Result<String, SecretError>> {
    Some(template_of(value)?.and_then(|template| template.value()))
}

/// The text that a value is, as it is written; `None`: it is none.
pub(super) fn template_of(value: &DeValue<'_>) -> Option<Result<Template, SecretError>> {
    match value {
        DeValue::String(text) => Some(Template::of(text)),
        DeValue::Table(table) if table.len() == 1 => Some(Template::of_file(table.get("file")?.get_ref().as_str()?)),
        _ => None,
    }
}

/// The number that an integer of the file stands for.
pub(super) fn integer_of(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

pub(super) fn number_of(value: &DeValue<'_>) -> Option<f64> {
    match value.as_float() {
        Some(float) => float.as_str().parse().ok(),
        None => value.as_integer().and_then(integer_of).map(|n| n as f64),
    }
}

/// The JSON value that says the same. Dates become texts; infinities and what is no number cannot be said.
pub(super) fn json_of(value: &Spanned<DeValue<'_>>) -> Result<Value, Problem> {
    let unsayable = || Problem::new(value.span(), "this number cannot be written as JSON");
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => Value::from(integer_of(integer).ok_or_else(unsayable)?),
        DeValue::Float(_) => {
            let number = number_of(value.get_ref()).and_then(serde_json::Number::from_f64);
            Value::Number(number.ok_or_else(unsayable)?)
        }
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(json_of).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<DeString<'_>>, _)| Ok((key.get_ref().to_string(), json_of(value)?));
            Value::Object(table.iter().map(entry).collect::<Result<_, Problem>>()?)
        }
    })
}
