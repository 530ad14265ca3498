//! What of a server's address weir decides itself: `sslmode`, of which the client knows half the words, and files of certificates, which stand in `tls`.

/// Parameters of libpq that stand in the setting `tls` here, each with its name there.
const IN_TLS: [(&str, &str); 5] =
    [("sslrootcert", "ca"), ("sslcert", "certificate"), ("sslkey", "key"), ("sslpassword", "key"), ("sslcrl", "ca")];

/// An address without what is decided here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// What the client reads.
    pub rest: String,
    /// `sslmode`, where it is said.
    pub sslmode: Option<String>,
}

impl Address {
    /// Reads a URL, or `name=value name=value`. The error quotes no value.
    pub(super) fn of(said: &str) -> Result<Self, String> {
        let is_url = said.starts_with("postgres://") || said.starts_with("postgresql://");
        let (_, places) = said.split_once("://").unwrap_or(("", ""));
        // The client would take what is behind the first one for the host, and name it.
        if is_url && places.split('?').next().is_some_and(|places| places.matches('@').count() > 1) {
            return Err("there is more than one `@` in it: one of a name or a password is written `%40`, and a `/` there `%2F`".into());
        }
        let (before, parameters, between) = match (is_url, said.split_once('?')) {
            (true, Some((before, parameters))) => (before, parameters, '&'),
            (true, None) => return Ok(Self { rest: said.to_owned(), sslmode: None }),
            (false, _) => ("", said, ' '),
        };
        let (mut rest, mut sslmode) = (Vec::new(), None);
        for parameter in parameters.split(between) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if let Some((_, setting)) = IN_TLS.iter().find(|(known, _)| *known == name) {
                return Err(format!("`{name}` stands in a setting of its own: `tls = {{ {setting} = \"…\" }}`"));
            }
            match name {
                "sslmode" => sslmode = Some(value.trim_matches('\'').to_owned()),
                _ => rest.push(parameter),
            }
        }
        let mark = if is_url && !rest.is_empty() { "?" } else { "" };
        Ok(Self { rest: format!("{before}{mark}{}", rest.join(&between.to_string())), sslmode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_taken_out_and_the_rest_stays_as_it_is() {
        for (said, rest, mode) in [
            ("postgres://u:a=b@h/d", "postgres://u:a=b@h/d", None),
            ("postgres://u@h/d?sslmode=verify-full", "postgres://u@h/d", Some("verify-full")),
            ("postgresql://u@h/d?a=1&sslmode=require&b=2", "postgresql://u@h/d?a=1&b=2", Some("require")),
            ("host=h  user=u sslmode='disable' dbname=d", "host=h  user=u dbname=d", Some("disable")),
            ("host=h password='a b'", "host=h password='a b'", None),
        ] {
            let expect = Address { rest: rest.into(), sslmode: mode.map(str::to_owned) };
            assert_eq!(Address::of(said), Ok(expect), "{said}");
        }
        let error = Address::of("postgres://u:a@@b/x@h/d").unwrap_err();
        assert!(error.contains("`%40`") && !error.contains("b/x"), "{error}");
        let error = Address::of("postgres://u@h/d?sslrootcert=/x").unwrap_err();
        assert!(error.contains("tls = { ca"), "{error}");
    }
}
