//! A connection that goes through TLS, or that does not, as the client wants to be handed it.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Secured;

/// Makes connections with TLS; without a configuration it is never asked to.
#[derive(Clone)]
pub(super) struct Connector(pub Option<Arc<ClientConfig>>);

/// The same for one server.
pub(super) struct ToServer {
    connector: Option<TlsConnector>,
    /// As the URL names it.
    host: String,
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = Stream;
    type TlsConnect = ToServer;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<ToServer> {
        Ok(ToServer { connector: self.0.clone().map(TlsConnector::from), host: host.to_owned() })
    }
}

impl TlsConnect<Socket> for ToServer {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let Self { connector, host } = self;
            let connector = connector.ok_or_else(|| io::Error::other("there is no TLS here"))?;
            let wrong = |_| io::Error::other(format!("`{host}` is no name that a certificate could have"));
            let name = ServerName::try_from(host.clone()).map_err(wrong)?;
            connector.connect(name, socket).await.map(|stream| Stream(Box::new(stream)))
        })
    }
}

/// Bytes through TLS.
pub(super) struct Stream(Box<Secured<Socket>>);

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

impl TlsStream for Stream {
    /// None: the certificate of the server is looked at instead.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
