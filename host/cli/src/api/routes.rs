//! What can be asked for.

use super::Api;
use super::body::{Asked, Uploaded};
use super::change::OtherComponent;
use super::changing::NAME_SHOWN;
use super::guard::Guard;
use super::job::{RunningJob, Stopped};
use super::refusal::Refusal;
use super::status::JobStatusDocument;
use super::{events, history, holds, key_state, metrics, page, quarantine, upgrade_check};
use crate::args::{PROBATION_MAX, probation_too_long};
use crate::documents::SCHEMA;
use crate::failure::Failure;
use crate::start::NamedBy;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use weir_engine::job::{CheckpointRequest, ResumePoint, StopKind, Upgrade, UpgradeEvent};
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::printable;

/// The API's description.
const OPENAPI: &str = include_str!("openapi.json");

/// `POST /v1/stop`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StopRequest {
    /// End the input first.
    pub drain: bool,
    /// Make a savepoint of where it stops: its URL, or an empty text for a folder beside the checkpoints.
    pub savepoint: Option<String>,
}

/// `POST /v1/savepoints`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SavepointRequest {
    pub url: Option<String>,
    pub unaligned: bool,
}

/// `POST /v1/rescale`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RescaleRequest {
    pub parallelism: u32,
    #[serde(default)]
    pub operator: Option<String>,
}

/// The query of `POST /v1/upgrade`, whose body is the component.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradeRequest {
    pub operator: String,
    /// What to call the component in messages.
    pub name: String,
    /// The reference that led to it, where it is from a registry, and the digest of its manifest there.
    #[serde(default)]
    pub reference: Option<String>,
    #[serde(default)]
    pub manifest: Option<String>,
    pub probation_ms: u64,
    /// The first checkpoint of the new component ends the probation, however soon it comes.
    #[serde(default)]
    pub until_checkpoint: bool,
    /// Go on although some sink cannot hold output back.
    #[serde(default)]
    pub allow_repeat: bool,
}

pub(super) type Answer = Result<Json<Value>, Refusal>;

/// The routes, behind the guard.
pub(super) fn router(api: Api, guard: Guard) -> Router {
    Router::new()
        .route("/metrics", get(figures))
        .route("/v1/events", get(events::events))
        .route("/v1/config", get(|State(job): State<RunningJob>| async move { Json(job.plan()) }))
        .route("/v1/failures", get(|State(job): State<RunningJob>| async move { Json(history::failures(&job)) }))
        .route("/v1/checkpoints", get(|State(job): State<RunningJob>| async move { Json(history::checkpoints(&job)) }))
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }))
        .route("/v1/job", get(status))
        .route("/v1/quarantine", get(quarantine::quarantine))
        .route("/v1/state", get(key_state::key_state))
        .route("/v1/stop", post(stop))
        .route("/v1/cancel", post(cancel))
        .route("/v1/checkpoints", post(checkpoint))
        .route("/v1/holds", post(holds::hold))
        .route("/v1/holds/{hold}", post(holds::renew))
        .route("/v1/holds/{hold}", delete(holds::release))
        .route("/v1/savepoints", post(savepoint))
        .route("/v1/rescale", post(rescale))
        .route("/v1/upgrade", post(upgrade))
        .route("/v1/upgrade/check", post(upgrade_check::check))
        .fallback(nothing_here)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state((api.clone(), guard.clone()), guarded))
        .with_state(api.clone())
        .merge(page_files(api.clone(), guard))
        .merge(probes(api))
}

/// The page itself needs no token: it holds nothing of the job, and asks for the token. On loopback it is for this address alone, as everything else is.
fn page_files(api: Api, guard: Guard) -> Router {
    Router::new()
        .route("/", get(|| page::file(page::INDEX)))
        .route("/app.js", get(|| page::file(page::SCRIPT)))
        .route("/app.css", get(|| page::file(page::STYLE)))
        .layer(middleware::from_fn_with_state((api.clone(), guard.without_tokens()), guarded))
        .with_state(api)
}

/// What whoever runs the process asks it: it says no more than whether the process answers, and whether the job runs.
fn probes(api: Api) -> Router {
    Router::new().route("/healthz", get(|| async { "the process answers\n" })).route("/readyz", get(ready)).with_state(api)
}

async fn ready(State(job): State<RunningJob>) -> (StatusCode, &'static str) {
    match job.is_running() {
        true => (StatusCode::OK, "all subtasks run\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not all subtasks run\n"),
    }
}

async fn figures(State(job): State<RunningJob>) -> Result<impl IntoResponse, Refusal> {
    let text = metrics::text(&job.look());
    let failed = |error: std::fmt::Error| Refusal::without_hint(StatusCode::INTERNAL_SERVER_ERROR, format!("write the metrics: {error}"));
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text.map_err(failed)?))
}

