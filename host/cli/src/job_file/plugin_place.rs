//! Where a plugin is, as a job file or a command line names it: a file, something in a registry, or a component by its digest.
//!
//! A reference says all of it: the registry's host is never guessed, and neither is a tag. What docker makes of `alpine` is a surprise in a job file.

use std::fmt;

/// What a reference to a registry begins with.
const OCI: &str = "oci:";
/// What a digest begins with.
const SHA256: &str = "sha256:";
/// Bytes of a registry's host, or of a name in it.
const NAME_BYTES: usize = 255;
/// Bytes of a tag.
const TAG_BYTES: usize = 128;

/// Where a plugin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginPlace {
    /// In a file.
    File,
    /// In a registry.
    Registry(OciReference),
    /// Wherever a component with this SHA-256 is kept, in hex.
    Digest(String),
}

/// A component in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciReference {
    /// The registry's host, with its port where it has one.
    pub registry: String,
    /// Its name there.
    pub repository: String,
    /// Its tag, which may come to mean another one.
    pub tag: Option<String>,
    /// `sha256:` and the digest of its manifest, which means this one for good.
    pub digest: Option<String>,
}

/// Why a place is none, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPlace {
    /// Why.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl PluginPlace {
    /// Reads what a job file or a command line says.
    pub fn of(written: &str) -> Result<Self, BadPlace> {
        if let Some(reference) = written.strip_prefix(OCI) {
            return OciReference::parse(reference).map(Self::Registry);
        }
        match written.strip_prefix(SHA256) {
            Some(hex) if is_sha256(hex) => Ok(Self::Digest(hex.to_owned())),
            Some(_) => Err(bad("a digest is `sha256:` and 64 of the characters 0-9 and a-f", "`weir plugin inspect` shows a component's")),
            None if OciReference::parse(written).is_ok() => {
                let hint = format!("write `{OCI}{written}` for what is in a registry, or `./{written}` for a file");
                Err(bad("it looks like a reference to a registry, and says that it is a file", hint))
            }
            None => Ok(Self::File),
        }
    }
}

