//! Opens a bucket of S3, or of a server that speaks like it, as the usual variables of the process's environment say.
//!
//! A request is sent once and has a time limit; the one loop that tries again is the engine's own ([`super::retry`]). What only the user
//! can mend is told from what may pass: it fails at once, with a hint.

use crate::error::{EngineError, ErrorKind};
use std::collections::BTreeMap;

/// Variables of an environment, by name.
pub type Variables = BTreeMap<String, String>;

/// Larger objects are written and read in parts of this size, so that none needs longer than a request may take.
pub(super) const PART_BYTES: usize = 8 << 20;

/// What the user can do about an error that stays, by what the server says.
const REMEDIES: [(&str, &str); 5] = [
    ("NoSuchBucket", "there is no such bucket; make it, or correct `storage`"),
    ("AuthorizationHeaderMalformed", "AWS_REGION has to be the bucket's region"),
    ("incorrectly configured region", "AWS_REGION has to be the bucket's region"),
    ("PermanentRedirect", "AWS_REGION has to be the bucket's region"),
    ("conditional put is disabled", "leave AWS_CONDITIONAL_PUT out"),
];

/// What only the user can do about `error`; `None` where it may pass.
pub(super) fn remedy(error: &object_store::Error) -> Option<&'static str> {
    use object_store::Error;
    if let Error::PermissionDenied { .. } | Error::Unauthenticated { .. } = error {
        return Some(
            "the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) have to allow reading, writing, listing and deleting there",
        );
    }
    let said = error.to_string();
    REMEDIES.iter().find(|(sign, _)| said.contains(sign)).map(|(_, hint)| *hint)
}

/// What to look at where no server answers.
pub(super) const UNREACHABLE: &str =
    "nobody answers at that address: AWS_ENDPOINT_URL says where the server is; without it AWS_REGION has to be a region that there is";