/// Nothing of a request but its head is read before this has let it in.
async fn guarded(State((api, guard)): State<(Api, Guard)>, request: Request, next: Next) -> Response {
    match guard.refuse(request.uri().path(), request.headers()) {
        Some((status, why)) => {
            api.bodies.discard(request.into_body());
            Refusal::without_hint(status, why).into_response()
        }
        None => next.run(request).await,
    }
}

async fn nothing_here(State(api): State<Api>, request: Request) -> Refusal {
    api.bodies.discard(request.into_body());
    Refusal::new(StatusCode::NOT_FOUND, "there is nothing here", "GET /openapi.json says what there is")
}

async fn no_such_method(State(api): State<Api>, request: Request) -> Refusal {
    let message = format!("{} is not answered here", printable(request.method().as_str(), NAME_SHOWN));
    api.bodies.discard(request.into_body());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message, "GET /openapi.json says what is")
}

async fn status(State(job): State<RunningJob>) -> Json<JobStatusDocument> {
    Json(job.document())
}

async fn stop(State(job): State<RunningJob>, Asked(request): Asked<StopRequest>) -> Answer {
    let kind = if request.drain { StopKind::Drain } else { StopKind::Suspend };
    // The savepoint is written also where whoever asked for it goes away: the job is stopped for it.
    to_its_end(async move {
        let Stopped { ended, checkpoint, savepoint, savepoint_error } = job.stop(kind, request.savepoint.as_deref()).await?;
        let (message, hint) = match savepoint_error {
            Some(error) => (Some(error.to_string()), error.hint().map(str::to_owned)),
            None => (None, None),
        };
        Ok(Json(json!({
            "schema": SCHEMA, "job": job.name(), "outcome": ended.outcome, "error": ended.error, "hint": ended.hint,
            "checkpoint": checkpoint, "savepoint": savepoint, "savepoint_error": message, "savepoint_hint": hint,
        })))
    })
    .await
}

async fn cancel(State(job): State<RunningJob>) -> Answer {
    job.control().stop(StopKind::Cancel);
    let ended = job.ended().await;
    Ok(Json(json!({ "schema": SCHEMA, "job": job.name(), "outcome": ended.outcome, "error": ended.error, "hint": ended.hint })))
}

async fn checkpoint(State(job): State<RunningJob>) -> Answer {
    let held = job.control().checkpoint(CheckpointRequest::Checkpoint).await?;
    let id = held.checkpoint.checkpoint_id.0;
    let last = job.document().last_checkpoint.filter(|last| last.id == id);
    Ok(Json(json!({
        "schema": SCHEMA, "job": job.name(), "checkpoint": id,
        "duration_ms": last.as_ref().map(|last| last.duration_ms), "bytes": last.as_ref().map(|last| last.bytes),
    })))
}

async fn savepoint(State(job): State<RunningJob>, Asked(request): Asked<SavepointRequest>) -> Answer {
    job.changes().refuse_on_probation()?;
    let (url, savepoint) = job.savepoint(request.url.as_deref(), request.unaligned).await?;
    Ok(Json(json!({ "schema": SCHEMA, "job": job.name(), "url": url, "checkpoint": savepoint.checkpoint_id.0 })))
}

async fn rescale(State(job): State<RunningJob>, Asked(request): Asked<RescaleRequest>) -> Answer {
    to_its_end(async move {
        let changing = job.changes().begin("rescale", request.operator.as_deref()).await?;
        let (shape, operator) = (job.shape(), request.operator.clone());
        let planned = blocking(move || shape.rescaled(request.parallelism, operator.as_deref())).await?;
        changing.phase("changing over", None);
        let steps: Vec<String> = planned.change.overrides.iter().map(|change| change.vertex.clone()).collect();
        let rescaled = job.control().rescale(planned.change).await?;
        Ok(Json(json!({
            "schema": SCHEMA, "job": job.name(), "parallelism": request.parallelism, "operator": request.operator,
            "steps": steps, "left_alone": planned.left_alone, "checkpoint": rescaled.checkpoint_id.0, "pause_ms": ms(rescaled.pause),
        })))
    })
    .await
}

async fn upgrade(State(api): State<Api>, query: Result<Query<UpgradeRequest>, QueryRejection>, upload: Request) -> Answer {
    let request = match query.map_err(bad_query).and_then(|Query(request)| may_upgrade(&api.job, request)) {
        Ok(request) => request,
        Err(refusal) => {
            api.bodies.discard(upload.into_body());
            return Err(refusal);
        }
    };
    let component = Uploaded::from_request(upload, &api).await?;
    to_its_end(changed_over(api.job, request, component)).await
}

pub(super) fn bad_query(rejection: QueryRejection) -> Refusal {
    let message = printable(&rejection.body_text(), NAME_SHOWN);
    Refusal::new(StatusCode::BAD_REQUEST, message, "GET /openapi.json says what the query holds")
}

