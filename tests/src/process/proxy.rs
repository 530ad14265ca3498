//! A proxy between weir and a server that speaks over TCP: it cuts connections in the middle of a request, holds them, slows them down and lets none in.
//!
//! What passes is cut at a byte, so that both sides have seen a part of a message and neither knows what has become of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that pass at once.
const PIECE: usize = 4 << 10;

/// The proxy. It ends with the process of tests.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    /// The server's port.
    target: u16,
    state: Mutex<State>,
    changed: Condvar,
}

/// What becomes of connections, and those that there are.
#[derive(Default)]
struct State {
    is_closed: bool,
    is_held: bool,
    delay: Duration,
    /// Bytes that pass before everything is cut, in both directions together.
    left: Option<u64>,
    /// How often something was cut that was open.
    cuts: u64,
    /// Both ends of each, by their number.
    open: BTreeMap<u64, [TcpStream; 2]>,
    connections: u64,
}

impl State {
    fn cut(&mut self) {
        self.cuts += u64::from(!self.open.is_empty());
        // One that is at its end already need not be ended.
        std::mem::take(&mut self.open).into_values().flatten().for_each(|stream| _ = stream.shutdown(Shutdown::Both));
    }

    /// How many of these bytes pass; fewer than all: then everything is cut.
    fn admit(&mut self, bytes: usize) -> usize {
        let Some(left) = &mut self.left else { return bytes };
        let passing = (*left).min(bytes as u64);
        *left -= passing;
        if passing < bytes as u64 {
            self.left = None;
        }
        passing as usize
    }
}

impl Proxy {
    /// A proxy to the server on this port.
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        Self::listening(listener, port, target)
    }

    /// The same, where clients have to find it at this port, as a broker's that tells them its address.
    pub fn at(port: u16, target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|error| panic!("listen on {port}: {error}"));
        Self::listening(listener, port, target)
    }

    fn listening(listener: TcpListener, port: u16, target: u16) -> Self {
        let shared = Arc::new(Shared { target, state: Mutex::default(), changed: Condvar::new() });
        let of_thread = Arc::clone(&shared);
        let accept = move || listener.incoming().flatten().for_each(|client| of_thread.connect(client));
        thread::Builder::new().name("proxy".into()).spawn(accept).expect("a thread");
        Self { port, shared }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection that is open now.
    pub fn cut(&self) {
        self.shared.state().cut();
    }

    /// Cuts every connection once so many more bytes have passed, wherever in a message that is; the next ones last.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.state().left = Some(bytes);
    }

    /// Holds every piece of a few KiB for this long on its way.
    pub fn delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// Lets nothing through, and ends nothing: neither side hears of the other.
    pub fn hold(&self) {
        self.shared.state().is_held = true;
    }

    /// Cuts what is open, and lets nobody in.
    pub fn close(&self) {
        let mut state = self.shared.state();
        state.is_closed = true;
        state.cut();
    }

    /// Lets everybody and everything through again.
    pub fn open(&self) {
        let mut state = self.shared.state();
        (state.is_closed, state.is_held, state.delay, state.left) = (false, false, Duration::ZERO, None);
        self.shared.changed.notify_all();
    }

    /// How often it has cut what was open.
    pub fn cuts(&self) -> u64 {
        self.shared.state().cuts
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects a client with the server, where it is let in and the server is there.
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.target)) else { return };
        let clone = |stream: &TcpStream| stream.try_clone().expect("a second handle");
        let number = {
            let mut state = self.state();
            if state.is_closed {
                return;
            }
            state.connections += 1;
            let number = state.connections;
            state.open.insert(number, [clone(&client), clone(&server)]);
            number
        };
        for (from, to) in [(clone(&client), clone(&server)), (server, client)] {
            let shared = Arc::clone(self);
            let pass = move || {
                shared.pass(from, to);
                shared.state().open.remove(&number);
            };
            thread::Builder::new().name("proxied".into()).spawn(pass).expect("a thread");
        }
    }

    /// Passes on what comes until one side ends it.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = [0; PIECE];
        while let Ok(read @ 1..) = from.read(&mut piece) {
            let passing = self.wait_and_admit(read);
            if to.write_all(&piece[..passing]).is_err() {
                break;
            }
            if passing < read {
                self.state().cut();
            }
        }
        // The other direction hears of it by that.
        _ = to.shutdown(Shutdown::Both);
        _ = from.shutdown(Shutdown::Both);
    }

    fn wait_and_admit(&self, bytes: usize) -> usize {
        let state = self.state();
        let delay = state.delay;
        let (state, _) =
            self.changed.wait_timeout_while(state, delay, |state| !state.delay.is_zero()).unwrap_or_else(PoisonError::into_inner);
        let mut state = self.changed.wait_while(state, |state| state.is_held).unwrap_or_else(PoisonError::into_inner);
        state.admit(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    /// A server that says everything back, and its proxy.
    fn echo() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let serve = |mut stream: TcpStream| {
            let mut answers = stream.try_clone().expect("a second handle");
            _ = std::io::copy(&mut stream, &mut answers);
        };
        let begin = |work: Box<dyn FnOnce() + Send>| _ = thread::Builder::new().spawn(work).expect("a thread");
        begin(Box::new(move || listener.incoming().flatten().for_each(|stream| begin(Box::new(move || serve(stream))))));
        Proxy::to(port)
    }

    fn client(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(("127.0.0.1", proxy.port())).expect("it listens")
    }

    fn heard(stream: &mut TcpStream, bytes: usize) -> usize {
        let mut heard = vec![0; bytes];
        let mut count = 0;
        // Who asks for no byte waits for one all the same.
        while count < bytes {
            match stream.read(&mut heard[count..]) {
                Ok(read @ 1..) => count += read,
                Ok(0) | Err(_) => break,
            }
        }
        count
    }

    #[test]
    fn what_is_said_passes_in_both_directions_until_it_is_cut_at_a_byte() {
        let proxy = echo();
        let mut stream = client(&proxy);
        stream.write_all(b"hello").expect("it passes");
        assert_eq!(heard(&mut stream, 5), 5);
        // Three of them reach the server, and nothing comes back.
        proxy.cut_after(3);
        stream.write_all(b"hello").expect("it is on its way");
        assert_eq!((heard(&mut stream, 5), proxy.cuts()), (0, 1));
        let mut next = client(&proxy);
        next.write_all(b"hello").expect("it passes");
        assert_eq!(heard(&mut next, 5), 5);
    }

    #[test]
    fn a_proxy_that_is_closed_lets_nobody_in_and_one_that_is_held_lets_nothing_through() {
        let proxy = echo();
        let mut stream = client(&proxy);
        proxy.hold();
        stream.write_all(b"hello").expect("it is on its way");
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a time");
        let nothing = stream.read(&mut [0; 5]).expect_err("it is held").kind();
        assert!(matches!(nothing, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{nothing:?}");
        proxy.open();
        stream.set_read_timeout(None).expect("no time");
        assert_eq!(heard(&mut stream, 5), 5);
        proxy.close();
        assert_eq!((heard(&mut stream, 1), heard(&mut client(&proxy), 1)), (0, 0));
    }
}
