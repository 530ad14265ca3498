//! `tls` of a connector that has a client: `true` for the roots that the system trusts, or a table with a CA, a certificate and a key of one's own.
//!
//! Each of them is PEM, or the path of a file with PEM, and is read anew at each connect: a certificate that is renewed in its place holds from the next connection on.

use super::steps::TLS;
use super::{Settings, SettingsError};
use serde_json::Value;
use std::path::{Path, PathBuf};
use weir_secrets::Template;

/// How each block of PEM begins.
const BEGIN: &str = "-----BEGIN";
/// Bytes that are read of a file: a bundle of all roots that there are is a fifth of it.
const FILE_BYTES: u64 = 1 << 20;

/// That a server is spoken to by TLS, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    /// The job file's folder.
    base_dir: PathBuf,
    ca: Option<Template>,
    /// Certificate and key.
    client: Option<(Template, Template)>,
}

/// What the settings come to now, as PEM.
pub(crate) struct TlsTexts {
    /// Who vouches for the server; `None`: the roots that the system trusts.
    pub ca: Option<String>,
    /// What the server is shown; `None`: nothing.
    pub client: Option<ClientTexts>,
}

/// A client's certificate and its key, as PEM.
pub(crate) struct ClientTexts {
    pub certificate: String,
    pub key: String,
}

impl Settings<'_> {
    /// The setting `tls`; `None`: the server is spoken to as it is. That what it names can be read is seen here as well.
    pub(crate) fn tls(&mut self, base_dir: &Path) -> Result<Option<Tls>, SettingsError> {
        let Some(mut table) = self.table("tls", TLS) else {
            let is_on = self.other("tls", "true, false or a table", Value::as_bool)?;
            let tls = Tls { base_dir: base_dir.to_owned(), ca: None, client: None };
            return Ok(is_on.unwrap_or(false).then_some(tls));
        };
        let within = |error: SettingsError| error.within("tls");
        let mut part = |name: &str| table.secret(name).map_err(within);
        let (ca, certificate, key) = (part("ca")?, part("certificate")?, part("key")?);
        if key.as_ref().is_some_and(|key| key.is_plain() && key.to_string().starts_with(BEGIN)) {
            table.show("key", "***");
        }
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(within(SettingsError::at("certificate", "`tls.certificate` needs its `key`"))),
            (None, Some(_)) => return Err(within(SettingsError::at("key", "`tls.key` needs its `certificate`"))),
        };
        self.show("tls", table.finish().map_err(within)?);
        let tls = Tls { base_dir: base_dir.to_owned(), ca, client };
        tls.read().map_err(|TlsError { setting, why }| within(SettingsError::at(setting, format!("`tls.{setting}`: {why}"))))?;
        Ok(Some(tls))
    }
}

/// What is wrong with one of the texts; nothing of it is in there.
#[derive(Debug, thiserror::Error)]
#[error("`tls.{setting}`: {why}")]
pub(crate) struct TlsError {
    pub setting: &'static str,
    pub why: String,
}

impl Tls {
    /// The roots that the system trusts.
    #[cfg(test)]
    pub(crate) fn of_system() -> Self {
        Self { base_dir: PathBuf::new(), ca: None, client: None }
    }

    /// True where a CA of one's own is named.
    pub(crate) fn names_ca(&self) -> bool {
        self.ca.is_some()
    }

    /// What the settings come to now.
    pub(crate) fn read(&self) -> Result<TlsTexts, TlsError> {
        let certificates = |setting, template: &Template| self.pem(setting, template, "-----BEGIN CERTIFICATE-----", "certificate");
        let ca = self.ca.as_ref().map(|ca| certificates("ca", ca)).transpose()?;
        let client = match &self.client {
            None => None,
            Some((certificate, key)) => {
                let certificate = certificates("certificate", certificate)?;
                let key = self.pem("key", key, " PRIVATE KEY-----", "private key")?;
                if key.contains("BEGIN ENCRYPTED") || key.contains("Proc-Type: 4,ENCRYPTED") {
                    let why = "this key has a passphrase, which weir does not take: `openssl pkey` writes one without".into();
                    return Err(TlsError { setting: "key", why });
                }
                Some(ClientTexts { certificate, key })
            }
        };
        Ok(TlsTexts { ca, client })
    }

