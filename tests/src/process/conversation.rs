//! A server's keeper or a client: a program that answers line by line.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A program that answers line by line. It is in a process group of its own, so that an interrupt of the tests lets it clear away, and ends with its input.
pub(super) struct Conversation {
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Conversation {
    /// Starts it.
    pub(super) fn begin(mut command: Command) -> Result<Self, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("start {program}: {error}"))?;
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        Ok(Self { _child: child, input, output: BufReader::new(output) })
    }

    /// The answer to a line; `None`: it has ended.
    pub(super) fn say(&mut self, line: &str) -> Option<String> {
        let mut answer = String::new();
        self.input.write_all(format!("{line}\n").as_bytes()).ok()?;
        let read = self.output.read_line(&mut answer).ok()?;
        (read > 0).then(|| answer.trim_end().to_owned())
    }
}

/// So many ports that nobody listens on. Where connections begin that name none (above 32767), a port could be taken by one while the server is down.
pub(super) fn free_ports<const N: usize>() -> Option<[u16; N]> {
    let mut found = Vec::with_capacity(N);
    for port in (0..200).map(|_| fastrand::u16(20_000..30_000)).filter(|port| is_free(*port)) {
        found.push(port);
        if let Some(found) = found.first_chunk() {
            return Some(*found);
        }
    }
    None
}

/// A port that nobody listens on, as nobody does on the next one, for a program that takes two.
pub fn free_pair_of_ports() -> Option<u16> {
    (0..200).map(|_| fastrand::u16(20_000..30_000)).find(|port| is_free(*port) && is_free(port + 1))
}

/// True once of a port that nobody listens on: whoever is given it may be down for a while, and finds it free then.
fn is_free(port: u16) -> bool {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    TcpListener::bind(("127.0.0.1", port)).is_ok() && GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port)
}
