//! A file's name as users and checkpoints know it: the path from the job file's folder where it lies below it, else the whole path.
//!
//! This is the one place where such a name is made of a path and a path of such a name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use weir_engine::shown_text::is_unshowable;

/// The name. In a checkpoint it is a text, or `{"base64": …}` where its bytes are none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileName(OsString);

impl FileName {
    /// Of a file of a job whose file lies in `folder`.
    pub(crate) fn of(path: &Path, folder: &Path) -> Self {
        Self(path.strip_prefix(folder).ok().filter(|inner| !inner.as_os_str().is_empty()).unwrap_or(path).into())
    }

    /// By the whole path, wherever the job lies.
    pub(crate) fn whole(path: &Path) -> Self {
        Self(path.into())
    }

    /// True where it is a whole path.
    pub(crate) fn is_absolute(&self) -> bool {
        Path::new(&self.0).is_absolute()
    }

    /// Where the file lies, for a job whose file lies in `folder`.
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }
}

impl From<&str> for FileName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// As it is, where that can be read; else in quotation marks, with what cannot be shown escaped. No two names look alike.
impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_str() {
            Some(name) if !name.starts_with('"') && !name.chars().any(is_unshowable) => f.write_str(name),
            Some(_) | None => escaped(&self.0, f),
        }
    }
}

fn escaped(name: &OsStr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                c if is_unshowable(c) => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
    }
    f.write_char('"')
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    #[serde(rename_all = "lowercase")]
    Bytes {
        base64: String,
    },
}

impl Serialize for FileName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = match self.0.to_str() {
            Some(text) => Stored::Text(text.into()),
            None => Stored::Bytes { base64: STANDARD.encode(self.0.as_bytes()) },
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Stored::deserialize(deserializer)? {
            Stored::Text(text) => Ok(Self(text.into())),
            Stored::Bytes { base64 } => {
                let bytes = STANDARD.decode(base64).map_err(|e| serde::de::Error::custom(format!("a file's name: {e}")))?;
                Ok(Self(OsString::from_vec(bytes)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_from_a_checkpoint_and_no_two_look_alike() {
        let names: [&[u8]; 12] = [
            b"a.csv",
            b"a\xff",
            b"\"a\\xff\"",
            b"a\\xff",
            b"a\n",
            b"\"a\\n\"",
            "a\u{202e}b".as_bytes(),
            b"",
            b"\xff\xfe/\xc3",
            "a\u{fe0f}.csv".as_bytes(),
            "a\u{e0041}.csv".as_bytes(),
            "\u{3164}".as_bytes(),
        ];
        let mut shown = std::collections::BTreeSet::new();
        for bytes in names {
            let name = FileName(OsStr::from_bytes(bytes).into());
            let stored = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<FileName>(&stored).unwrap(), name, "{stored}");
            assert!(shown.insert(name.to_string()), "{name}");
            assert!(!name.to_string().contains(is_unshowable), "{name}");
        }
        assert_eq!(FileName(OsStr::from_bytes(b"a\xff\n").into()).to_string(), "\"a\\xff\\n\"");
        for unseen in ['\u{fe0f}', '\u{e0041}', '\u{3164}', '\u{202e}'] {
            assert!(!FileName::from(&*format!("a{unseen}.csv")).to_string().contains(unseen), "{unseen:?}");
        }
        assert_eq!(serde_json::to_string(&FileName::from("a.csv")).unwrap(), "\"a.csv\"", "as checkpoints have always had it");
    }

    #[test]
    fn a_name_is_relative_to_the_jobs_folder_where_the_file_lies_below_it() {
        for (path, name) in [("/job/data/a.csv", "data/a.csv"), ("/job/../b.csv", "../b.csv"), ("/other/c.csv", "/other/c.csv")] {
            let found = FileName::of(Path::new(path), Path::new("/job"));
            assert_eq!((found.to_string().as_str(), found.path(Path::new("/job"))), (name, PathBuf::from(path)));
        }
    }
}
