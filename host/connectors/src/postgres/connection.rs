//! A connection to the server: how it is made, and what is said of the place that it leads to.

use super::failures::{self, Failure};
use super::patience::Patience;
use super::secured::Connector;
use super::tls::{self, Verify};
use super::url::Address;
use crate::settings::tls::{Tls, TlsTexts};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use weir_engine::runtime::ConnectorIo;
use weir_engine::{EngineError, ErrorKind};
use weir_secrets::Template;

/// What every connection begins with. A predecessor that was stopped does not keep the row of its markers for longer than that, texts of times mean the same
/// whatever the server's settings, and what is said to be published is on disk.
const BEGIN: &str = "SET idle_in_transaction_session_timeout = '10s'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; \
    SET default_transaction_read_only = off; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
/// A server that says nothing for so long is asked whether it is there, and again, three times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// Where a server is, and how it is spoken to.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub url: Template,
    pub password: Option<Template>,
    pub tls: Option<Tls>,
    pub connect_timeout: Duration,
    pub answer_timeout: Duration,
    /// It has let somebody in, and answered.
    pub has_answered: Arc<AtomicBool>,
}

impl Server {
    /// Sees that they say where a server is. The error says what is wrong, and nothing of what stands there.
    pub(super) fn check(&self) -> Result<(), String> {
        self.config().map(drop)
    }

    /// What they say now, and what TLS is made of. The error says what is wrong, and nothing of what stands there.
    fn config(&self) -> Result<(Config, Connector), String> {
        let read = |template: &Template| template.secret().map_err(|error| error.to_string());
        let Address { rest, sslmode } = Address::of(&read(&self.url)?)?;
        // What the parser says may quote a part of it.
        let config = rest.parse::<Config>();
        let mut config = config.map_err(|_| "this is no address of a PostgreSQL server, such as `postgres://user@host:5432/database`")?;
        if let Some(password) = &self.password {
            config.password(read(password)?);
        }
        let connector = self.connector(sslmode.as_deref())?;
        config.ssl_mode(if connector.0.is_some() { SslMode::Require } else { SslMode::Disable });
        match (config.get_user(), config.get_hosts().len() + config.get_hostaddrs().len()) {
            (None, _) => return Err("it names no user".into()),
            (Some(_), 0) => return Err("it names no host".into()),
            (Some(_), _) => {}
        }
        // Where there is none the client would find that out at every connect, as if the server were down.
        let is_named = !config.get_hosts().is_empty() && config.get_hosts().iter().all(|host| matches!(host, Host::Tcp(_)));
        if connector.0.is_some() && !is_named {
            return Err("TLS needs the server's name or address as `host`: `hostaddr` alone, or the folder of a socket, is none".into());
        }
        config.application_name("weir").connect_timeout(self.connect_timeout);
        let (idle, interval, retries) = KEEPALIVE;
        config.keepalives_idle(idle).keepalives_interval(interval).keepalives_retries(retries);
        config.tcp_user_timeout(idle + interval * retries);
        Ok((config, connector))
    }

    fn connector(&self, sslmode: Option<&str>) -> Result<Connector, String> {
        let Some(verify) = Verify::of(sslmode, self.tls.as_ref())? else { return Ok(Connector(None)) };
        let texts = match &self.tls {
            Some(tls) => tls.read().map_err(|error| error.to_string())?,
            None => TlsTexts { ca: None, client: None },
        };
        tls::client_config(verify, &texts).map(|config| Connector(Some(Arc::new(config))))
    }

