//! A server that answers requests as a test says: for registries that mean harm, and for a proxy that asks for a password.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Bytes of an answer without end that are sent before whoever asked has to have gone: more than any limit.
const ENDLESS: usize = 256 << 20;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, and so on.
    pub method: String,
    /// With its query.
    pub path: String,
    /// All of it up to the body, as it came.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What is answered.
pub enum Reply {
    /// A status with its text, further header lines that each end in `\r\n`, and a body of which the length is said.
    Whole(&'static str, String, Vec<u8>),
    /// The same, but of the body only the first bytes come, so many.
    CutOff(&'static str, Vec<u8>, usize),
    /// A status with its text, and a body that does not end.
    Endless(&'static str),
    /// What another server answers to the same request.
    Forward(String),
}

/// The server. It ends with the process of tests.
pub struct Answering {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ str| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(key, _)| key.len() + 1);
        self.head.lines().find_map(|line| value(line).map(|from| line[from..].trim()))
    }

    fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let mut head = String::new();
        while stream.read_line(&mut head)? > 2 {}
        let mut words = head.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut request = Self { method, path, head, body: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        stream.take(length).read_to_end(&mut request.body)?;
        Ok(request)
    }
}

impl Answering {
    /// Starts a server that answers by `answer`.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let log = Arc::clone(&seen);
        let serve = move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                let one = move || {
                    let mut reader = BufReader::new(stream);
                    let Ok(request) = Request::read(&mut reader) else { return };
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
                    // Whoever asked may have gone.
                    _ = send(reader.into_inner(), answer(&request), &request);
                };
                thread::Builder::new().spawn(one).expect("a thread");
            }
        };
        thread::Builder::new().spawn(serve).expect("a thread");
        Self { port, seen }
    }

    /// Its host, as a reference has it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn send(mut stream: TcpStream, reply: Reply, request: &Request) -> io::Result<()> {
    match reply {
        Reply::Whole(status, headers, body) => {
            let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes())?;
            if request.method == "HEAD" { Ok(()) } else { stream.write_all(&body) }
        }
        Reply::CutOff(status, body, at) => {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes())?;
            stream.write_all(&body[..at])
        }
        Reply::Endless(status) => {
            stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").as_bytes())?;
            let piece = [b'x'; 64 << 10];
            (0..ENDLESS / piece.len()).try_for_each(|_| stream.write_all(&piece))
        }
        Reply::Forward(to) => {
            let mut upstream = TcpStream::connect(to)?;
            let head = request.head.trim_end().lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
            let head: String = head.map(|line| format!("{line}\r\n")).collect();
            upstream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
            upstream.write_all(&request.body)?;
            io::copy(&mut upstream, &mut stream).map(drop)
        }
    }
}

/// A registry that takes everything and keeps nothing, and has `component` under every name.
pub fn small_registry(component: Vec<u8>) -> Answering {
    let manifest = component_manifest(&component, "application/wasm");
    Answering::start(move |request| {
        let path = request.path.split('?').next().unwrap_or_default();
        match (request.method.as_str(), path.contains("/blobs/")) {
            ("POST" | "PATCH", _) => Reply::Whole("202 Accepted", "Location: /v2/a/blobs/uploads/1\r\n".into(), Vec::new()),
            ("PUT", _) => Reply::Whole("201 Created", format!("Location: {path}\r\n"), Vec::new()),
            ("HEAD", _) => Reply::Whole("404 Not Found", String::new(), Vec::new()),
            (_, true) => Reply::Whole("200 OK", String::new(), component.clone()),
            (_, false) => Reply::Whole("200 OK", String::new(), manifest.clone().into_bytes()),
        }
    })
}

/// The manifest of a component whose layer has this media type.
pub fn component_manifest(component: &[u8], media_type: &str) -> String {
    let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{empty}","size":2}},"layers":[{{"mediaType":"{media_type}","digest":"sha256:{}","size":{}}}]}}"#,
        sha256(component),
        component.len()
    )
}

/// The SHA-256 of `bytes` in hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
