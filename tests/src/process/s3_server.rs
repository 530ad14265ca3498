//! A server that speaks S3, for tests: moto's, from PyPI, in an environment of its own below `target/`. It is installed once and started once
//! for each process of tests, which it does not outlive.

use super::python_environment::python_with;
use super::toolchains::is_missing;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is installed. Tried with this version; another may answer conditional puts in another way.
const PACKAGE: &str = "moto[server]==5.2.5";

/// The server: it says where it listens, and ends when nobody can write to it any more.
const SCRIPT: &str = "
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
";

/// A running server.
pub struct S3Server {
    port: u16,
    _child: Child,
    /// Closed with this process, however that ends.
    _stdin: ChildStdin,
}

impl S3Server {
    /// The server of this process of tests; `None` on a machine that cannot have one, which is said on standard error, or an error where every language is
    /// to be tested: Python brings it.
    pub fn of_process() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<S3Server>> = OnceLock::new();
        let start = || python_with("s3-server", PACKAGE).and_then(|python| Self::start(&python));
        let said = |why: String| is_missing("what is kept on S3", &why);
        SERVER.get_or_init(|| start().map_err(said).ok()).as_ref()
    }

    fn start(python: &Path) -> Result<Self, String> {
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("start {}: {error}", python.display()))?;
        let (stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| format!("wait for the server: {error}"))?;
        let port = line.trim().parse().map_err(|_| "the server ended before it listened".to_owned())?;
        Ok(Self { port, _child: child, _stdin: stdin })
    }

    /// Makes a bucket that nobody else has.
    pub fn bucket(&self) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let bucket = format!("bucket-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        let request = format!("PUT /{bucket} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        assert!(answer.lines().next().is_some_and(|status| status.contains(" 200 ")), "make {bucket}: {answer}");
        bucket
    }

    /// The variables of a process that uses the server.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("NO_PROXY", "127.0.0.1".into()),
        ]
    }
}
