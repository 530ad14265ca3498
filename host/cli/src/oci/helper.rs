//! Asks one of Docker's credential helpers, a program that keeps passwords, in bounds of time and bytes.
//!
//! It is told the server's name and answers with JSON, or with what it complains of. Its exit status says nothing that its answer does not, so it is not waited
//! for once that is there.

use super::credentials::Credentials;
use serde::Deserialize;
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use weir_wasm::printable;

/// How long one may take: some ask their user.
const TIME: Duration = Duration::from_secs(30);
/// Bytes of an answer.
const ANSWER_BYTES: u64 = 64 << 10;
/// Bytes of what one complains of that are shown.
const SAID: usize = 300;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What the helper of this name knows of a server; `None`: nothing.
pub(super) fn ask(name: &str, server: &str) -> Result<Option<Credentials>, String> {
    let program = format!("docker-credential-{name}");
    let mut command = Command::new(&program);
    command.arg("get");
    answer_of(command, server, TIME).map_err(|why| format!("its helper {program} {why}"))
}

fn answer_of(mut command: Command, server: &str, time: Duration) -> Result<Option<Credentials>, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => "is not in PATH".to_owned(),
        _ => format!("does not start: {error}"),
    })?;
    let said = said(&mut child, server, time);
    // It has said all that counts, or never will.
    _ = child.kill();
    _ = child.wait();
    let (stdout, stderr) = said?;
    if stdout.len() as u64 > ANSWER_BYTES {
        return Err(format!("answers with more than {} KiB", ANSWER_BYTES >> 10));
    }
    if let Ok(Answer { username, secret }) = serde_json::from_slice(&stdout) {
        return Ok(Some(if username == "<token>" { Credentials::Identity(secret) } else { Credentials::Basic(username, secret) }));
    }
    let complaint = if stderr.trim_ascii().is_empty() { stdout } else { stderr };
    let complaint = String::from_utf8_lossy(complaint.trim_ascii()).into_owned();
    match complaint.contains("credentials not found") {
        true => Ok(None),
        // What begins as an answer may have a password in it.
        false if complaint.starts_with('{') => Err("answers with something that is no answer".into()),
        false => Err(format!("fails: {}", printable(&complaint, SAID))),
    }
}

/// What it writes to standard output and to standard error, of each a byte more than may be at most.
fn said(child: &mut Child, server: &str, time: Duration) -> Result<(Vec<u8>, Vec<u8>), String> {
    let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = streams else { return Err("has no streams".into()) };
    // One that does not read it may answer all the same.
    _ = stdin.write_all(server.as_bytes());
    drop(stdin);
    let (sender, receiver) = mpsc::channel();
    // Not joined: what a helper starts may hold its streams for longer than it lives.
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let complaints = thread::Builder::new().spawn(|| all(stderr)).map_err(failed)?;
    let read = move || {
        let stdout = all(stdout);
        // Whoever floods one of them may hold the other open.
        let stderr = if stdout.len() as u64 > ANSWER_BYTES { Vec::new() } else { complaints.join().unwrap_or_default() };
        _ = sender.send((stdout, stderr));
    };
    thread::Builder::new().spawn(read).map_err(failed)?;
    receiver.recv_timeout(time).map_err(|_| format!("does not answer within {} s", time.as_secs()))
}

fn all(stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    _ = stream.take(ANSWER_BYTES + 1).read_to_end(&mut bytes);
    bytes
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn answer(script: &str, time: Duration) -> Result<Option<Credentials>, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        answer_of(command, "a.example", time)
    }

    #[test]
    fn an_answer_is_credentials_or_none() {
        let basic = |user: &str, secret: &str| Ok(Some(Credentials::Basic(user.into(), secret.into())));
        let echoes = "read server; echo \"{\\\"ServerURL\\\":\\\"\\\",\\\"Username\\\":\\\"$server\\\",\\\"Secret\\\":\\\"x\\\"}\"";
        // Credentials are not shown, in tests neither.
        assert!(answer(&format!("{echoes}; exec sleep 1000 >/dev/null 2>&1"), TIME) == basic("a.example", "x"));
        assert!(answer(r#"echo '{"Username":"<token>","Secret":"t"}'"#, TIME) == Ok(Some(Credentials::Identity("t".into()))));
        assert!(answer("echo credentials not found in native keychain; exit 1", TIME) == Ok(None));
        assert!(answer("echo credentials not found in native keychain >&2; exit 1", TIME) == Ok(None));
    }

    #[test]
    fn no_more_is_read_than_an_answer_may_have() {
        assert_eq!(all(std::io::repeat(b'y').take(1 << 30)).len() as u64, ANSWER_BYTES + 1);
    }

    #[test]
    fn one_that_does_not_answer_or_does_not_end_is_given_up() {
        let check = |script: &str, time, expect: &str| {
            let error = answer(script, time).err().expect("it does not answer");
            assert!(error.contains(expect), "{error}");
        };
        check("exec sleep 1000", Duration::from_millis(20), "does not answer within");
        check("exec yes", TIME, "more than 64 KiB");
        check("printf 'locked \\033[31m' >&2; exit 1", TIME, "fails: locked \\u{1b}[31m");
        check("echo '{\"Username\":\"me\",\"Secret\":\"s3cret'", TIME, "something that is no answer");
        let missing = ask("of-nobody", "a.example").err().expect("there is none");
        assert_eq!(missing, "its helper docker-credential-of-nobody is not in PATH");
    }
}
