//! Passwords that somebody has written out in a text, where they could have named a variable: in the address of a server, behind `password =`, as a private key. Nobody has
//! to be shown them for that, least of all where they are shown because something is wrong with them: so what is none by its form is looked for by the name that it has.

use std::ops::Range;

/// What a password is written behind.
const NAMED: &str = "password";
/// What ends an address, or a value that is not quoted.
const ENDS: [char; 8] = ['"', '\'', ' ', '\t', '\n', '\r', '<', '>'];

/// Where passwords stand in `text`, in their order: what is between a user's `:` and the last `@` of an address, and the value of a `password`. A password that is
/// all variables is none.
fn written_passwords(text: &str) -> Vec<Range<usize>> {
    let found = addresses(text).chain(named(text)).chain(misplaced(text)).chain(private_keys(text));
    let mut found: Vec<Range<usize>> = found.filter(|place| is_written(&text[place.clone()])).collect();
    found.sort_by_key(|place| place.start);
    let mut done = 0;
    found.retain(|place| {
        let is_new = place.start >= done;
        done = done.max(place.end);
        is_new
    });
    found
}

/// The text with `***` in place of them.
pub fn without_passwords(text: &str) -> String {
    replaced(text, |_| "***".into())
}

/// The text with a star in place of each of their bytes, so that places in it stay what they are, and lines too.
pub fn passwords_masked(text: &str) -> String {
    let star = |byte: u8| if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { '*' };
    replaced(text, |password| password.bytes().map(star).collect())
}

fn replaced(text: &str, with: impl Fn(&str) -> String) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for place in written_passwords(text) {
        out.push_str(&text[done..place.start]);
        out.push_str(&with(&text[place.clone()]));
        done = place.end;
    }
    out.push_str(&text[done..]);
    out
}

fn addresses(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(move |(at, mark)| {
        let start = at + mark.len();
        let address = &text[start..start + text[start..].find(ENDS).unwrap_or(text.len() - start)];
        let colon = address.find(':')?;
        // A name of a host comes before its port.
        let end = address.rfind('@').filter(|end| *end > colon && !address[..colon].contains(['/', '@']))?;
        Some(start + colon + 1..start + end)
    })
}

/// Where the values of a name begin.
fn values<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + 't {
    let behind = move |from: usize, blank: &[char]| from + text[from..].len() - text[from..].trim_start_matches(blank).len();
    text.match_indices(name).filter_map(move |(at, name)| {
        let equals = behind(at + name.len(), &[' ', '\t', '"', '\'']);
        text[equals..].starts_with('=').then(|| behind(equals + 1, &[' ', '\t']))
    })
}

fn named(text: &str) -> impl Iterator<Item = Range<usize>> {
    values(text, NAMED).filter_map(move |value| {
        let quote = text[value..].chars().next().filter(|first| ['"', '\''].contains(first));
        let (value, ends): (usize, &[char]) = match quote {
            Some('"') => (value + 1, &['"', '\n']),
            Some(_) => (value + 1, &['\'', '\n']),
            None if text[value..].starts_with(['{', '[']) => return None,
            None => (value, &['"', '\'', ' ', '\t', '\n', '\r', '&']),
        };
        Some(value..value + text[value..].find(ends).unwrap_or(text.len() - value))
    })
}

/// What stands in quotes, up to the end of the line; without them.
fn quoted(text: &str, from: usize) -> impl Iterator<Item = Range<usize>> {
    let end = from + text[from..].find(['\n', '\r']).unwrap_or(text.len() - from);
    let mut at = from;
    std::iter::from_fn(move || {
        let start = at + text[at..end].find(['"', '\''])? + 1;
        let quote = text[start - 1..].chars().next()?;
        let close = start + text[start..end].find(quote).unwrap_or(end - start);
        at = end.min(close + 1);
        Some(start..close)
    })
}

/// What is none by its form, and stands where one does: in a `password` that is a list or a table (but the name of a file), as the text of a `sasl`, in front of the `@` of an
/// address that is none.
fn misplaced(text: &str) -> impl Iterator<Item = Range<usize>> {
    let in_brackets = values(text, NAMED).filter(|value| text[*value..].starts_with(['{', '['])).flat_map(move |value| {
        let close = if text[value..].starts_with('{') { '}' } else { ']' };
        let end = value + text[value..].find([close, '\n']).unwrap_or(text.len() - value);
        let is_file = move |place: &Range<usize>| {
            let name = text[value..place.start - 1].trim_end_matches([' ', '\t', '=', '"', '\'']);
            name.rsplit(['{', ',', ' ', '\t', '"', '\'']).next() == Some("file")
        };
        quoted(text, value).take_while(move |place| place.start < end).filter(move |place| !is_file(place))
    });
    let quoted_at = move |name| {
        values(text, name).filter(|value| text[*value..].starts_with(['"', '\''])).filter_map(move |value| quoted(text, value).next())
    };
    let addresses = ["url", "brokers"].into_iter().flat_map(quoted_at).filter_map(move |place| {
        let said = &text[place.clone()];
        let scheme = said.find("://").map_or(0, |at| at + 3);
        let (colon, end) = (scheme + said[scheme..].find(':')? + 1, said.rfind('@')?);
        (colon <= end).then(|| place.start + colon..place.start + end)
    });
    in_brackets.chain(quoted_at("sasl")).chain(addresses)
}

