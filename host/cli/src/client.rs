//! Speaks to a running job that is named by its name or its job file.

use crate::api::TOKEN;
use crate::failure::Failure;
use crate::job_file::{api_token, nearby_jobs};
use crate::registry::{Registered, Registry, is_same_storage, resolved};
use serde_json::Value;
use std::io::ErrorKind as ErrorOfFile;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::StatusCode;
use weir_engine::{EngineError, ErrorKind};

/// A job that runs says how it is doing within this. One that does not may be stopped by a signal, and is not waited for.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A running job.
pub struct JobClient {
    /// Where it is.
    pub registered: Registered,
    api: String,
    token: Option<String>,
    agent: ureq::Agent,
    /// How long a question is waited for.
    patience: Duration,
}

impl JobClient {
    /// Finds the job that `named` names.
    pub fn find(named: &str) -> Result<Self, Failure> {
        let running = running()?;
        Self::of(choose(named, &running)?.ok_or_else(|| not_running(named, &running))?, PATIENCE)
    }

    /// The same, where it is no error that no such job runs.
    pub fn look_for(named: &str) -> Result<Option<Self>, Failure> {
        choose(named, &running()?)?.map(|found| Self::of(found, PATIENCE)).transpose()
    }

    /// The running jobs whose objects lie at the absolute URL `storage` and that can be spoken to, none of which is waited for longer than `patience`.
    pub fn at(storage: &str, patience: Duration) -> Vec<Self> {
        let found = at_storage(storage, running().unwrap_or_default());
        found
            .filter_map(|one| {
                Some(Self { api: one.api.clone()?, token: token_of(&one), agent: agent(Some(patience)), registered: one, patience })
            })
            .collect()
    }

    fn of(registered: &Registered, patience: Duration) -> Result<Self, Failure> {
        let Some(api) = registered.api.clone() else {
            let Registered { job, pid, .. } = registered;
            let message = format!("{job} cannot be spoken to: process {pid} is about to begin it, or runs it with `--no-api`");
            return Err(EngineError::new(ErrorKind::FixInput, message)
                .with_hint(format!("try again where it is about to begin; `kill {pid}` stops it after a last checkpoint"))
                .into());
        };
        Ok(Self { registered: registered.clone(), api, token: token_of(registered), agent: agent(None), patience })
    }

    /// Asks how the job is doing.
    pub fn status(&self) -> Result<Value, Failure> {
        let (path, patience) = ("/v1/job", Some(self.patience));
        let request = self.agent.get(self.url(path)).config().timeout_connect(patience).timeout_global(patience).build();
        self.answer(path, self.with_token(request).call())
    }

    /// Asks for something to be done, which may take as long as it takes: so first whether the process answers at all.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.status()?;
        let request = self.agent.post(self.url(path)).header("content-type", "application/json");
        self.answer(path, self.with_token(request).send(body.to_string().as_bytes()))
    }

    /// Asks for something to be given up.
    pub fn delete(&self, path: &str) -> Result<Value, Failure> {
        let request = self.agent.delete(self.url(path));
        self.answer(path, self.with_token(request).call())
    }

    /// The same as [`JobClient::post`], with bytes and a query.
    pub fn post_bytes(&self, path: &str, query: &[(&str, String)], body: &[u8]) -> Result<Value, Failure> {
        self.status()?;
        let request = self.agent.post(self.url(path)).query_pairs(query.iter().map(|(name, value)| (*name, value.as_str())));
        // What is refused is refused before all of it has been sent.
        let request = request.header("content-type", "application/wasm").header("expect", "100-continue");
        self.answer(path, self.with_token(request).send(body))
    }

    fn with_token<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api)
    }

    fn answer(&self, path: &str, outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, Failure> {
        let (job, pid) = (&self.registered.job, self.registered.pid);
        let failed = |error: ureq::Error| match error {
            ureq::Error::Timeout(_) => EngineError::new(ErrorKind::Retry, format!("{job}: process {pid} does not answer"))
                .with_hint(format!("it may be stopped: `kill -CONT {pid}` lets it go on")),
            error => EngineError::new(ErrorKind::Retry, format!("ask {job} (process {pid}) for {path}: {error}"))
                .with_hint("`weir jobs` shows what runs"),
        };
        let mut response = outcome.map_err(failed)?;
        let text = response.body_mut().read_to_string().map_err(failed)?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if response.status().is_success() {
            return Ok(body);
        }
        let said = |field: &str| body["error"][field].as_str().map(str::to_owned);
        let message = said("message").unwrap_or_else(|| format!("{} {}", response.status(), text.trim()));
        let hint = said("hint").or_else(|| {
            (response.status() == StatusCode::UNAUTHORIZED).then(|| format!("set `{TOKEN}` to the token that the job was started with"))
        });
        let error = EngineError::new(ErrorKind::FixInput, format!("{job}: {message}"));
        Err(Failure::Engine(match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }))
    }
}

