//! Serves the API on the control threads, from the start of a job until everybody who waits for its end has an answer.

use super::Api;
use super::body::Bodies;
use super::connections::{Room, serve};
use super::guard::{Guard, Tokens};
use super::job::{Ended, RunningJob};
use super::routes::router;
use crate::failure::Failure;
use crate::process::descriptor_limit;
use futures_util::future::select;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use weir_engine::runtime::ThreadRuntime;
use weir_engine::{EngineError, ErrorKind};

/// The variable that holds the token.
pub(crate) const TOKEN: &str = "WEIR_API_TOKEN";
/// The variable that holds a token for the figures alone.
pub(crate) const METRICS_TOKEN: &str = "WEIR_METRICS_TOKEN";
/// A savepoint of the end is written for so long at most: it is work of the job's, and whoever waits for it is not left alone.
pub(super) const SAVEPOINT_WITHIN: Duration = Duration::from_secs(600);
/// Every other request that is being worked on when the job has ended has its answer by then, or gets none.
const GRACE: Duration = Duration::from_secs(2);

/// Where to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiAddress {
    address: SocketAddr,
    tokens: Option<Tokens>,
}

/// Why it cannot be served there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadAddress {
    pub message: String,
    pub hint: &'static str,
}

impl BadAddress {
    /// As an error of `--api`.
    pub fn of_option(self, named: &str) -> Failure {
        Failure::Usage { message: format!("`--api {named}`: {}", self.message), hint: self.hint.into() }
    }
}

impl ApiAddress {
    /// `named` as the user wrote it. An address that others can reach needs a token.
    pub fn parse(named: &str, token: Option<String>, of_metrics: Option<String>) -> Result<Self, BadAddress> {
        let given = |token: Option<String>| token.filter(|token| !token.is_empty());
        let tokens = given(token).map(|all| Tokens { all, metrics: given(of_metrics) });
        let refused = |message: String, hint| BadAddress { message, hint };
        let local = named.replacen("localhost", "127.0.0.1", 1);
        let address: SocketAddr =
            local.parse().map_err(|_bad| refused(format!("`{named}` is no address"), "for example `127.0.0.1:7070`; port 0 picks one"))?;
        if !address.ip().is_loopback() && tokens.is_none() {
            let hint = "set `WEIR_API_TOKEN` for the job and for whoever speaks to it, or `token` in [api]; or stay on 127.0.0.1";
            return Err(refused(format!("others can reach `{named}`, and nothing would keep them out"), hint));
        }
        Ok(Self { address, tokens })
    }
}

/// A running API.
pub(crate) struct ApiServer {
    /// Where it is served.
    pub address: SocketAddr,
    job: RunningJob,
    close: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl ApiServer {
    /// Begins to serve `job`.
    pub fn start(threads: &ThreadRuntime, address: ApiAddress, job: RunningJob) -> Result<Self, EngineError> {
        let failed = |error: std::io::Error| {
            EngineError::new(ErrorKind::FixInput, format!("serve the API on {}: {error}", address.address))
                .with_hint("`--api 127.0.0.1:0` picks a port that is free; `--no-api` serves none")
        };
        let listener = threads.block_on(TcpListener::bind(address.address)).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let guard = address.tokens.map_or(Guard::Loopback(bound), Guard::Tokens);
        let (close, closing) = watch::channel(false);
        let router = router(Api { job: job.clone(), bodies: Bodies::new(job.clock()), streams: Default::default() }, guard);
        let serve = serve(listener, router, Room::of(descriptor_limit()), job.clock(), closing);
        #[expect(clippy::disallowed_methods, reason = "the API is not simulated: it is not part of the engine")]
        let served = threads.control().spawn(serve);
        Ok(Self { address: bound, job, close, served })
    }

    /// The job has ended: answers whoever waits for that, and closes.
    pub fn end(self, threads: &ThreadRuntime, ended: Ended) {
        let Self { job, close, mut served, .. } = self;
        job.end(ended);
        _ = close.send(true);
        let clock = job.clock();
        threads.block_on(async {
            select(pin!(job.savepoints_written()), clock.sleep_until(clock.now() + SAVEPOINT_WITHIN)).await;
            select(&mut served, clock.sleep_until(clock.now() + GRACE)).await;
        });
        served.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        let parsed = |named, token: Option<&str>| {
            ApiAddress::parse(named, token.map(str::to_owned), None).map_err(|bad| bad.of_option(named).exit_code()).err()
        };
        assert_eq!(parsed("127.0.0.1:0", None), None);
        assert_eq!(parsed("localhost:80", None), None);
        assert_eq!(parsed("[::1]:80", None), None);
        assert_eq!(parsed("0.0.0.0:80", None), Some(2));
        assert_eq!(parsed("0.0.0.0:80", Some("")), Some(2));
        assert_eq!(parsed("0.0.0.0:80", Some("secret")), None);
        assert_eq!(parsed("80", None), Some(2));
    }
}
