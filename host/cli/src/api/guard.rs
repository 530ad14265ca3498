//! Who may speak to a running job. Without a token only this machine's own programs may, and the page that this address serves: the address is loopback, and no other web page
//! can make a browser ask, because its requests carry its own origin, or a name in `Host` that is not this address's (a page whose name is made to lead here). With a token
//! a page that came from here may ask as well: it has to show the token like everybody else.

use axum::http::{HeaderMap, StatusCode, header};

/// Where the figures are, which may have a token of their own.
const METRICS: &str = "/metrics";

/// What a request has to show.
#[derive(Clone)]
pub(crate) enum Guard {
    Tokens(Tokens),
    /// Nothing, on this address.
    Loopback(std::net::SocketAddr),
    /// Nothing, wherever it comes from, but for other pages.
    Nobody,
}

/// What is taken as `Authorization: Bearer …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// For everything.
    pub all: String,
    /// For the figures alone.
    pub metrics: Option<String>,
}

impl Tokens {
    fn take(&self, given: &str, path: &str) -> bool {
        let for_metrics = self.metrics.as_deref().filter(|_| path == METRICS);
        same(given.as_bytes(), self.all.as_bytes()) || for_metrics.is_some_and(|token| same(given.as_bytes(), token.as_bytes()))
    }
}

impl Guard {
    /// The same of what needs no token.
    pub fn without_tokens(&self) -> Self {
        match self {
            Self::Tokens(_) => Self::Nobody,
            Self::Loopback(_) | Self::Nobody => self.clone(),
        }
    }

    /// Why a request for this path with these headers is refused.
    pub fn refuse(&self, path: &str, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if is_foreign(headers) {
            return Some((StatusCode::FORBIDDEN, "requests of other web pages are not answered"));
        }
        match self {
            Self::Tokens(tokens) => {
                let given = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
                (!tokens.take(given, path)).then_some((StatusCode::UNAUTHORIZED, "the token is missing or wrong"))
            }
            Self::Nobody => None,
            Self::Loopback(address) => {
                let host = text(header::HOST).unwrap_or_default();
                let names = [address.to_string(), format!("localhost:{}", address.port())];
                (!names.iter().any(|name| name == host)).then_some((StatusCode::FORBIDDEN, "the request is for another host"))
            }
        }
    }
}

/// Whether a browser sends this for a page that did not come from where it is sent to. Its origin is then another one than the host that is asked; what is `null` is of no origin, and so
/// another's. A request of no page (a link that was followed, a program) has no origin.
fn is_foreign(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let from = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")));
    origins.next().is_some() || from.is_none() || from != host
}

