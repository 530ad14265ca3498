//! One text with what is not said in it.

use crate::known::remember;
use std::fmt;
use std::path::PathBuf;

/// Bytes that are read of a file: a secret is no longer.
const FILE_BYTES: u64 = 1 << 20;

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// What stands behind a dollar and a brace is not a name and a brace.
    #[error("`{0}` does not name a variable: `${{NAME}}` has letters, digits and `_` for a name")]
    Misspelt(String),
    /// The variable is not there.
    #[error("the variable `{0}` is not set")]
    Unset(String),
    /// The variable, or the file, is not UTF-8.
    #[error("`{0}` is not UTF-8")]
    NotUtf8(String),
    /// The file cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        why: String,
    },
}

impl SecretError {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Misspelt(_) => "a dollar that stands for itself is `$$`",
            Self::Unset(_) => "set it for the process that runs weir; a dollar that stands for itself is `$$`",
            Self::NotUtf8(_) => "what it holds goes where a text stands",
            Self::Unreadable { .. } => "`{ file = \"…\" }` is an absolute path, which weir's process may read",
        }
    }
}

/// A text of a job file as it is written, some of which is known only where it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
    /// What a file holds, at a path that may have variables itself.
    File(Template),
}

impl Template {
    /// Reads a text: `${NAME}` is a variable, `$$` a dollar, and everything else itself.
    pub fn of(text: &str) -> Result<Self, SecretError> {
        let mut parts = Vec::new();
        let (mut rest, mut plain) = (text, String::new());
        while let Some((before, behind)) = rest.split_once('$') {
            plain.push_str(before);
            rest = match behind.chars().next() {
                Some('$') => {
                    plain.push('$');
                    &behind[1..]
                }
                Some('{') => {
                    let named = behind[1..].split_once('}').filter(|(name, _)| is_name(name));
                    let misspelt = || SecretError::Misspelt(format!("${}", behind.split_inclusive('}').next().unwrap_or(behind)));
                    let (name, behind) = named.ok_or_else(misspelt)?;
                    parts.extend((!plain.is_empty()).then(|| Part::Text(std::mem::take(&mut plain))));
                    parts.push(Part::Variable(name.to_owned()));
                    behind
                }
                Some(_) | None => {
                    plain.push('$');
                    behind
                }
            };
        }
        plain.push_str(rest);
        parts.extend((!plain.is_empty()).then_some(Part::Text(plain)));
        Ok(Self(parts))
    }

    /// What stands in the file at this path, without the end of its last line.
    pub fn of_file(path: &str) -> Result<Self, SecretError> {
        Ok(Self(vec![Part::File(Self::of(path)?)]))
    }

    /// True where the text says everything itself.
    pub fn is_plain(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text as it is now. It may be shown, but for what came out of a file.
    pub fn value(&self) -> Result<String, SecretError> {
        self.read(false)
    }

    /// The text as it is now, none of which may be shown that the job file does not say.
    pub fn secret(&self) -> Result<String, SecretError> {
        self.read(true)
    }

    fn read(&self, secret: bool) -> Result<String, SecretError> {
        let mut text = String::new();
        for part in &self.0 {
            let read = match part {
                Part::Text(text) => text.clone(),
                Part::Variable(name) => variable(name)?,
                Part::File(path) => file(&path.read(secret)?)?,
            };
            if matches!(part, Part::File(_)) || secret && matches!(part, Part::Variable(_)) {
                remember(&read, &Self(vec![part.clone()]).to_string());
            }
            text.push_str(&read);
        }
        Ok(text)
    }
}

/// As it is written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text(text) => f.write_str(&text.replace('$', "$$"))?,
                Part::Variable(name) => write!(f, "${{{name}}}")?,
                Part::File(path) => write!(f, "{{ file = \"{path}\" }}")?,
            }
        }
        Ok(())
    }
}

/// As it is written: what it stands for is nobody's to see.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.bytes();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && chars.all(|other| other.is_ascii_alphanumeric() || other == b'_')
}

