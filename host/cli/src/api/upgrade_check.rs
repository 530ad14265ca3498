//! `POST /v1/upgrade/check`: whether another component could take over, and what would change, before anything does. It goes the way of an upgrade up to its barrier: the
//! component is compiled and assembled as there, the attempt compares the states and makes the operators, and migrations are tried on some of what the newest checkpoint
//! has. What only the component's work can show is what a probation is for.

use super::Api;
use super::body::Uploaded;
use super::change::{OtherComponent, no_such_plugin};
use super::changing::NAME_SHOWN;
use super::job::RunningJob;
use super::refusal::Refusal;
use super::routes::{Answer, bad_query, blocking};
use crate::documents::SCHEMA;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use weir_engine::EngineError;
use weir_engine::job::{Fitting, JobGraph, Upgrade, VertexKind};
use weir_wasm::printable;

/// The query; the body is the component.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckAsked {
    operator: String,
    /// What to call the component in messages.
    name: String,
}

/// Answers whether the component fits.
pub(super) async fn check(State(api): State<Api>, query: Result<Query<CheckAsked>, QueryRejection>, upload: Request) -> Answer {
    let asked = match query.map_err(bad_query).and_then(|Query(asked)| may_be_checked(&api.job, asked)) {
        Ok(asked) => asked,
        Err(refusal) => {
            api.bodies.discard(upload.into_body());
            return Err(refusal);
        }
    };
    let component = Uploaded::from_request(upload, &api).await?;
    checked(api.job, asked, component).await
}

/// The question, unless it can be refused before the component is read.
fn may_be_checked(job: &RunningJob, asked: CheckAsked) -> Result<CheckAsked, Refusal> {
    let shape = job.shape();
    if !shape.digests.contains_key(&asked.operator) {
        let message = no_such_plugin(&printable(&asked.operator, NAME_SHOWN), shape.digests.keys());
        return Err(Refusal::new(StatusCode::NOT_FOUND, message, "GET /v1/job says which of its operators have a plugin"));
    }
    job.changes().refuse_beside_upgrade()?;
    Ok(CheckAsked { name: printable(&asked.name, NAME_SHOWN), ..asked })
}

async fn checked(job: RunningJob, asked: CheckAsked, Uploaded(body): Uploaded) -> Answer {
    let CheckAsked { operator, name } = asked;
    let (shape, component) = (job.shape(), OtherComponent { operator: operator.clone(), name, bytes: body.bytes.clone(), reference: None });
    let planned = match blocking(move || shape.upgraded(component)).await {
        Ok(planned) => planned,
        Err(refusal) => return judged(&job, &operator, Value::Null, Err(refusal)),
    };
    let plugin = plugin_of(&planned.change.graph, &operator);
    let graph = planned.change.graph.clone();
    let upgrade = Upgrade { change: planned.change, vertex: operator.clone(), probation: Duration::ZERO, until_checkpoint: false };
    let fitting = job.control().check_upgrade(upgrade).await;
    let tried = match fitting {
        Ok(fitting) if fitting.migrates => job.try_migrations(&graph).await.map(|()| fitting),
        fitting => fitting,
    };
    judged(&job, &operator, plugin, tried.map_err(refusal))
}

/// What a component does wrong when it is opened would end an attempt; here it is what is asked for.
fn refusal(error: EngineError) -> Refusal {
    let is_of_component = error.is_guest_fault();
    let refusal = Refusal::from(error);
    if is_of_component { Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, ..refusal } } else { refusal }
}

/// What is wrong with the component is the answer; that it cannot be known now is a refusal.
fn judged(job: &RunningJob, operator: &str, plugin: Value, fitting: Result<Fitting, Refusal>) -> Answer {
    let (changes, problems) = match fitting {
        Ok(Fitting { changes, .. }) => (changes, Vec::new()),
        Err(Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, message, hint }) => {
            (Vec::new(), vec![json!({ "message": message, "hint": hint })])
        }
        Err(refusal) => return Err(refusal),
    };
    Ok(Json(json!({
        "schema": SCHEMA, "job": job.name(), "operator": operator, "fits": problems.is_empty(), "plugin": plugin, "changes": changes,
        "problems": problems,
    })))
}

/// The component of an operator, as it says itself who it is.
fn plugin_of(graph: &JobGraph, operator: &str) -> Value {
    let vertex = graph.vertices.iter().find(|vertex| vertex.id == operator);
    let Some(VertexKind::Operator(factory)) = vertex.map(|vertex| &vertex.kind) else { return Value::Null };
    let (descriptor, digest) = (factory.descriptor(), factory.component().map(|component| component.digest.clone()));
    json!({ "name": descriptor.name, "version": descriptor.version, "language": null, "digest": digest })
}