fn agent(patience: Option<Duration>) -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).max_redirects(0);
    config.timeout_global(patience).build().into()
}

/// What the job wants to be shown: what the environment says, or the job file.
fn token_of(registered: &Registered) -> Option<String> {
    let given = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    given.or_else(|| api_token(Path::new(&registered.job_file)))
}

/// All jobs that run.
pub fn running() -> Result<Vec<Registered>, Failure> {
    let read = Registry::of_user().and_then(|registry| registry.running());
    Ok(read.map_err(|error| EngineError::new(ErrorKind::FixInput, format!("look for running jobs: {error}")))?)
}

/// Those of the running jobs whose objects lie at the absolute URL `storage`, under whatever name.
fn at_storage(storage: &str, running: Vec<Registered>) -> impl Iterator<Item = Registered> {
    running.into_iter().filter(move |one| is_same_storage(&one.storage, storage))
}

/// The running job that `named` names, whether or not it can be spoken to.
pub fn registered(named: &str) -> Result<Option<Registered>, Failure> {
    Ok(choose(named, &running()?)?.cloned())
}

/// The job file that `named` names: the file itself, or that of the running job of that name. A folder is no job file, and often called as the job is whose
/// output or storage it holds.
pub fn job_file(named: &Path) -> Result<PathBuf, Failure> {
    job_file_of(named, registered)
}

fn job_file_of(named: &Path, running: impl FnOnce(&str) -> Result<Option<Registered>, Failure>) -> Result<PathBuf, Failure> {
    if named.exists() && !named.is_dir() {
        return Ok(named.to_owned());
    }
    let found = match named.to_str() {
        Some(name) => running(name)?,
        None => None,
    };
    Ok(found.map_or_else(|| named.to_owned(), |found| found.job_file.into()))
}

/// The one of the running jobs that is named, where there is one.
fn choose<'a>(named: &str, running: &'a [Registered]) -> Result<Option<&'a Registered>, Failure> {
    let file = file_named(named);
    let is_meant = |one: &&Registered| match &file {
        Some(file) => resolved(Path::new(&one.job_file)) == resolved(file),
        // Its file may have been deleted while it runs.
        None => one.job == named || std::path::absolute(named).is_ok_and(|file| file == Path::new(&one.job_file)),
    };
    let found: Vec<&Registered> = running.iter().filter(is_meant).collect();
    match found[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => {
            let files: Vec<String> = found.iter().map(|one| format!("{} (process {})", one.job_file, one.pid)).collect();
            let message = format!("several jobs `{named}` run: {}", files.join(", "));
            Err(EngineError::new(ErrorKind::FixInput, message).with_hint("name the job file of the one that you mean").into())
        }
    }
}

fn file_named(named: &str) -> Option<PathBuf> {
    Path::new(named).is_file().then(|| std::path::absolute(named).ok()).flatten()
}

fn not_running(named: &str, running: &[Registered]) -> Failure {
    let names: Vec<&str> = running.iter().map(|one| one.job.as_str()).collect();
    let (mut message, mut hint) = (format!("no job `{named}` runs here"), None);
    if is_file_name(named) && file_named(named).is_none() {
        let why = if Path::new(named).is_dir() { ErrorOfFile::IsADirectory } else { ErrorOfFile::NotFound };
        message.push_str(if why == ErrorOfFile::NotFound { ": there is no such file" } else { ": that is a folder" });
        hint = nearby_jobs(Path::new(named), why);
    }
    let hint = hint.unwrap_or_else(|| match (file_named(named), &names[..]) {
        (Some(_), _) => format!("`weir run {named}` starts it; one that was started with `--no-api` cannot be spoken to"),
        (None, []) => "no job runs; `weir run JOBFILE` starts one".to_owned(),
        (None, names) => format!("running are: {}", names.join(", ")),
    });
    EngineError::new(ErrorKind::FixInput, message).with_hint(hint).into()
}