    /// Connects, and says what every connection begins with. The connection's task ends when the client goes, when nobody waits for it any more, or with the attempt.
    pub(super) async fn connect(&self, io: &ConnectorIo) -> Result<Connection, EngineError> {
        // A file that is just being replaced is there again in a moment.
        let kind = if self.has_answered.load(Ordering::Relaxed) { ErrorKind::Retry } else { ErrorKind::FixInput };
        let unread = |why| EngineError::new(kind, format!("connect to PostgreSQL: `url`, `password`, `tls`: {why}"));
        let (config, connector) = self.config().map_err(unread)?;
        let place = Place { has_answered: self.has_answered.clone(), ..Place::of(&config) };
        let (tell, told) = oneshot::channel();
        let (ended, given_up) = (place.ended.clone(), Arc::new(Notify::new()));
        let over = given_up.clone();
        let connected = async move {
            match config.connect(connector).await {
                Ok((client, connection)) => {
                    let mut connection = pin!(connection);
                    // Who waited may have gone. Why it ends is there before the client hears that it has.
                    if tell.send(Ok(client)).is_ok()
                        && let Err(error) = connection.as_mut().await
                    {
                        _ = ended.set(failures::said(&error));
                    }
                }
                Err(error) => _ = tell.send(Err(error)),
            }
        };
        let connect = async move { _ = select(pin!(connected), pin!(over.notified())).await };
        io.spawn("postgres", connect.boxed());
        let begun = async {
            let client = told.await.map_err(|_| Failure::Gone("the attempt is over".into()))??;
            client.batch_execute(BEGIN).await?;
            Ok::<_, Failure>(client)
        };
        let late = io.clock().sleep_until(io.clock().now() + self.connect_timeout);
        let failure = match select(pin!(begun), late).await {
            Either::Left((Ok(client), _)) => {
                self.has_answered.store(true, Ordering::Relaxed);
                let patience = Patience::new(io.clock().clone(), self.answer_timeout);
                return Ok(Connection { client, place, patience, given_up });
            }
            Either::Left((Err(failure), _)) => failure,
            Either::Right(_) => Failure::Gone(format!("no answer within {}", humantime::format_duration(self.connect_timeout))),
        };
        given_up.notify_one();
        Err(failure.error("connect", &place))
    }
}

/// A client that is connected.
pub(super) struct Connection {
    pub client: Client,
    pub place: Place,
    pub patience: Patience,
    /// Tells the connection's task that nobody waits for the server any more.
    given_up: Arc<Notify>,
}

impl Connection {
    /// Whoever waits for this connection.
    pub(super) fn waiting(&self) -> Waiting {
        let Self { place, patience, given_up, .. } = self;
        Waiting { place: place.clone(), patience: patience.clone(), given_up: given_up.clone() }
    }
}

/// Whoever waits for a connection, for as long as its patience lasts: a server that says nothing for longer is given up, with what is under way.
pub(super) struct Waiting {
    place: Place,
    patience: Patience,
    given_up: Arc<Notify>,
}

impl Waiting {
    /// The same for so long.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { patience: self.patience.within(limit), ..self }
    }

    /// What `asked` comes to, or that the server has said nothing for `answer-timeout` while it was attempted.
    pub(super) async fn attempt<T>(&self, attempted: &str, asked: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        match self.patience.wait(asked).await {
            Some(answer) => answer,
            None => {
                self.given_up.notify_one();
                let message =
                    format!("{attempted}: {}: no answer within {}", self.place, humantime::format_duration(self.patience.limit()));
                let hint = "does the server do anything, or is it stopped? Where it needs more for one statement, raise `answer-timeout`";
                Err(EngineError::new(ErrorKind::Retry, message).with_hint(hint))
            }
        }
    }
}

/// Which database, as who: what errors name. It has no password.
#[derive(Clone, Debug)]
pub(super) struct Place {
    hosts: String,
    database: String,
    user: String,
    /// Why the connection has ended, once it has for a reason.
    ended: Arc<OnceLock<String>>,
    /// The server has let somebody in before.
    has_answered: Arc<AtomicBool>,
}

impl Place {
    fn of(config: &Config) -> Self {
        let ports = config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let host = |(at, host): (usize, &Host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            #[cfg(unix)]
            Host::Unix(folder) => format!("{}:{}", folder.display(), port(at)),
        };
        let mut hosts: Vec<String> = config.get_hosts().iter().enumerate().map(host).collect();
        if hosts.is_empty() {
            hosts = config.get_hostaddrs().iter().enumerate().map(|(at, address)| format!("{address}:{}", port(at))).collect();
        }
        let user = config.get_user().unwrap_or_default().to_owned();
        Self {
            hosts: hosts.join(","),
            database: config.get_dbname().unwrap_or(&user).to_owned(),
            user,
            ended: Arc::default(),
            has_answered: Arc::default(),
        }
    }

    /// Where it is.
    pub(super) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Why the connection has ended, once it has for a reason.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    /// What can be done where somebody is not let in.
    pub(super) fn kind_of_refusal(&self) -> ErrorKind {
        if self.has_answered.load(Ordering::Relaxed) { ErrorKind::Retry } else { ErrorKind::FixInput }
    }

    /// Who connects.
    pub(super) fn user(&self) -> &str {
        &self.user
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the PostgreSQL database `{}` at {} as `{}`", self.database, self.hosts, self.user)
    }
}
