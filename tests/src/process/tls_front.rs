//! TLS in front of a PostgreSQL server, which the one that tests have was built without: it answers as a server with TLS does, by OpenSSL, and passes on what comes.

use super::certificates::{Authority, Certified};
use super::conversation::Conversation;
use super::python_environment::python_with;
use std::process::Command;
use std::sync::Mutex;

/// Serves clients who ask for TLS, and those who do not. $1 is the server's port, $2 and $3 certificate and key, $4 who vouches for clients, or nobody does.
const FRONT: &str = r#"
import select, socket, ssl, sys, threading
target, chain, key, clients = int(sys.argv[1]), *sys.argv[2:5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
if clients:
    context.load_verify_locations(clients)
    context.verify_mode = ssl.CERT_REQUIRED
def serve(client):
    server = socket.create_connection(('127.0.0.1', target))
    try:
        head = client.recv(8, socket.MSG_WAITALL)
        if head == bytes.fromhex('0000000804d2162f'):
            client.sendall(b'S')
            client = context.wrap_socket(client, server_side=True)
        else:
            server.sendall(head)
        while True:
            pending = isinstance(client, ssl.SSLSocket) and client.pending()
            for ready in [client] if pending else select.select([client, server], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                (server if ready is client else client).sendall(data)
    except OSError:
        pass
    finally:
        client.close()
        server.close()
listener = socket.create_server(('127.0.0.1', 0))
def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
for line in sys.stdin:
    print(listener.getsockname()[1], flush=True)
"#;

/// The front. It ends when it is dropped.
pub struct TlsFront {
    port: u16,
    /// Held for as long as it is to run.
    _front: Mutex<Conversation>,
    _folder: tempfile::TempDir,
}

impl TlsFront {
    /// A front of the PostgreSQL server on `target`, which shows `shown`. With `clients` it lets nobody in whom that authority does not vouch for.
    pub fn to(target: u16, shown: &Certified, clients: Option<&Authority>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = shown.write(folder.path(), "server");
        let roots = folder.path().join("clients.pem");
        let roots = clients.map(|clients| {
            std::fs::write(&roots, clients.certificate()).expect("a file");
            roots
        });
        let python = python_with("postgres-server", super::postgres_server::PACKAGE).expect("the server has come from it");
        let mut command = Command::new(python);
        command.args(["-c", FRONT, &target.to_string()]).args([certificate, key]).arg(roots.unwrap_or_default());
        let mut front = Conversation::begin(command).expect("it starts");
        let port = front.say("port").and_then(|port| port.parse().ok()).expect("its port");
        Self { port, _front: Mutex::new(front), _folder: folder }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}