/// True of what can be meant as a file alone: no job's name has a slash, and hardly one ends so.
fn is_file_name(named: &str) -> bool {
    named.contains('/') || named.ends_with(".toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(job: &str, job_file: &str) -> Registered {
        Registered {
            job: job.into(),
            pid: 7,
            started: 1,
            api: Some("127.0.0.1:1".into()),
            job_file: job_file.into(),
            storage: "file:/w".into(),
            place: None,
        }
    }

    #[track_caller]
    fn check(named: &str, running: &[Registered], expect: &str) {
        let chosen = choose(named, running).and_then(|one| one.ok_or_else(|| not_running(named, running)));
        assert_eq!(chosen.map_or_else(|failure| failure.text(), |one| one.job_file.clone()), expect);
    }

    #[test]
    fn a_job_is_named_by_name_or_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("b.toml");
        std::fs::write(&file, "").expect("written");
        let (path, running) = (file.display().to_string(), [one("a", "/a.toml"), one("b", &file.display().to_string())]);
        check("a", &running, "/a.toml");
        check(&path, &running, &path);
        check("c", &running, "no job `c` runs here");
        check(&path, &running[..1], &format!("no job `{path}` runs here"));
    }

    #[test]
    fn a_job_file_is_the_one_that_is_there_or_that_of_the_job_that_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("words");
        std::fs::write(&file, "").expect("written");
        let runs = |job: &str| Ok(Some(one(job, "/jobs/words.toml")));
        assert_eq!(job_file_of(&file, |_| panic!("it is there")).ok(), Some(file));
        assert_eq!(job_file_of(Path::new("no-such-file"), runs).ok(), Some("/jobs/words.toml".into()));
        assert_eq!(job_file_of(Path::new("no-such-file"), |_| Ok(None)).ok(), Some("no-such-file".into()));
        assert_eq!(job_file_of(folder.path(), runs).ok(), Some("/jobs/words.toml".into()), "a folder is none");
        assert_eq!(job_file_of(folder.path(), |_| Ok(None)).ok(), Some(folder.path().to_owned()), "which is said of the folder");
    }

    #[test]
    fn a_file_that_is_not_there_is_told_beside_those_that_are_unless_its_job_still_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("there.toml"), "name = \"there\"").expect("written");
        let refused = |named: &str| not_running(named, &[one("a", "/a.toml")]);
        let failure = refused(&at("nope.toml"));
        assert_eq!(failure.text(), format!("no job `{}` runs here: there is no such file", at("nope.toml")));
        assert_eq!(failure.hint(), Some(&*format!("in {} there are: `there.toml`", folder.path().display())));
        let failure = refused(&at(""));
        assert_eq!(failure.text(), format!("no job `{}` runs here: that is a folder", at("")));
        assert!(failure.hint().is_some_and(|hint| hint.ends_with("there are: `there.toml`")), "{failure:?}");
        assert!(refused("nope.toml").text().ends_with("there is no such file"));
        assert_eq!(refused("nope").hint(), Some("running are: a"));
        check(&at("gone.toml"), &[one("gone", &at("gone.toml"))], &at("gone.toml"));
    }

    #[test]
    fn a_job_that_is_about_to_begin_is_to_be_asked_again() {
        let failure = JobClient::of(&Registered { api: None, ..one("a", "/a.toml") }, PATIENCE).err().expect("it has no API");
        assert!(failure.text().starts_with("a cannot be spoken to: process 7 is about to begin it"), "{}", failure.text());
        assert!(failure.hint().is_some_and(|hint| hint.starts_with("try again where it is about to begin")), "{failure:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_job_that_is_reached_through_a_link_is_the_same_job() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).expect("a folder");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        std::fs::write(real.join("a.toml"), "").expect("written");
        let name = |folder: &Path, inner: &str| folder.join(inner).display().to_string();
        let storage = format!("file:{}", name(&real, "a"));
        let running = [Registered { storage: storage.clone(), ..one("a", &name(&real, "a.toml")) }];
        check(&name(&link, "a.toml"), &running, &name(&real, "a.toml"));
        check(&name(&real, "a.toml"), &running, &name(&real, "a.toml"));
        let found = |storage: &str| at_storage(storage, running.to_vec()).count();
        assert_eq!([&storage, &format!("file:{}", name(&link, "a")), "file:/elsewhere"].map(found), [1, 1, 0]);
    }

    #[test]
    fn a_process_that_does_not_answer_is_not_waited_for() {
        // The system takes connections for it, as it does for a process that is stopped.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = silent.local_addr().expect("an address").to_string();
        let registered = Registered { api: Some(address), ..one("a", "/a.toml") };
        let client = JobClient::of(&registered, Duration::from_millis(50)).expect("it has an API");
        for asked in [client.status(), client.post("/v1/stop", &Value::Null), client.post_bytes("/v1/upgrade", &[], b"x")] {
            let failure = asked.expect_err("nobody answers");
            assert_eq!(failure.text(), "a: process 7 does not answer");
            assert_eq!(failure.hint(), Some("it may be stopped: `kill -CONT 7` lets it go on"));
        }
    }

    #[test]
    fn one_of_several_has_to_be_named_by_its_file() {
        check("a", &[one("a", "/a.toml"), one("a", "/b.toml")], "several jobs `a` run: /a.toml (process 7), /b.toml (process 7)");
    }
}
