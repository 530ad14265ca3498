//! The broker's other listeners, for tests of who may come in: by name and password, encrypted, by certificate. Passwords of SCRAM are the cluster's own and may
//! change, the one of PLAIN is the broker's; certificates are made with `openssl` for the broker that is started.

use super::proxy::Proxy;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The user of PLAIN that there is, and the password.
pub const PLAIN_USER: (&str, &str) = ("plain-user", "s3cr3t-of-the-plain-user");

/// How long a connection of the listener `sasl_ssl` is taken for whose it was, in milliseconds.
const REAUTHENTICATED_EVERY_MS: u32 = 3_000;

/// Where they are, and the certificates that go with them.
pub struct KafkaListeners {
    sasl: u16,
    sasl_ssl: u16,
    ssl: u16,
    /// Where the one behind the proxy is, and where the proxy is.
    proxied: (u16, u16),
    folder: PathBuf,
}

impl KafkaListeners {
    /// At these ports, with certificates that are made in `folder`.
    pub(super) fn new([sasl, sasl_ssl, ssl, behind, proxy]: [u16; 5], folder: &Path) -> Result<Self, String> {
        let listeners = Self { sasl, sasl_ssl, ssl, proxied: (behind, proxy), folder: folder.join("certificates") };
        listeners.make_certificates()?;
        Ok(listeners)
    }

    /// Asks for name and password.
    pub fn sasl(&self) -> String {
        format!("127.0.0.1:{}", self.sasl)
    }

    /// Asks for name and password, on an encrypted connection, and every few seconds again.
    pub fn sasl_ssl(&self) -> String {
        format!("127.0.0.1:{}", self.sasl_ssl)
    }

    /// Asks for the client's certificate.
    pub fn ssl(&self) -> String {
        format!("127.0.0.1:{}", self.ssl)
    }

    /// A proxy to one that tells its clients to come by the proxy. There may be one at a time.
    pub(super) fn proxy(&self) -> Proxy {
        let (behind, proxy) = self.proxied;
        Proxy::at(proxy, behind)
    }

    /// A file of theirs: `ca.pem` has signed `broker.pem` and `client.pem`, whose key is `client.key`; `other.pem` has signed nothing.
    pub fn certificate(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// What the broker's settings say of them, beside its own listeners, which are given.
    pub(super) fn settings(&self, listeners: &str, advertised: &str) -> String {
        let Self { sasl, sasl_ssl, ssl, proxied: (behind, proxy), folder } = self;
        let own = format!("SASL_PLAINTEXT://127.0.0.1:{sasl},SASL_SSL://127.0.0.1:{sasl_ssl},SSL://127.0.0.1:{ssl}");
        let modules = "org.apache.kafka.common.security";
        let (user, password) = PLAIN_USER;
        let mechanisms: String = ["sasl_plaintext", "sasl_ssl"]
            .iter()
            .map(|listener| {
                let of =
                    |mechanism: &str, says: String| format!("listener.name.{listener}.{mechanism}.sasl.jaas.config={modules}.{says};\n");
                let scram = |mechanism: &str| of(mechanism, "scram.ScramLoginModule required".into());
                let plain = of("plain", format!("plain.PlainLoginModule required user_{user}=\"{password}\""));
                format!("{plain}{}{}", scram("scram-sha-256"), scram("scram-sha-512"))
            })
            .collect();
        format!(
            "listeners={listeners},{own},PROXIED://127.0.0.1:{behind}\nadvertised.listeners={advertised},{own},PROXIED://127.0.0.1:{proxy}\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL\n\
             sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n{mechanisms}\
             listener.name.sasl_ssl.connections.max.reauth.ms={REAUTHENTICATED_EVERY_MS}\n\
             ssl.keystore.type=PEM\nssl.keystore.location={0}/broker.store\nssl.truststore.type=PEM\nssl.truststore.location={0}/ca.pem\n\
             listener.name.ssl.ssl.client.auth=required\n",
            folder.display()
        )
    }

    fn make_certificates(&self) -> Result<(), String> {
        fs::create_dir_all(&self.folder).map_err(|error| format!("make a folder: {error}"))?;
        let text = |name: &str| fs::read_to_string(self.folder.join(name)).map_err(|error| format!("{name}: {error}"));
        let write = |name: &str, text: String| fs::write(self.folder.join(name), text).map_err(|error| format!("{name}: {error}"));
        write("names", "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n".into())?;
        let new_key = |name: &str| format!("-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key");
        for authority in ["ca", "other"] {
            self.openssl(&format!("req -x509 -days 3650 {} -out {authority}.pem", new_key(authority)))?;
        }
        for name in ["broker", "client"] {
            self.openssl(&format!("req {} -out {name}.csr", new_key(name)))?;
            self.openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile names -out {name}.pem"
            ))?;
        }
        write("broker.store", format!("{}{}", text("broker.key")?, text("broker.pem")?))
    }

    fn openssl(&self, line: &str) -> Result<(), String> {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(line.split(' ')).current_dir(&self.folder).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("no openssl (Debian: `apt-get install openssl`): {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("openssl {line}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        }
    }
}