    /// A text, or what the file that it names has; it has to have `mark` in it.
    fn pem(&self, setting: &'static str, template: &Template, mark: &str, what: &str) -> Result<String, TlsError> {
        let wrong = |why: String| TlsError { setting, why };
        let said = template.secret().map_err(|error| wrong(error.to_string()))?;
        if said.trim_start().starts_with(BEGIN) {
            return if said.contains(mark) { Ok(said) } else { Err(wrong(format!("there is no {what} in this PEM"))) };
        }
        let path = self.base_dir.join(&said);
        let text = file(&path).map_err(|why| wrong(format!("{}: {why}", path.display())))?;
        if text.contains(mark) { Ok(text) } else { Err(wrong(format!("{}: there is no {what} in it, as PEM has one", path.display()))) }
    }
}

fn file(path: &Path) -> Result<String, String> {
    use std::io::Read;
    // What is no file may wait for somebody who never comes, or have no end.
    if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("this is not a file".into());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8, as PEM is: of DER `openssl x509 -inform der` makes PEM".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::table::{Fallback, Kind, Setting};
    use super::*;
    use serde_json::{Map, json};

    const TABLE: &[Setting] = &[Setting::new("tls", Kind::Other("`true` or a table"), Fallback::Nothing, "")];
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\ny\n-----END PRIVATE KEY-----\n";

    fn tls(said: Value, folder: &Path) -> Result<(Option<Tls>, Map<String, Value>), SettingsError> {
        let given = json!({ "tls": said }).as_object().expect("an object").clone();
        let mut settings = Settings::of_sink("test", TABLE, &given);
        let tls = settings.tls(folder)?;
        Ok((tls, settings.finish()?))
    }

    #[test]
    fn each_part_is_pem_or_the_path_of_a_file_with_it_which_is_read_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, CERTIFICATE).expect("a file");
        let said = json!({ "ca": "ca.pem", "certificate": CERTIFICATE, "key": KEY });
        let (tls, shown) = tls(said, folder.path()).unwrap();
        assert_eq!(shown["tls"], json!({ "ca": "ca.pem", "certificate": CERTIFICATE, "key": "***" }));
        let tls = tls.expect("it is on");
        let texts = tls.read().unwrap();
        let client = texts.client.expect("a certificate");
        assert_eq!((texts.ca.as_deref(), &*client.certificate, &*client.key), (Some(CERTIFICATE), CERTIFICATE, KEY));
        let renewed = format!("# renewed\n{CERTIFICATE}");
        std::fs::write(&ca, &renewed).expect("a file");
        assert_eq!(tls.read().unwrap().ca, Some(renewed));
    }

    #[test]
    fn true_is_the_roots_of_the_system_and_false_is_none() {
        let on = |said| tls(said, Path::new(".")).unwrap().0.map(|tls| tls.read().unwrap().ca);
        assert_eq!((on(json!(true)), on(json!({})), on(json!(false))), (Some(None), Some(None), None));
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_its_name_and_nothing_of_a_key_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("key.pem"), KEY).expect("a file");
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nsecret\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (said, field, part) in [
            (json!("yes"), "tls", "must be true, false or a table"),
            (json!({ "cert": "x" }), "tls.cert", "has no setting `cert`"),
            (json!({ "ca": "missing.pem" }), "tls.ca", "missing.pem: No such file"),
            (json!({ "ca": "key.pem" }), "tls.ca", "there is no certificate in it"),
            (json!({ "ca": KEY }), "tls.ca", "there is no certificate in this PEM"),
            (json!({ "ca": "." }), "tls.ca", "this is not a file"),
            (json!({ "ca": "${WEIR_NOT_SET_ANYWHERE}" }), "tls.ca", "is not set"),
            (json!({ "certificate": CERTIFICATE }), "tls.certificate", "needs its `key`"),
            (json!({ "key": "key.pem" }), "tls.key", "needs its `certificate`"),
            (json!({ "certificate": CERTIFICATE, "key": encrypted }), "tls.key", "has a passphrase"),
        ] {
            let error = tls(said.clone(), folder.path()).expect_err(part);
            assert_eq!(error.field.as_deref(), Some(field), "{said}");
            assert!(error.message.contains(part) && !error.message.contains("secret"), "{said}: {error}");
        }
    }
}
