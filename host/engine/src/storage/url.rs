//! Where a job's objects go: the URL of `storage`, understood. Pure.

/// The longest and the shortest name of a bucket.
const BUCKET_CHARACTERS: std::ops::RangeInclusive<usize> = 3..=63;

/// Storage as a URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageUrl {
    /// `file:FOLDER`.
    File(String),
    /// `memory:`, gone with the process.
    Memory,
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`; no prefix is an empty one.
    S3 {
        /// The bucket.
        bucket: String,
        /// Where in it, without a slash at either end.
        prefix: String,
    },
}

/// Why a text is not the URL of storage that weir can open, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadStorageUrl {
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub hint: String,
    /// True where it is a scheme that is planned and not built yet.
    pub not_built: bool,
}

impl StorageUrl {
    /// Understands `url`.
    pub fn parse(url: &str) -> Result<Self, BadStorageUrl> {
        match url.split_once(':') {
            None => Err(bad("the storage is not a URL", format!("did you mean `file:{url}`?"))),
            Some(("file", folder)) => match folder.strip_prefix("//").unwrap_or(folder) {
                "" => Err(bad("the storage's URL names no folder", "for example `storage = \"file:.weir\"`")),
                folder => Ok(Self::File(folder.to_owned())),
            },
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("memory", _)) => Err(bad("storage in memory has no name", "write `storage = \"memory:\"`")),
            Some(("s3", rest)) => bucket_and_prefix(rest),
            Some((scheme @ ("gs" | "az"), _)) => {
                let message = format!("storage on `{scheme}:` is not built yet");
                let hint = "use a folder, `storage = \"file:.weir\"`, or a bucket, `storage = \"s3://bucket/prefix\"`";
                Err(BadStorageUrl { not_built: true, ..bad(message, hint) })
            }
            Some((scheme, _)) => {
                let hint = "known are `file:FOLDER`, `s3://BUCKET/PREFIX` and `memory:`";
                Err(bad(format!("storage on `{scheme}:` is not known"), hint))
            }
        }
    }
}

fn bad(message: impl Into<String>, hint: impl Into<String>) -> BadStorageUrl {
    BadStorageUrl { message: message.into(), hint: hint.into(), not_built: false }
}

fn bucket_and_prefix(rest: &str) -> Result<StorageUrl, BadStorageUrl> {
    let example = "for example `storage = \"s3://bucket/prefix\"`";
    let Some(path) = rest.strip_prefix("//").filter(|path| !path.is_empty() && !path.starts_with('/')) else {
        return Err(bad("the storage's URL names no bucket", example));
    };
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if !is_bucket(bucket) {
        let hint = "a bucket's name has 3 to 63 of the characters a-z, 0-9, `-` and `.`, a letter or digit at both ends";
        return Err(bad(format!("`{bucket}` is not a bucket's name"), hint));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() && !prefix.split('/').all(is_segment) {
        let hint = "between its slashes it has letters, digits, `-`, `_`, `=` and `.`";
        return Err(bad(format!("`{prefix}` is not a prefix in a bucket"), hint));
    }
    Ok(StorageUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn is_bucket(name: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    BUCKET_CHARACTERS.contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && end(bytes.first())
        && end(bytes.last())
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expect: StorageUrl) {
        assert_eq!(StorageUrl::parse(url), Ok(expect), "{url}");
    }

    #[track_caller]
    fn refuse(url: &str, expect: &str) {
        let bad = StorageUrl::parse(url).expect_err(url);
        assert_eq!(bad.message, expect, "{url}");
        assert!(!bad.hint.is_empty(), "{url}");
    }

    #[test]
    fn urls_of_every_kind_are_understood() {
        let s3 = |bucket: &str, prefix: &str| StorageUrl::S3 { bucket: bucket.into(), prefix: prefix.into() };
        check("file:.weir", StorageUrl::File(".weir".into()));
        check("file:///var/weir", StorageUrl::File("/var/weir".into()));
        check("memory:", StorageUrl::Memory);
        check("s3://my-bucket", s3("my-bucket", ""));
        check("s3://my-bucket/", s3("my-bucket", ""));
        check("s3://my.bucket.1/jobs/day=1/", s3("my.bucket.1", "jobs/day=1"));
    }

    #[test]
    fn malformed_urls_are_refused_with_what_is_wrong() {
        refuse(".weir", "the storage is not a URL");
        refuse("file:", "the storage's URL names no folder");
        refuse("file://", "the storage's URL names no folder");
        refuse("memory:x", "storage in memory has no name");
        refuse("s3:bucket", "the storage's URL names no bucket");
        refuse("s3:/bucket/prefix", "the storage's URL names no bucket");
        refuse("s3://", "the storage's URL names no bucket");
        refuse("s3:///prefix", "the storage's URL names no bucket");
        refuse("s3://My_Bucket/prefix", "`My_Bucket` is not a bucket's name");
        refuse("s3://ab", "`ab` is not a bucket's name");
        refuse("s3://bucket-", "`bucket-` is not a bucket's name");
        refuse("s3://bucket//prefix", "`/prefix` is not a prefix in a bucket");
        refuse("s3://bucket/a/../b", "`a/../b` is not a prefix in a bucket");
        refuse("s3://bucket/a?b", "`a?b` is not a prefix in a bucket");
        refuse("gs://bucket", "storage on `gs:` is not built yet");
        refuse("az://bucket", "storage on `az:` is not built yet");
        refuse("ftp://host", "storage on `ftp:` is not known");
    }
}
