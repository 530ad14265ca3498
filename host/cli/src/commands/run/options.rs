//! What the command line says of a run: where it starts, where its API is served, and what does not go together.

use crate::api::{ApiAddress, METRICS_TOKEN, TOKEN};
use crate::args::{Output, RunArgs};
use crate::failure::Failure;
use crate::job_file::{Api, JobFile, Located, Problem, SourceStep, Span};
use crate::start::{StartPoint, start_point};
use std::path::Path;
use weir_connectors::{settings_of_sources, sink_capabilities};
use weir_engine::job::StartMode;
use weir_secrets::Template;

/// The setting with which a source reads on what comes while the job runs.
const FOLLOW: &str = "follow";

/// The absolute path of a file, as the registry shows it.
pub(super) fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Where to serve the API; `None`: nowhere. The command line and the environment come before the job file.
pub(super) fn api_address(args: &RunArgs, job: &JobFile) -> Result<Option<ApiAddress>, Failure> {
    if args.no_api {
        return Ok(None);
    }
    let Api { listen, token, metrics_token, .. } = &job.api;
    let refused = |span: &Span, message: String, hint: &str| job.refuse(vec![Problem::new(span.clone(), message).hint(hint)]);
    let read =
        |variable: &str, said: &Option<Located<Template>>| match (std::env::var(variable).ok().filter(|given| !given.is_empty()), said) {
            (Some(given), _) => Ok(Some(given)),
            (None, None) => Ok(None),
            (None, Some(said)) => match said.value.secret() {
                Ok(token) if token.is_empty() => {
                    refused(&said.span, "a token of [api] is empty, and would keep nobody out".into(), "make a long one by chance")?;
                    Ok(None)
                }
                Ok(token) => Ok(Some(token)),
                Err(error) => refused(&said.span, format!("a token of [api]: {error}"), error.hint()).map(|()| None),
            },
        };
    let (token, metrics_token) = (read(TOKEN, token)?, read(METRICS_TOKEN, metrics_token)?);
    match &args.api {
        Some(named) => ApiAddress::parse(named, token, metrics_token).map_err(|bad| bad.of_option(named)).map(Some),
        None => match ApiAddress::parse(&listen.value, token, metrics_token) {
            Ok(address) => Ok(Some(address)),
            Err(bad) => {
                refused(&listen.span, format!("`listen` of [api]: {}", bad.message), bad.hint)?;
                Ok(None)
            }
        },
    }
}

/// Where the run starts.
pub(super) fn start_mode(args: &RunArgs) -> Result<StartMode, Failure> {
    match &args.from {
        None if args.fresh => Ok(StartMode::Fresh),
        None => Ok(StartMode::Resume),
        Some(from) => match start_point(from, args.job.as_deref().unwrap_or(Path::new("JOB")))? {
            StartPoint::Checkpoint(checkpoint_id) => Ok(StartMode::From { checkpoint_id, again: args.again }),
            StartPoint::Savepoint(url) => Ok(StartMode::FromSavepoint { url, again: args.again }),
        },
    }
}

/// What to say of input that has come since a job finished, where one of its sources could follow it and does not.
pub(super) fn how_to_follow(job: &JobFile) -> Option<String> {
    let can_follow = |step: &&SourceStep| {
        let known = settings_of_sources().into_iter().find(|known| known.connector == step.connector.value);
        known.is_some_and(|known| known.settings.iter().any(|setting| setting.name == FOLLOW))
    };
    let could: Vec<&SourceStep> = job.sources.iter().filter(can_follow).collect();
    let follows = could.iter().any(|step| step.settings.values.get(FOLLOW) == Some(&true.into()));
    let step = could.first().filter(|_| !follows)?;
    let id = &step.id.value;
    Some(format!(
        "files that have come since are not read; a job that begins with `{FOLLOW} = true` in [source.{id}] reads on as files grow and come"
    ))
}

/// Refuses to print the document of a run whose records go to standard output too.
pub(super) fn refuse_two_documents(output: Output, job: &JobFile) -> Result<(), Failure> {
    match job.sinks.iter().find(|sink| sink_capabilities(&sink.connector.value).owns_stdout) {
        Some(sink) if output == Output::Json => Err(Failure::Usage {
            message: format!("`--output json` and the sink `{}` would both write to standard output", sink.id.value),
            hint: "leave `--output json` out, or send the records to a `file` sink".into(),
        }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_file::{SourceText, parse};
    use weir_engine::element::CheckpointId;

    fn args(from: Option<&str>, fresh: bool, again: bool) -> RunArgs {
        RunArgs {
            job: Some("job.toml".into()),
            fresh,
            from: from.map(Into::into),
            again,
            pinned: false,
            drop_state: Vec::new(),
            accept_lost_output: false,
            republish: false,
            assume_published: false,
            api: None,
            no_api: true,
            until_stdin_ends: false,
            developed: false,
            component: Vec::new(),
            takeover: false,
        }
    }

    #[test]
    fn the_start_follows_the_options() {
        let mode = |from, fresh, again| start_mode(&args(from, fresh, again)).ok();
        assert_eq!(mode(None, false, false), Some(StartMode::Resume));
        assert_eq!(mode(None, true, false), Some(StartMode::Fresh));
        assert_eq!(mode(Some("7"), false, true), Some(StartMode::From { checkpoint_id: CheckpointId(7), again: true }));
    }

    #[test]
    fn a_savepoint_is_named_by_url_or_path_and_anything_else_is_bad_usage() {
        let mode = |from| start_mode(&args(Some(from), false, false)).map_err(|failure| (failure.exit_code(), failure.text()));
        assert_eq!(mode("file:/s"), Ok(StartMode::FromSavepoint { url: "file:/s".into(), again: false }));
        assert_eq!(mode("/s/1"), Ok(StartMode::FromSavepoint { url: "file:/s/1".into(), again: false }));
        let neither = "`--from latest`: this is neither a checkpoint id nor the URL or path of a savepoint";
        assert_eq!(mode("latest"), Err((2, neither.into())));
        assert!(mode("gs://x/y").is_err());
    }

    #[test]
    fn what_has_come_is_spoken_of_where_a_source_could_follow_it_and_does_not() {
        let how = |source: &str| {
            let text = format!("name = \"j\"\n[source.in]\n{source}\n[sink.out]\nconnector = \"blackhole\"\ninput = \"in\"\n");
            let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/jobs"), 1).expect("a fine job");
            how_to_follow(&job)
        };
        assert!(how("connector = \"file\"\npath = \"x\"").is_some_and(|how| how.contains("`follow = true` in [source.in]")));
        assert_eq!(how("connector = \"file\"\npath = \"x\"\nfollow = true"), None);
        assert_eq!(how("connector = \"generator\""), None);
    }

    #[test]
    fn a_stdout_sink_and_a_document_do_not_share_standard_output() {
        let text = "name = \"j\"\n[source.in]\nconnector = \"generator\"\n[sink.out]\nconnector = \"stdout\"\ninput = \"in\"\n";
        let source = SourceText { name: "job.toml".into(), text: text.into() };
        let job = parse(source, std::path::Path::new("/jobs"), 1).expect("a fine job");
        assert!(refuse_two_documents(Output::Text, &job).is_ok());
        assert_eq!(refuse_two_documents(Output::Json, &job).err().map(|failure| failure.exit_code()), Some(2));
    }
}
