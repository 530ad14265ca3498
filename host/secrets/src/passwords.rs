//! Passwords that somebody has written out in a text, where they could have named a variable: in the address of a server, and behind `password =`. Nobody has to be
//! shown them for that.

use std::ops::Range;

/// What a password is written behind.
const NAMED: &str = "password";
/// What ends an address, or a value that is not quoted.
const ENDS: [char; 8] = ['"', '\'', ' ', '\t', '\n', '\r', '<', '>'];

/// Where passwords stand in `text`, in their order: what is between a user's `:` and the last `@` of an address, and the value of a `password`. A password that is
/// all variables is none.
fn written_passwords(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = addresses(text).chain(named(text)).filter(|place| is_written(&text[place.clone()])).collect();
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

/// The text with a star in place of each of their bytes, so that places in it stay what they are.
pub fn passwords_masked(text: &str) -> String {
    replaced(text, |password| "*".repeat(password.len()))
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

fn named(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices(NAMED).filter_map(move |(at, name)| {
        let behind = |from: usize| from + text[from..].len() - text[from..].trim_start_matches([' ', '\t', '"', '\'']).len();
        let equals = behind(at + name.len());
        let start = equals + text[equals..].strip_prefix('=').map(|_| 1)?;
        let value = start + text[start..].len() - text[start..].trim_start_matches([' ', '\t']).len();
        let quote = text[value..].chars().next().filter(|first| ['"', '\''].contains(first));
        let (value, ends): (usize, &[char]) = match quote {
            Some('"') => (value + 1, &['"', '\n']),
            Some(_) => (value + 1, &['\'', '\n']),
            None if text[value..].starts_with('{') => return None,
            None => (value, &['"', '\'', ' ', '\t', '\n', '\r', '&']),
        };
        Some(value..value + text[value..].find(ends).unwrap_or(text.len() - value))
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
            ("no password here", "no password here"),
            ("password = ", "password = "),
            ("a://u:p@h b://v:q@h", "a://u:***@h b://v:***@h"),
            ("a://u:ü@h", "a://u:***@h"),
        ] {
            assert_eq!(without_passwords(text), expect);
            let masked = passwords_masked(text);
            assert_eq!((masked.len(), masked.contains("***") || masked.contains('*')), (text.len(), text != expect), "{text}");
        }
    }
}