/// The request, unless it can be refused before the component is read. Its name, which this job's user is shown, is fit for that.
fn may_upgrade(job: &RunningJob, request: UpgradeRequest) -> Result<UpgradeRequest, Refusal> {
    if Duration::from_millis(request.probation_ms) > PROBATION_MAX {
        let message = format!("{} ms: {}", request.probation_ms, probation_too_long());
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message, "output is held back meanwhile: minutes are long enough"));
    }
    job.changes().refuse_beside_upgrade()?;
    let shown = |text: Option<String>| text.map(|text| printable(&text, NAME_SHOWN));
    let (name, reference, manifest) = (printable(&request.name, NAME_SHOWN), shown(request.reference), shown(request.manifest));
    Ok(UpgradeRequest { name, reference, manifest, ..request })
}

async fn changed_over(job: RunningJob, request: UpgradeRequest, Uploaded(body): Uploaded) -> Answer {
    let changing = job.changes().begin("upgrade", Some(&request.operator)).await?;
    let (shape, operator) = (job.shape(), request.operator.clone());
    let reference = request.reference.map(|reference| NamedBy { reference, manifest: request.manifest });
    let component = OtherComponent { operator: operator.clone(), name: request.name, bytes: body.bytes.clone(), reference };
    let planned = blocking(move || shape.upgraded(component)).await?;
    let leaky = weaker_sinks(&planned.change.graph);
    if !leaky.is_empty() && !request.allow_repeat {
        let message = format!("{} cannot hold output back while the new component proves itself", leaky.join(", "));
        let hint = "with `--allow-repeat` what the probation wrote there may come again after a rollback";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message, hint));
    }
    changing.phase("changing over", None);
    let probation = Duration::from_millis(request.probation_ms);
    let (vertex, until_checkpoint) = (operator.clone(), request.until_checkpoint);
    let mut events = job.control().upgrade(Upgrade { change: planned.change, vertex, probation, until_checkpoint });
    let mut switched = None;
    let (outcome, reason, behind) = loop {
        match events.recv().await {
            Some(UpgradeEvent::Switched { checkpoint_id, pause }) => {
                changing.on_probation(checkpoint_id.0, probation, job.clock().wall_ms());
                switched = Some((checkpoint_id, ms(pause)));
            }
            Some(UpgradeEvent::Accepted) => {
                job.set_shape(planned.shape);
                break ("accepted", None, switched.map(|(checkpoint_id, _)| ResumePoint::Checkpoint(checkpoint_id)));
            }
            Some(UpgradeEvent::RolledBack { error, to }) => break ("rolled-back", Some(error.to_string()), Some(to)),
            Some(UpgradeEvent::Refused(error)) => return Err(Failure::of_job(&job.shape().file, error).into()),
            None => return Err(EngineError::new(ErrorKind::Restart, "the job ended before the upgrade was decided").into()),
        }
    };
    let (checkpoint, savepoint) = match behind {
        Some(ResumePoint::Checkpoint(checkpoint_id)) => (Some(checkpoint_id.0), None),
        Some(ResumePoint::Savepoint(url)) => (None, Some(url)),
        Some(ResumePoint::Beginning) | None => (None, None),
    };
    Ok(Json(json!({
        "schema": SCHEMA, "job": job.name(), "operator": operator, "outcome": outcome, "reason": reason,
        "checkpoint": checkpoint, "savepoint": savepoint, "pause_ms": switched.map(|(_, pause)| pause), "may_repeat": leaky,
    })))
}

/// Sinks whose records are seen before a checkpoint covers them.
fn weaker_sinks(graph: &weir_engine::job::JobGraph) -> Vec<String> {
    let weaker = graph.vertices.iter().filter(|vertex| match &vertex.kind {
        weir_engine::job::VertexKind::Sink(sink) => sink.delivery() == weir_engine::sink::Delivery::MayRepeat,
        weir_engine::job::VertexKind::Source { .. } | weir_engine::job::VertexKind::Operator(_) => false,
    });
    weaker.map(|vertex| format!("the sink `{}`", vertex.id)).collect()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Runs a change to its end also where whoever asked for it goes away: the engine has it by then, and the next change has to begin from it.
#[expect(clippy::disallowed_methods, reason = "the API is not simulated: it is not part of the engine")]
async fn to_its_end(change: impl Future<Output = Answer> + Send + 'static) -> Answer {
    let failed = |error: String| Refusal::without_hint(StatusCode::INTERNAL_SERVER_ERROR, error);
    tokio::spawn(change).await.map_err(|error| failed(error.to_string()))?
}

/// Compiling takes a thread of its own.
#[expect(clippy::disallowed_methods, reason = "the API is not simulated: it is not part of the engine")]
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Refusal> {
    let failed = |error: String| Refusal::without_hint(StatusCode::INTERNAL_SERVER_ERROR, error);
    Ok(tokio::task::spawn_blocking(work).await.map_err(|error| failed(error.to_string()))??)
}

#[cfg(test)]
mod tests;