/// Compares in a time that depends on the lengths alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(guard: &Guard, headers: &[(header::HeaderName, &'static str)]) -> Option<u16> {
        refused_at(guard, "/v1/job", headers)
    }

    fn refused_at(guard: &Guard, path: &str, headers: &[(header::HeaderName, &'static str)]) -> Option<u16> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header"))).collect();
        guard.refuse(path, &headers).map(|(status, _)| status.as_u16())
    }

    #[test]
    fn on_loopback_the_host_has_to_be_this_address() {
        let guard = Guard::Loopback("127.0.0.1:80".parse().expect("an address"));
        assert_eq!(refused(&guard, &[(header::HOST, "127.0.0.1:80")]), None);
        assert_eq!(refused(&guard, &[(header::HOST, "localhost:80")]), None);
        assert_eq!(refused(&guard, &[(header::HOST, "evil.example:80")]), Some(403));
        assert_eq!(refused(&guard, &[(header::HOST, "127.0.0.1:81")]), Some(403));
        assert_eq!(refused(&guard, &[]), Some(403));
    }

    #[test]
    fn the_page_that_came_from_here_may_ask_and_no_other_may() {
        let loopback = Guard::Loopback("127.0.0.1:7070".parse().expect("an address"));
        let token = Guard::Tokens(Tokens { all: "secret".into(), metrics: None });
        let of = |guard: &Guard, host: &'static str, origin: &'static str| {
            refused(guard, &[(header::HOST, host), (header::ORIGIN, origin), (header::AUTHORIZATION, "Bearer secret")])
        };
        assert_eq!(of(&loopback, "127.0.0.1:7070", "http://127.0.0.1:7070"), None);
        assert_eq!(of(&loopback, "localhost:7070", "http://localhost:7070"), None);
        assert_eq!(of(&token, "weir.example", "https://weir.example"), None, "behind TLS");
        for origin in [
            "null",
            "",
            "http://127.0.0.1:7071",
            "http://localhost:7070",
            "http://evil.example",
            "http://127.0.0.1:7070.evil.example",
            "file://",
        ] {
            assert_eq!(of(&loopback, "127.0.0.1:7070", origin), Some(403), "{origin}");
            assert_eq!(of(&token, "127.0.0.1:7070", origin), Some(403), "{origin}");
        }
        // A page whose name is made to lead here is its own origin, and asks for a host that this is not.
        assert_eq!(of(&loopback, "evil.example:7070", "http://evil.example:7070"), Some(403));
        let twice = [(header::HOST, "127.0.0.1:7070"), (header::ORIGIN, "http://127.0.0.1:7070"), (header::ORIGIN, "http://evil.example")];
        let both = twice.into_iter().fold(HeaderMap::new(), |mut all, (name, value)| {
            all.append(name, value.parse().expect("a header"));
            all
        });
        assert!(loopback.refuse("/v1/stop", &both).is_some(), "which of them is it?");
    }

    #[test]
    fn the_page_itself_needs_no_token_and_no_other_page_may_load_it() {
        let page = Guard::Tokens(Tokens { all: "secret".into(), metrics: None }).without_tokens();
        assert_eq!(refused_at(&page, "/", &[(header::HOST, "weir.example")]), None);
        assert_eq!(refused_at(&page, "/", &[(header::HOST, "weir.example"), (header::ORIGIN, "https://evil.example")]), Some(403));
        let local = Guard::Loopback("127.0.0.1:80".parse().expect("an address")).without_tokens();
        assert_eq!(refused_at(&local, "/", &[(header::HOST, "evil.example:80")]), Some(403), "on loopback the host counts here too");
    }

    #[test]
    fn a_token_has_to_be_the_same() {
        let guard = Guard::Tokens(Tokens { all: "secret".into(), metrics: None });
        assert_eq!(refused(&guard, &[(header::AUTHORIZATION, "Bearer secret")]), None);
        assert_eq!(refused(&guard, &[(header::AUTHORIZATION, "Bearer secreT")]), Some(401));
        assert_eq!(refused(&guard, &[(header::AUTHORIZATION, "secret")]), Some(401));
        assert_eq!(refused(&guard, &[(header::AUTHORIZATION, "Bearer ")]), Some(401));
        assert_eq!(refused(&guard, &[]), Some(401));
    }

    #[test]
    fn the_token_of_the_figures_is_for_them_alone() {
        let guard = Guard::Tokens(Tokens { all: "secret".into(), metrics: Some("figures".into()) });
        let with = |token| [(header::AUTHORIZATION, token)];
        assert_eq!(refused_at(&guard, "/metrics", &with("Bearer figures")), None);
        assert_eq!(refused_at(&guard, "/metrics", &with("Bearer secret")), None);
        assert_eq!(refused_at(&guard, "/metrics", &with("Bearer other")), Some(401));
        for path in ["/v1/job", "/metrics/", "/", "/v1/stop"] {
            assert_eq!(refused_at(&guard, path, &with("Bearer figures")), Some(401), "{path}");
        }
        let none = Guard::Tokens(Tokens { all: "secret".into(), metrics: None });
        assert_eq!(refused_at(&none, "/metrics", &with("Bearer ")), Some(401));
    }
}
