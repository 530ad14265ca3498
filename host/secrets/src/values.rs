//! Values of a job file, with texts in them that are not said there.

use crate::template::{SecretError, Template};
use serde_json::Value;

/// The text that a value stands for: itself, or what `{ file = "…" }` leads to; `None`: it stands for none.
pub fn template_of(value: &Value) -> Option<Result<Template, SecretError>> {
    match value {
        Value::String(text) => Some(Template::of(text)),
        Value::Object(table) => match (table.len(), table.get("file").and_then(Value::as_str)) {
            (1, Some(path)) => Some(Template::of_file(path)),
            (_, _) => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// True where some text in it is known only where it is used.
pub fn has_secrets(value: &Value) -> bool {
    match (template_of(value), value) {
        (Some(template), _) => template.is_ok_and(|template| !template.is_plain()),
        (None, Value::Array(items)) => items.iter().any(has_secrets),
        (None, Value::Object(table)) => table.values().any(has_secrets),
        (None, _) => false,
    }
}

/// The value with every text as it is now.
pub fn expanded(value: &Value) -> Result<Value, SecretError> {
    replaced(value, &Template::value)
}

/// The same at a place for secrets.
pub fn with_secrets(value: &Value) -> Result<Value, SecretError> {
    replaced(value, &Template::secret)
}

/// Whether every text in a value at a place for secrets can be read now.
pub fn check(value: &Value) -> Result<(), SecretError> {
    with_secrets(value).map(|_| ())
}

fn replaced(value: &Value, read: &impl Fn(&Template) -> Result<String, SecretError>) -> Result<Value, SecretError> {
    if let Some(template) = template_of(value) {
        return Ok(Value::String(read(&template?)?));
    }
    Ok(match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| replaced(item, read)).collect::<Result<_, _>>()?),
        Value::Object(table) => {
            let entry = |(name, value): (&String, &Value)| Ok((name.clone(), replaced(value, read)?));
            Value::Object(table.iter().map(entry).collect::<Result<_, SecretError>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_read_wherever_they_stand_in_a_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "in-the-file\n").expect("a file");
        let path = path.to_str().expect("UTF-8");
        let value = json!({ "a": ["x", "$$${CARGO_PKG_NAME}", 5], "b": { "c": { "file": path } }, "d": null });
        assert!(has_secrets(&value) && !has_secrets(&json!({ "a": ["$$", 5, { "file": 5 }] })));
        let expect = json!({ "a": ["x", "$weir-secrets", 5], "b": { "c": "in-the-file" }, "d": null });
        assert_eq!((expanded(&value), with_secrets(&value)), (Ok(expect.clone()), Ok(expect)));
        let other = json!({ "file": path, "more": 1 });
        assert_eq!(expanded(&other), Ok(other), "a table that says more is one");
        assert_eq!(check(&json!([{ "x": "${WEIR_NOT_SET_ANYWHERE}" }])), Err(SecretError::Unset("WEIR_NOT_SET_ANYWHERE".into())));
    }
}