fn variable(name: &str) -> Result<String, SecretError> {
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => SecretError::Unset(name.to_owned()),
        std::env::VarError::NotUnicode(_) => SecretError::NotUtf8(format!("${{{name}}}")),
    })
}

fn file(path: &str) -> Result<String, SecretError> {
    use std::io::Read;
    let unreadable = |why: String| SecretError::Unreadable { path: path.to_owned(), why };
    if !PathBuf::from(path).is_absolute() {
        return Err(unreadable("this is not an absolute path".into()));
    }
    let mut bytes = Vec::new();
    // What is no file may wait for somebody who never comes, or have no end.
    let found = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !found.is_file() {
        return Err(unreadable("this is not a file".into()));
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(unreadable("a secret has 1 MiB at most".into()));
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NotUtf8(path.to_owned()))?;
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(line.unwrap_or(&text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::redacted;

    fn of(text: &str) -> Template {
        Template::of(text).expect("it is well written")
    }

    #[test]
    fn a_text_is_read_as_it_is_written_and_shown_so() {
        for (text, plain) in [("", ""), ("a", "a"), ("a$b", "a$b"), ("5$", "5$"), ("a$$b", "a$b"), ("$${A}", "${A}"), ("$$$$", "$$")] {
            assert!(of(text).is_plain(), "{text}");
            assert_eq!(of(text).value().as_deref(), Ok(plain), "{text}");
        }
        assert_eq!(of("u:${CARGO_PKG_NAME}@$$h").value().as_deref(), Ok("u:weir-secrets@$h"));
        assert_eq!((of("u:${A_1}@$$h").to_string(), format!("{:?}", of("${A}"))), ("u:${A_1}@$$h".into(), "\"${A}\"".into()));
        for (text, part) in [("x${", "${"), ("${}", "${}"), ("${1A}", "${1A}"), ("${A", "${A"), ("${A B}c", "${A B}")] {
            assert_eq!(Template::of(text), Err(SecretError::Misspelt(part.into())), "{text}");
        }
        assert_eq!(of("${WEIR_NOT_SET_ANYWHERE}").value(), Err(SecretError::Unset("WEIR_NOT_SET_ANYWHERE".into())));
    }

    #[test]
    fn a_file_is_read_anew_each_time_and_what_it_held_is_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let template = Template::of_file(path.to_str().expect("UTF-8")).expect("it is well written");
        assert!(matches!(template.value(), Err(SecretError::Unreadable { .. })));
        for (bytes, value) in [("first-value\n", "first-value"), ("second\nvalue\r\n", "second\nvalue"), ("third-value", "third-value")] {
            std::fs::write(&path, bytes).expect("a file");
            assert_eq!(template.value().as_deref(), Ok(value));
            assert_eq!(redacted(&format!("<{value}>")), format!("<{template}>"));
        }
        std::fs::write(&path, [0xff]).expect("a file");
        assert!(matches!(template.value(), Err(SecretError::NotUtf8(_))));
        std::fs::write(&path, vec![b'x'; FILE_BYTES as usize + 1]).expect("a file");
        assert!(matches!(template.value(), Err(SecretError::Unreadable { .. })));
        for path in ["relative", "/", "/dev/zero"] {
            assert!(matches!(Template::of_file(path).map(|file| file.value()), Ok(Err(SecretError::Unreadable { .. }))), "{path}");
        }
    }

    #[test]
    fn a_variable_is_hidden_only_at_a_place_for_secrets() {
        // A variable that cargo sets.
        let template = of("${CARGO_PKG_RUST_VERSION}-x");
        let value = template.value().expect("cargo sets it");
        assert_eq!(redacted(&value), value);
        let secret = of("${CARGO_MANIFEST_DIR}").secret().expect("cargo sets it");
        assert_eq!(redacted(&format!("in {secret}!")), "in ${CARGO_MANIFEST_DIR}!");
    }
}