/// True where no server was spoken to: none listens there, or there is none of that name.
pub(super) fn is_unreachable(error: &object_store::Error) -> bool {
    use std::io::ErrorKind;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if let Some(ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) = kind {
            return true;
        }
        if error.to_string().contains("dns error") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Those of the process that S3 may know.
pub(super) fn variables_of_process() -> Variables {
    let text = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    text.filter(|(name, _)| name.starts_with("AWS_")).collect()
}

fn fix_input(message: impl Into<String>, hint: &str) -> EngineError {
    EngineError::new(ErrorKind::FixInput, message).with_hint(hint)
}

#[cfg(feature = "s3")]
pub(super) use client::open;

/// Stands in for the client of a weir that has none.
#[cfg(not(feature = "s3"))]
pub(super) async fn open(
    _bucket: &str,
    _variables: &Variables,
    _requests: tokio::runtime::Handle,
) -> Result<std::sync::Arc<dyn object_store::ObjectStore>, EngineError> {
    Err(fix_input("this weir was built without S3", "build it with `--features s3`, or use a folder: `storage = \"file:.weir\"`"))
}

#[cfg(feature = "s3")]
mod client {
    use super::{Variables, fix_input};
    use crate::error::EngineError;
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
    use object_store::client::SpawnedReqwestConnector;
    use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
    use std::sync::Arc;
    use tokio::runtime::Handle;

    const CONNECT_TIMEOUT: &str = "5s";
    const REQUEST_TIMEOUT: &str = "30s";
    const CREDENTIALS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

    /// Opens `bucket`, with credentials at hand. `requests`: where requests run. No thread that may be inside a guest has a connection to
    /// drive.
    pub(in super::super) async fn open(bucket: &str, variables: &Variables, requests: Handle) -> Result<Arc<dyn ObjectStore>, EngineError> {
        let builder = builder(bucket, variables)?.with_http_connector(SpawnedReqwestConnector::new(requests));
        // Another library of this process may have installed one; any will do.
        _ = rustls::crypto::ring::default_provider().install_default();
        let store = builder.build().map_err(|error| fix_input(error.to_string(), CREDENTIALS))?;
        // Those of the environment are there at once. Without them the machine itself is asked, which has them in a cloud only.
        let credentials = store.credentials().get_credential().await;
        credentials.map_err(|error| fix_input(format!("no credentials: {error}"), CREDENTIALS))?;
        Ok(Arc::new(store))
    }

    fn builder(bucket: &str, variables: &Variables) -> Result<AmazonS3Builder, EngineError> {
        refuse_plain_http(variables)?;
        let mut builder = AmazonS3Builder::new()
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT_TIMEOUT)
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT);
        for (name, value) in variables {
            // Others are meant for other programs.
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        Ok(builder.with_bucket_name(bucket).with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() }))
    }

    /// The client would refuse each request, as if the server could not be reached.
    fn refuse_plain_http(variables: &Variables) -> Result<(), EngineError> {
        let allowed = variables.get("AWS_ALLOW_HTTP").is_some_and(|allow| matches!(allow.to_ascii_lowercase().as_str(), "true" | "1"));
        let endpoints = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
        match endpoints.iter().find(|name| variables.get(**name).is_some_and(|url| url.starts_with("http://"))) {
            Some(name) if !allowed => {
                Err(fix_input(format!("{name} is an address without encryption"), "set AWS_ALLOW_HTTP=true where that is meant"))
            }
            Some(_) | None => Ok(()),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn settings(variables: &[(&str, &str)]) -> Result<AmazonS3Builder, String> {
            let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            builder("bucket", &variables).map_err(|error| format!("{error}; {}", error.hint().unwrap_or("no hint")))
        }

        #[test]
        fn the_usual_variables_are_read() {
            let variables = [
                ("AWS_ACCESS_KEY_ID", "me"),
                ("AWS_ENDPOINT_URL", "http://localhost:1"),
                ("AWS_ALLOW_HTTP", "true"),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_PROFILE", "mine"),
            ];
            let builder = settings(&variables).expect("fine variables");
            let check = |key, expect: &str| assert_eq!(builder.get_config_value(&key).as_deref(), Some(expect));
            check(AmazonS3ConfigKey::Bucket, "bucket");
            check(AmazonS3ConfigKey::AccessKeyId, "me");
            check(AmazonS3ConfigKey::Endpoint, "http://localhost:1");
            check(AmazonS3ConfigKey::Region, "eu-west-1");
        }

        #[test]
        fn an_address_without_encryption_is_used_only_where_that_is_meant() {
            let refused = "AWS_ENDPOINT is an address without encryption; set AWS_ALLOW_HTTP=true where that is meant";
            assert_eq!(settings(&[("AWS_ENDPOINT", "http://localhost:1")]).err().as_deref(), Some(refused));
            let not_allowed = [("AWS_ENDPOINT", "http://localhost:1"), ("AWS_ALLOW_HTTP", "false")];
            assert_eq!(settings(&not_allowed).err().as_deref(), Some(refused));
            assert!(settings(&[("AWS_ENDPOINT", "https://localhost:1")]).is_ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::Error;

    fn said(what: &str) -> Error {
        Error::Generic { store: "S3", source: what.into() }
    }

    #[test]
    fn a_server_that_is_not_there_is_told_from_one_that_says_no() {
        let io = |kind: std::io::ErrorKind| Error::Generic { store: "S3", source: std::io::Error::from(kind).into() };
        assert!(is_unreachable(&io(std::io::ErrorKind::ConnectionRefused)) && is_unreachable(&said("dns error: no such name")));
        assert!(!is_unreachable(&io(std::io::ErrorKind::TimedOut)) && !is_unreachable(&said("503 SlowDown")));
    }

    #[test]
    fn what_may_pass_has_no_remedy_and_what_stays_has_one() {
        assert_eq!(remedy(&said("503 SlowDown")), None);
        assert_eq!(remedy(&said("operation timed out")), None);
        assert!(remedy(&said("<Code>NoSuchBucket</Code>")).is_some_and(|hint| hint.contains("no such bucket")));
        let denied = Error::PermissionDenied { path: "log".into(), source: "403".into() };
        assert!(remedy(&denied).is_some_and(|hint| hint.contains("AWS_ACCESS_KEY_ID")));
    }
}