/// What private keys in PEM consist of.
fn private_keys(text: &str) -> impl Iterator<Item = Range<usize>> {
    const BEGIN: &str = "PRIVATE KEY-----";
    text.match_indices(BEGIN).filter_map(move |(at, mark)| {
        let start = at + mark.len();
        let end = start + text[start..].find("-----").unwrap_or(text.len() - start);
        (start < end && !text[..at].ends_with("END ")).then_some(start..end)
    })
}

/// True of one that does not consist of variables alone.
pub fn is_written(password: &str) -> bool {
    let mut rest = password;
    while let Some(behind) = rest.strip_prefix("${") {
        match behind.split_once('}') {
            Some((_, behind)) => rest = behind,
            None => return true,
        }
    }
    !rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_written_out_are_taken_out() {
        for (text, expect) in [
            ("postgres://u:secret@h:5432/d", "postgres://u:***@h:5432/d"),
            ("postgres://u:secret@${HOST}/d", "postgres://u:***@${HOST}/d"),
            ("postgres://u:se@cr/et@h/d?a=b", "postgres://u:***@h/d?a=b"),
            ("postgres://u:${A}-x@h/d", "postgres://u:***@h/d"),
            ("postgres://u:${A}@h/d", "postgres://u:${A}@h/d"),
            ("postgres://u@h:5432/d", "postgres://u@h:5432/d"),
            ("postgres://h:5432/d", "postgres://h:5432/d"),
            ("postgres://u@h/d?password=secret&a=b", "postgres://u@h/d?password=***&a=b"),
            ("host=h password=secret user=u", "host=h password=*** user=u"),
            ("host=h password='a b' user=u", "host=h password='***' user=u"),
            ("password = \"secret\" # x", "password = \"***\" # x"),
            ("password = { file = \"/x\" }", "password = { file = \"/x\" }"),
            ("password = \"${A}${B}\"", "password = \"${A}${B}\""),
            ("sasl = { \"password\" = 'p' }", "sasl = { \"password\" = '***' }"),
            ("password=[\"secret\", 'b']", "password=[\"***\", '***']"),
            ("password = { fil = \"secret\" }", "password = { fil = \"***\" }"),
            ("sasl = \"PLAIN weir secret\"", "sasl = \"***\""),
            (
                "sasl = { mechanism = \"PLAIN\", password = { file = \"/x\" } }",
                "sasl = { mechanism = \"PLAIN\", password = { file = \"/x\" } }",
            ),
            ("url = \"postgres//u:secret@h/d\"", "url = \"postgres//u:***@h/d\""),
            ("url=\"postgres://u:sec ret@h:abc/d\"", "url=\"postgres://u:***@h:abc/d\""),
            ("brokers = \"u:secret@h:9092\" # x", "brokers = \"u:***@h:9092\" # x"),
            ("url = \"postgres://u@h:5432/d\"", "url = \"postgres://u@h:5432/d\""),
            ("brokers = \"a:1,b:2\"", "brokers = \"a:1,b:2\""),
            ("plugin = \"oci:h:5/x@sha256:0\"", "plugin = \"oci:h:5/x@sha256:0\""),
            (
                "key=\"-----BEGIN PRIVATE KEY-----\\nabc\\n-----END PRIVATE KEY-----\"",
                "key=\"-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----\"",
            ),
            ("-----BEGIN EC PRIVATE KEY-----\nabc", "-----BEGIN EC PRIVATE KEY-----***"),
            ("no password here", "no password here"),
            ("password = ", "password = "),
            ("a://u:p@h b://v:q@h", "a://u:***@h b://v:***@h"),
            ("a://u:ü@h", "a://u:***@h"),
        ] {
            assert_eq!(without_passwords(text), expect);
            let masked = passwords_masked(text);
            assert_eq!((masked.len(), masked.contains('*')), (text.len(), text != expect), "{text}");
            assert_eq!(masked.lines().count(), text.lines().count(), "{text}");
        }
    }
}
