//! Who may speak to a running job. Without a token only this machine's own programs may: the address is loopback, and a web page cannot make a
//! browser ask, because its requests carry the page's origin, or a name in `Host` that is not this address's.

use axum::http::{HeaderMap, StatusCode, header};

/// What a request has to show.
#[derive(Clone)]
pub(crate) enum Guard {
    /// This, as `Authorization: Bearer …`.
    Token(String),
    /// Nothing, on this address.
    Loopback(std::net::SocketAddr),
}

impl Guard {
    /// Why a request with these headers is refused.
    pub fn refuse(&self, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        if headers.contains_key(header::ORIGIN) {
            return Some((StatusCode::FORBIDDEN, "requests of web pages are not answered"));
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        match self {
            Self::Token(token) => {
                let given = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
                (!same(given.as_bytes(), token.as_bytes())).then_some((StatusCode::UNAUTHORIZED, "the token is missing or wrong"))
            }
            Self::Loopback(address) => {
                let host = text(header::HOST).unwrap_or_default();
                let names = [address.to_string(), format!("localhost:{}", address.port())];
                (!names.iter().any(|name| name == host)).then_some((StatusCode::FORBIDDEN, "the request is for another host"))
            }
        }
    }
}

/// Compares in a time that depends on the lengths alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(guard: &Guard, headers: &[(header::HeaderName, &'static str)]) -> Option<u16> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header"))).collect();
        guard.refuse(&headers).map(|(status, _)| status.as_u16())
    }

    #[test]
    fn on_loopback_the_host_has_to_be_this_address() {
        let guard = Guard::Loopback("127.0.0.1:80".parse().expect("an address"));
        assert_eq!(refused(&guard, &[(header::HOST, "127.0.0.1:80")]), None);
        assert_eq!(refused(&guard, &[(header::HOST, "localhost:80")]), None);
        assert_eq!(refused(&guard, &[(header::HOST, "evil.example:80")]), Some(403));
        assert_eq!(refused(&guard, &[(header::HOST, "127.0.0.1:81")]), Some(403));
        assert_eq!(refused(&guard, &[]), Some(403));
        assert_eq!(refused(&guard, &[(header::HOST, "127.0.0.1:80"), (header::ORIGIN, "http://127.0.0.1:80")]), Some(403));
    }

    #[test]
    fn a_token_has_to_be_the_same() {
        let guard = Guard::Token("secret".into());
        assert_eq!(refused(&guard, &[(header::AUTHORIZATION, "Bearer secret")]), None);
        assert_eq!(refused(&guard, &[(header::AUTHORIZATION, "Bearer secreT")]), Some(401));
        assert_eq!(refused(&guard, &[(header::AUTHORIZATION, "secret")]), Some(401));
        assert_eq!(refused(&guard, &[(header::AUTHORIZATION, "Bearer ")]), Some(401));
        assert_eq!(refused(&guard, &[]), Some(401));
    }
}
