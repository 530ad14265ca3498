//! How a cluster is spoken to: encrypted or not, and as whom. What stands for a secret is read each time that a client is made, so one that was replaced holds from
//! the next client on.

use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::tls::{ClientTexts, Tls, TlsError, TlsTexts};
use crate::settings::{Settings, SettingsError};
use std::collections::BTreeMap;
use std::path::Path;
use weir_secrets::{SecretError, Template};

/// Of sources and sinks.
pub(super) const TLS: Setting = Setting::new(
    "tls",
    Kind::Other("`true` or `{ ca, certificate, key }`"),
    Fallback::Nothing,
    "The connection is encrypted, and the broker's certificate verified: by the authorities that the machine trusts, or by those of `ca`. `certificate` and `key` are the client's own. Each is a path or PEM itself: `tls = { ca = \"ca.pem\", key = \"${KEY}\" }`.",
);

/// Of sources and sinks.
pub(super) const SASL: Setting = Setting::new(
    "sasl",
    Kind::Other("`{ mechanism, username, password }`"),
    Fallback::Nothing,
    "Who weir is for the cluster; `mechanism` is `\"PLAIN\"`, `\"SCRAM-SHA-256\"` or `\"SCRAM-SHA-512\"`. The password is read at each connect: `password = \"${PASSWORD}\"` or `password = { file = \"/run/secrets/kafka\" }`.",
);

const SASL_TABLE: &[Setting] = &[
    Setting::new("mechanism", Kind::Text, Fallback::Required("\"SCRAM-SHA-512\""), ""),
    Setting::new("username", Kind::Text, Fallback::Required("\"weir\""), ""),
    Setting::new("password", Kind::Text, Fallback::Required("\"${PASSWORD}\""), ""),
];

/// The mechanisms that there are.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// What librdkafka is told of it, by the names of its options, as it is at one time.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Credentials(BTreeMap<&'static str, String>);

impl Credentials {
    /// True where the client has a certificate of its own.
    pub(super) fn has_certificate(&self) -> bool {
        self.0.contains_key("ssl.certificate.pem")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// What a job file says of it.
#[derive(Clone, Default)]
pub(super) struct Security {
    tls: Option<Tls>,
    sasl: Option<Sasl>,
}

#[derive(Clone)]
struct Sasl {
    mechanism: &'static str,
    username: Template,
    password: Template,
}

impl Security {
    /// Reads `tls` and `sasl`, and what they stand for by now. Paths are those of `base_dir`.
    pub(super) fn read(settings: &mut Settings<'_>, base_dir: &Path) -> Result<Self, SettingsError> {
        let security = Self { tls: settings.tls(base_dir)?, sasl: sasl(settings)? };
        security.now().map(|_| security)
    }

    /// What librdkafka is to be told now.
    pub(super) fn now(&self) -> Result<Credentials, SettingsError> {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        let mut told = BTreeMap::from([("security.protocol", protocol.to_owned())]);
        if let Some(tls) = &self.tls {
            let wrong = |error: TlsError| SettingsError::at(error.setting, error.to_string()).within("tls");
            let TlsTexts { ca, client } = tls.read().map_err(wrong)?;
            match ca {
                Some(ca) => _ = told.insert("ssl.ca.pem", ca),
                // Where the machine has its authorities, which is another place than where OpenSSL was built.
                None => _ = told.insert("ssl.ca.location", "probe".to_owned()),
            }
            if let Some(ClientTexts { certificate, key }) = client {
                told.extend([("ssl.certificate.pem", certificate), ("ssl.key.pem", key)]);
            }
        }
        if let Some(Sasl { mechanism, username, password }) = &self.sasl {
            let now = |name: &str, text: &Template| text.secret().map_err(|error| unread(name, &error).within("sasl"));
            let (username, password) = (now("username", username)?, now("password", password)?);
            told.extend([("sasl.mechanism", (*mechanism).to_owned()), ("sasl.username", username), ("sasl.password", password)]);
        }
        Ok(Credentials(told))
    }

    /// As whom, for messages; `None`: as nobody.
    pub(super) fn who(&self) -> Option<String> {
        self.sasl.as_ref().map(|sasl| format!("{} as the user `{}`", sasl.mechanism, sasl.username))
    }

    /// The user whom the cluster knows this client as, where it says one.
    pub(super) fn user(&self) -> Option<String> {
        self.sasl.as_ref().map(|sasl| sasl.username.to_string())
    }

    /// True where authorities of one's own are named.
    pub(super) fn names_ca(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::names_ca)
    }
}

fn unread(name: &str, error: &SecretError) -> SettingsError {
    SettingsError::at(name, format!("`{name}`: {error}")).with_hint(error.hint())
}

fn sasl(settings: &mut Settings<'_>) -> Result<Option<Sasl>, SettingsError> {
    let Some(mut table) = settings.table("sasl", SASL_TABLE) else {
        if settings.is_given("sasl") {
            // What it says is not shown: it may be all three in one.
            return Err(SettingsError::at("sasl", "`sasl` of `kafka` must be a table with `mechanism`, `username` and `password`"));
        }
        settings.other("sasl", "", |_| None::<()>)?;
        return Ok(None);
    };
    let mut read = || -> Result<Sasl, SettingsError> {
        let said = table.required_text("mechanism")?;
        let mechanism = MECHANISMS.into_iter().find(|known| *known == said).ok_or_else(|| {
            let words = MECHANISMS.map(|known| format!("\"{known}\"")).join(", ");
            SettingsError::at("mechanism", format!("`mechanism` of `sasl` must be one of {words}, not {said:?}"))
        })?;
        let username = table.secret("username")?.ok_or_else(|| SettingsError::at("username", "`sasl` of `kafka` needs `username`"))?;
        let password = table.secret("password")?.ok_or_else(|| SettingsError::at("password", "`sasl` of `kafka` needs `password`"))?;
        Ok(Sasl { mechanism, username, password })
    };
    let sasl = read().map_err(|error| error.within("sasl"))?;
    let shown = table.finish().map_err(|error| error.within("sasl"))?;
    settings.show("sasl", shown);
    Ok(Some(sasl))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(security: &Security, name: &str) -> Option<String> {
        security.now().expect("it can be read").iter().find(|(option, _)| *option == name).map(|(_, value)| value.to_owned())
    }

    #[test]
    fn what_librdkafka_is_told_says_whether_and_as_whom_and_a_password_is_read_each_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        std::fs::write(&file, "first\n").expect("a file");
        let password = Template::of_file(file.to_str().expect("UTF-8")).expect("it is well written");
        let username = Template::of("weir").expect("a text");
        let sasl = Some(Sasl { mechanism: "PLAIN", username, password });
        let tls = || Some(Tls::of_system());
        let protocol = |tls, sasl| told(&Security { tls, sasl }, "security.protocol");
        assert_eq!(
            [protocol(None, None), protocol(tls(), None), protocol(None, sasl.clone()), protocol(tls(), sasl.clone())].map(Option::unwrap),
            ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
        );
        let security = Security { tls: tls(), sasl };
        assert_eq!(told(&security, "ssl.ca.location").as_deref(), Some("probe"));
        let before = security.now().expect("it can be read");
        std::fs::write(&file, "second\n").expect("a file");
        assert_eq!(told(&security, "sasl.password").as_deref(), Some("second"));
        assert!(before != security.now().expect("it can be read"));
        std::fs::remove_file(&file).expect("it is there");
        assert_eq!(security.now().err().and_then(|error| error.field).as_deref(), Some("sasl.password"));
    }
}
