//! TLS to the server: how far it is looked at who that is, in libpq's words, and the connection itself.
//!
//! Where TLS is asked for and nothing else is said, the server's certificate has to be vouched for and to be that of the host (`verify-full`).

use crate::settings::tls::{Tls, TlsTexts};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// How far it is looked at who the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verify {
    /// Not at all: nobody who only listens reads anything, and somebody in between does.
    Nothing,
    /// Somebody who is trusted vouches for its certificate.
    Ca,
    /// The same, and the certificate is that of the host.
    Host,
}

impl Verify {
    /// What `sslmode` of a URL and the setting `tls` come to; `None`: no TLS. The error says what contradicts what.
    pub(super) fn of(sslmode: Option<&str>, tls: Option<&Tls>) -> Result<Option<Self>, String> {
        match (sslmode, tls) {
            (None | Some("disable"), None) => Ok(None),
            (None | Some("verify-full"), _) => Ok(Some(Self::Host)),
            (Some("verify-ca"), _) => Ok(Some(Self::Ca)),
            // As libpq has it: who names a CA means it.
            (Some("require"), Some(tls)) if tls.names_ca() => Ok(Some(Self::Ca)),
            (Some("require"), _) => Ok(Some(Self::Nothing)),
            (Some("disable"), Some(_)) => Err("`sslmode=disable` and `tls` contradict each other".into()),
            (Some(mode @ ("allow" | "prefer")), _) => {
                Err(format!("`sslmode={mode}` does without TLS where anybody says that there is none: say `disable` or `verify-full`"))
            }
            (Some(other), _) => Err(format!("`sslmode={other}` is none of `disable`, `require`, `verify-ca` and `verify-full`")),
        }
    }
}

/// What the client's side of TLS is made of. The error says what is wrong with which setting.
pub(super) fn client_config(verify: Verify, texts: &TlsTexts) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?.dangerous();
    let verifier = Verifier::new(verify, texts.ca.as_deref(), provider)?;
    let builder = builder.with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &texts.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let certificates = certificates("certificate", &client.certificate)?;
            // What the parser says may quote a part of it.
            let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).map_err(|_| "`tls.key` is no private key that weir can read")?;
            builder.with_client_auth_cert(certificates, key).map_err(|error| format!("`tls.certificate` and `tls.key`: {error}"))?
        }
    };
    // What `sslnegotiation=direct` wants, and nobody else minds.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

fn certificates(setting: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.map_err(|error| format!("`tls.{setting}` is no certificate as PEM has it: {error}"))
}

fn roots(ca: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(ca) => {
            for certificate in certificates("ca", ca)? {
                roots.add(certificate).map_err(|error| format!("`tls.ca`: {error}"))?;
            }
        }
        // Of those of the system, one that cannot be read leaves the others as they are.
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    match (roots.is_empty(), ca) {
        (false, _) => Ok(roots),
        (true, Some(_)) => Err("there is no certificate in `tls.ca`".into()),
        (true, None) => {
            Err("this system trusts no roots (it has no ca-certificates): name the server's CA as `tls = { ca = \"…\" }`".into())
        }
    }
}

/// Looks at the server's certificate as far as is asked for.
#[derive(Debug)]
struct Verifier {
    verify: Verify,
    provider: Arc<CryptoProvider>,
    /// Absent where nothing is looked at.
    by_roots: Option<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    fn new(verify: Verify, ca: Option<&str>, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let by_roots = match verify {
            Verify::Nothing => None,
            Verify::Ca | Verify::Host => {
                let roots = Arc::new(roots(ca)?);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
                Some(verifier.map_err(|error| format!("`tls.ca`: {error}"))?)
            }
        };
        Ok(Self { verify, provider, by_roots })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(by_roots) = &self.by_roots else { return Ok(ServerCertVerified::assertion()) };
        // The name is looked at behind everything else.
        match by_roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(error) if self.verify == Verify::Ca && is_of_another_name(&error) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn is_of_another_name(error: &rustls::Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

/// What the user can do about an error of TLS; `None`: trying again may help.
pub(super) fn hint(error: &rustls::Error) -> Option<&'static str> {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext, UnknownIssuer};
    match error {
        error if is_of_another_name(error) => Some(
            "name the server in `url` as its certificate does, or have one made for this name; `sslmode=verify-ca` does not look at names",
        ),
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            Some("nobody who is trusted vouches for the server's certificate: name its CA as `tls = { ca = \"…\" }`")
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }) => {
            Some("have the server's certificate renewed, or see the clock of this machine")
        }
        rustls::Error::InvalidCertificate(_) => {
            Some("see the server's certificate: `openssl s_client -starttls postgres -connect HOST:PORT`")
        }
        rustls::Error::AlertReceived(alert) if is_about_the_client(*alert) => Some(
            "the server refuses this client: it may ask for a certificate that it trusts, which `tls = { certificate = \"…\", key = \"…\" }` names",
        ),
        rustls::Error::PeerIncompatible(_) => Some("the server speaks no TLS 1.2 or later"),
        _ => None,
    }
}

/// What a server says that does not let this client in as who it is.
fn is_about_the_client(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    let of_certificates =
        [A::BadCertificate, A::UnsupportedCertificate, A::CertificateRevoked, A::CertificateExpired, A::CertificateUnknown];
    of_certificates.contains(&alert) || [A::UnknownCA, A::AccessDenied, A::CertificateRequired, A::HandshakeFailure].contains(&alert)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_libpq_and_tls_by_itself_is_the_strictest() {
        let on = Tls::of_system();
        for (mode, tls, expect) in [
            (None, None, None),
            (Some("disable"), None, None),
            (None, Some(&on), Some(Verify::Host)),
            (Some("require"), None, Some(Verify::Nothing)),
            (Some("require"), Some(&on), Some(Verify::Nothing)),
            (Some("verify-ca"), None, Some(Verify::Ca)),
            (Some("verify-full"), None, Some(Verify::Host)),
        ] {
            assert_eq!(Verify::of(mode, tls), Ok(expect), "{mode:?}");
        }
        for (mode, tls, part) in [
            (Some("disable"), Some(&on), "contradict each other"),
            (Some("prefer"), None, "say `disable` or `verify-full`"),
            (Some("verify"), None, "is none of"),
        ] {
            let error = Verify::of(mode, tls).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }
}