impl OciReference {
    /// Reads `REGISTRY/NAME:TAG`, `REGISTRY/NAME@sha256:DIGEST` or both, with `oci:` in front or without.
    pub fn parse(written: &str) -> Result<Self, BadPlace> {
        let rest = written.strip_prefix(OCI).unwrap_or(written);
        let (named, digest) = match rest.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (rest, None),
        };
        if digest.is_some_and(|digest| !digest.strip_prefix(SHA256).is_some_and(is_sha256)) {
            return Err(bad("behind `@` belongs `sha256:` and 64 of the characters 0-9 and a-f", "`weir plugin push` prints it"));
        }
        let Some((registry, path)) = named.split_once('/').filter(|(registry, _)| is_host(registry)) else {
            return Err(bad("it does not begin with a registry's host", "write `oci:registry.example.com/team/name:1.0.0`"));
        };
        // A colon behind the last slash: the host's port is in front of the first.
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if repository.len() > NAME_BYTES || !repository.split('/').all(is_name_part) {
            return Err(bad("a name in a registry is of a-z, 0-9 and single `.`, `_`, `-` between them, parted by `/`", EXAMPLE));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(bad("a tag is of at most 128 letters, digits, `_`, `.` and `-`", EXAMPLE));
        }
        if tag.is_none() && digest.is_none() {
            return Err(bad("it names neither a tag nor a digest", format!("write which: `oci:{named}:latest`, or a version's tag")));
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), tag: owned(tag), digest: owned(digest) })
    }

    /// The same, where its manifest has this digest.
    pub fn at(&self, digest: &str) -> Self {
        Self { digest: Some(digest.to_owned()), ..self.clone() }
    }

    /// True where the registry is this machine: it is spoken to without encryption.
    pub fn is_local(&self) -> bool {
        let host = self.registry.rsplit_once(':').map_or(&*self.registry, |(host, _)| host);
        host == "localhost" || host.strip_prefix("127.").is_some_and(|rest| rest.split('.').all(|part| part.parse::<u8>().is_ok()))
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OCI}{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

const EXAMPLE: &str = "write `oci:registry.example.com/team/name:1.0.0`";

fn bad(message: impl Into<String>, hint: impl Into<String>) -> BadPlace {
    BadPlace { message: message.into(), hint: hint.into() }
}

fn is_sha256(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A dot, a port or `localhost` tell a host from the first part of a name.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= NAME_BYTES
        && host.split('.').all(is_label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && (port.is_some() || host == "localhost" || host.contains('.'))
}

fn is_name_part(part: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = part.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(byte);
    is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(inner) && !part.contains("..") && !part.contains("___")
}

fn is_tag(tag: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=TAG_BYTES).contains(&tag.len()) && tag.bytes().all(inner) && !tag.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_place_is_a_file_unless_it_begins_like_something_else() {
        for file in ["count.wasm", "../oci/count.wasm", "target/sha256.wasm", "C:count.wasm", ""] {
            assert_eq!(PluginPlace::of(file), Ok(PluginPlace::File), "{file}");
        }
        assert_eq!(PluginPlace::of(DIGEST), Ok(PluginPlace::Digest(DIGEST[7..].into())));
        assert!(PluginPlace::of(&DIGEST[..70]).is_err() && PluginPlace::of(&DIGEST.to_uppercase().replace("SHA", "sha")).is_err());
    }

    #[test]
    fn a_reference_reads_as_it_is_written() {
        for written in ["localhost:5000/count:1", "ghcr.io/team/word-count/count:1.2.3-rc.1", "127.0.0.1:1/a__b/c--d:latest", "a.b/c:V_1"] {
            for written in [written.to_owned(), format!("{written}@{DIGEST}")] {
                let reference = OciReference::parse(&written).unwrap_or_else(|bad| panic!("{written}: {bad:?}"));
                assert_eq!(reference.to_string(), format!("oci:{written}"));
                assert_eq!(OciReference::parse(&reference.to_string()), Ok(reference));
            }
        }
        let reference = OciReference::parse(&format!("localhost:5000/count@{DIGEST}")).expect("a digest is enough");
        assert_eq!((reference.tag, reference.digest.as_deref()), (None, Some(DIGEST)));
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        let check = |written: &str, expect: &str| {
            let bad = OciReference::parse(written).expect_err(written);
            assert!(bad.message.contains(expect), "{written}: {}", bad.message);
        };
        ["alpine:1", "team/count:1", "", "/count:1", "-a.b/c:1", "a.b:0/c:1", "a.b:99999/c:1", "https://a.b/c:1", "a..b/c:1"]
            .iter()
            .for_each(|written| check(written, "a registry's host"));
        ["a.b/:1", "a.b/Count:1", "a.b/c//d:1", "a.b/../d:1", "a.b/c..d:1", "a.b/c?x:1", "a.b/-c:1", "a.b/c d:1"]
            .iter()
            .for_each(|written| check(written, "a name in a registry"));
        ["a.b/c:", "a.b/c:.1", "a.b/c:a b", "a.b/c:a\n"].iter().for_each(|written| check(written, "a tag"));
        check("a.b/c", "neither a tag nor a digest");
        check("a.b/c:1@sha256:12", "behind `@`");
        check("a.b/c:1@sha512:12", "behind `@`");
        check(&format!("a.b/{}:1", "c".repeat(256)), "a name in a registry");
    }

    #[test]
    fn only_this_machine_is_local() {
        let local = |written: &str| OciReference::parse(written).expect("a reference").is_local();
        assert!(local("localhost/a:1") && local("localhost:5000/a:1") && local("127.0.0.1:5000/a:1") && local("127.1.2.3/a:1"));
        assert!(!local("localhost.example.com/a:1") && !local("127.0.0.1.example.com/a:1") && !local("10.0.0.1:5000/a:1"));
    }
}
