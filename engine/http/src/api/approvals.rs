//! `/api/v1/approvals`: what runs ask people, and the answers.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path, Request, State},
    http::{StatusCode, Uri, request::Parts},
};
use cartwright_core::{
    access::{Area, Principal, Right, Role},
    id::{RunId, StepPath, StoreId, WorkflowId},
    run::row::RunRow,
};
use cartwright_run::OpenApproval;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Answer, body, json, operate::reason_of, page, query, runs, sift::sift};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, page_of, param, takes},
    door::Door,
    problem::Problem,
};

/// `GET /approvals?workflow=&store=`: open questions, those of the oldest runs first
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = query::Query::read(uri.query(), &["workflow", "store"])?;
    let (workflow, store): (Option<WorkflowId>, Option<StoreId>) = (query.value("workflow")?, query.value("store")?);
    let limit = query.limit()?;
    let wanted = |one: &OpenApproval| {
        workflow.as_ref().is_none_or(|id| *id == one.workflow)
            && store.as_ref().is_none_or(|id| Some(id) == one.store.as_ref())
            && caller.reaches(&door, Area::Approvals, Right::Read, one.store.as_ref())
    };
    let engine = &door.engine;
    let fetch = |cursor: Option<String>, limit| async move { Ok(engine.approvals(cursor.as_deref(), limit).await?) };
    let (items, next) = sift(query.cursor(), limit, wanted, fetch).await?;
    page(items, next)
}

/// The run and the step of an address; the step's path is one part of it, with `/` written as `%2F`.
pub(super) struct RunStep(RunId, StepPath);

impl<S: Send + Sync> FromRequestParts<S> for RunStep {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path((run, step))) = Path::<(String, String)>::from_request_parts(parts, state).await else {
            return Err(runs::unknown());
        };
        Ok(Self(run.parse().map_err(|_| runs::unknown())?, StepPath::new(step)))
    }
}

/// An answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Given {
    /// Yes, or no.
    approved: bool,
    /// One line for the run's history; workflows see it.
    #[schema(max_length = 500)]
    comment: Option<String>,
}

/// `POST /runs/{id}/approvals/{step}` `{"approved": true, "comment": "…"}` → 202
pub(super) async fn answer(
    State(door): State<Arc<Door>>,
    caller: Caller,
    RunStep(run, step): RunStep,
    request: Request,
) -> Answer {
    let Given { approved, comment } = body(&door, request, false).await?;
    let comment = reason_of(comment)?;
    let row = door.engine.run(&run).await?.ok_or_else(runs::unknown)?;
    caller.change(&door, Area::Approvals, row.store.as_ref(), runs::unknown)?;
    if let Some(open) = door.engine.approval(&run, &step).await? {
        may_answer(&door, &caller.principal, &open)?;
    }
    door.engine.answer(&run, step.clone(), approved, caller.name(), comment.clone()).await?;
    let said = json!({ "step": step, "approved": approved, "comment": comment });
    door.audit(did(&door, &caller, &row).after(said)).await?;
    json(StatusCode::ACCEPTED, &runs::Moved { id: run })
}

fn did(door: &Door, caller: &Caller, row: &RunRow) -> cartwright_run::access::AuditEntry {
    caller.did(door, "approval.answer", row.id.as_str()).of_store(row.store.as_ref())
}

/// Lets through who has one of the roles that a question is for; an administrator of everything always may.
fn may_answer(door: &Door, principal: &Principal, open: &OpenApproval) -> Result<(), Problem> {
    let store = open.store.as_ref().map(|id| (id, door.engine.stores().get(id)));
    let holds = |role: &Role| match &store {
        Some((id, known)) => {
            principal.holds(*role, Some((*id, known.as_ref().map_or(&[][..], |known| known.tags.as_slice()))))
        }
        None => principal.holds(*role, None),
    };
    if open.by.is_empty() || principal.is_admin() || open.by.iter().any(holds) {
        return Ok(());
    }
    let roles: Vec<&str> = open.by.iter().map(|role| role.as_str()).collect();
    let problem = Problem::new(StatusCode::FORBIDDEN, "role_missing", "this token or person may not answer this one");
    Err(problem.help(format!("The workflow asks for the role {}.", roles.join(" or "))))
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/approvals",
        id: "listApprovals",
        summary: "What runs ask people and nobody has answered, oldest runs first",
        pages: true,
        query: &[
            param("workflow", "Of this workflow only.", a::<WorkflowId>),
            param("store", "Of this store only.", a::<StoreId>),
        ],
        gives: &[gives(200, "A page of open questions.", page_of::<OpenApproval>)],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/runs/{id}/approvals/{step}",
        id: "answerApproval",
        summary: "Answers what a run asks",
        text: "`step` is the step's path, `/` written as `%2F`. The same answer again changes nothing; another one is refused \
               and told who answered. Where the step names roles, it takes one of them.",
        takes: takes(a::<Given>, r#"{"approved": true, "comment": "a good customer"}"#),
        gives: &[gives(202, "Noted in the run's journal; the run goes on.", a::<runs::Moved>)],
        refuses: &[
            (400, "argument_invalid"),
            (403, "role_missing"),
            (404, "run_unknown"),
            (409, "run_refuses"),
            (409, "run_damaged"),
        ],
        ..PLAIN
    },
];
