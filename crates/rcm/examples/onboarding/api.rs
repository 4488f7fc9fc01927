//! What the service answers.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use rcm::config::ConfigError;
use serde_json::{Value, json};

use crate::{
    partners::{Partners, Refusal},
    run::Run,
};

/// All paths. A layer that knows who may ask goes before it.
pub(crate) fn router(partners: Partners) -> Router {
    Router::new()
        .route("/partners", post(begin))
        .route("/partners/:name", get(show))
        .route("/partners/:name/events", get(watch))
        .with_state(partners)
}

/// 202 and where to look, once the provision has begun.
async fn begin(State(partners): State<Partners>, posted: String) -> Response {
    match partners.post(&posted) {
        Ok(name) => {
            let at = format!("/partners/{name}");
            let body = json!({ "name": name, "events": format!("{at}/events") });
            ([(LOCATION, at)], answer(StatusCode::ACCEPTED, &body)).into_response()
        }
        Err(Refusal::Unreadable(why)) => refused(StatusCode::BAD_REQUEST, why),
        Err(Refusal::Config(error)) => answer(StatusCode::UNPROCESSABLE_ENTITY, &mistakes(&error)),
        Err(Refusal::Busy) => refused(StatusCode::CONFLICT, "a run of this partner is under way"),
        Err(Refusal::Closing) => refused(StatusCode::SERVICE_UNAVAILABLE, "the service is stopping"),
        Err(Refusal::Disk(error)) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// What the partner has, from its state alone, and how its last run goes or went.
async fn show(State(partners): State<Partners>, Path(name): Path<String>) -> Response {
    let environment = match partners.environment(&name).await {
        Ok(environment) => environment,
        Err(rcm::Error::Config(error @ (ConfigError::NotFound { .. } | ConfigError::NoDirectory { .. }))) => {
            return refused(StatusCode::NOT_FOUND, error.to_string());
        }
        Err(error) => return refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let outputs = match environment.outputs() {
        Ok(outputs) => outputs.to_json(),
        Err(rcm::Error::NoState { .. }) => json!({}),
        Err(error) => return refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let run = partners.run(&name).map(|run| state_of(&run));
    let body = json!({ "name": name, "environment": environment.config().environment, "run": run, "outputs": outputs });
    answer(StatusCode::OK, &body)
}

fn state_of(run: &Arc<Run>) -> Value {
    run.end().map_or_else(|| json!({ "outcome": null }), |end| json!(end))
}

/// What has happened in the partner's last run, and what goes on happening.
async fn watch(State(partners): State<Partners>, Path(name): Path<String>) -> Response {
    let Some(run) = partners.run(&name) else {
        return refused(StatusCode::NOT_FOUND, "no run since the service began");
    };
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(run.messages())).into_response()
}

/// What is wrong with what was posted, setting by setting, in the words that a partner file would get.
fn mistakes(error: &ConfigError) -> Value {
    let ConfigError::Invalid { problems, .. } = error else { return json!({ "error": error.to_string() }) };
    let problem = |problem: &rcm::config::Problem| json!({ "setting": problem.key, "message": problem.message, "help": problem.help });
    json!({ "error": "the partner has mistakes", "problems": problems.iter().map(problem).collect::<Vec<_>>() })
}

fn refused(status: StatusCode, why: impl Into<String>) -> Response {
    answer(status, &json!({ "error": why.into() }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
