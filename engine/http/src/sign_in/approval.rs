//! `/approve/{token}`: the page behind a link to an approval. Looking changes nothing, because programs that scan messages
//! look; deciding is a form. The token is the right: whoever has the link may answer, and nobody has to sign in.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use cartwright_run::{ApprovalLink, BY_LINK, LinkFault, Linked, OpenApproval, access::AuditEntry};
use serde_json::json;

use super::{Form, Visit, refused, view};
use crate::{
    api::{Segment, operate::reason_of},
    door::{Door, peer},
    problem::Problem,
};

const WRONG: &str = "Copy the link whole, or ask whoever sent it for a new one.";
const EXPIRED: &str = "Ask whoever sent it whether an answer is still wanted.";
const EARLY: &str = "The question behind this link has not been asked yet. Try again in a moment.";
const OVER: &str = "This question is answered already, or nobody has to answer it any more.";

/// `GET /approve/{token}`
pub(super) async fn show(State(door): State<Arc<Door>>, Segment(token): Segment, request: Request) -> Response {
    let visit = match Visit::to_look(&door, &request) {
        Ok(visit) => visit,
        Err(problem) => return door.refuse(peer(request.extensions()), problem),
    };
    match question(&door, &token).await {
        Ok((_, open)) => view::respond(view::approval(&open, "", "")),
        Err(problem) => nowhere(&door, &visit, problem),
    }
}

/// `POST /approve/{token}` with `decision` (`approve` or `reject`) and `comment`
pub(super) async fn decide(State(door): State<Arc<Door>>, Segment(token): Segment, request: Request) -> Response {
    let visit = match Visit::to_change(&door, &request) {
        Ok(visit) => visit,
        Err(problem) => return door.refuse(peer(request.extensions()), problem),
    };
    // The token first: nobody else's body is read.
    let link = match read(&door, &token) {
        Ok(link) => link,
        Err(problem) => return nowhere(&door, &visit, problem),
    };
    let form = match Form::read(&door, request).await {
        Ok(form) => form,
        Err(problem) => return nowhere(&door, &visit, problem),
    };
    let comment = form.field("comment").trim();
    match answer(&door, &link, form.field("decision"), comment, &visit).await {
        Ok(approved) => view::respond(view::answered(approved)),
        Err(problem) => match door.engine.linked(&link).await {
            // What was written is not lost.
            Ok(Linked::Open(open)) => refused(&door, visit.from, problem, |said| view::approval(&open, comment, said)),
            _ => nowhere(&door, &visit, problem),
        },
    }
}

/// A page that says why there is nothing to decide.
fn nowhere(door: &Door, visit: &Visit, problem: Problem) -> Response {
    let title = match (problem.status, problem.code) {
        (StatusCode::TOO_MANY_REQUESTS, _) => "Too many tries",
        (_, "link_unknown") => "This link is not valid",
        (_, "link_expired") => "This link is too old",
        (_, "link_early") => "Not asked yet",
        (_, "link_over") => "Nothing left to decide",
        _ => "Not possible",
    };
    refused(door, visit.from, problem, |said| view::no_approval(title, said))
}

fn read(door: &Door, token: &str) -> Result<ApprovalLink, Problem> {
    door.engine.read_link(token).map_err(|fault| match fault {
        LinkFault::Wrong => Problem::not_found("link_unknown", WRONG),
        LinkFault::Expired => Problem::new(StatusCode::GONE, "link_expired", EXPIRED),
    })
}

async fn question(door: &Door, token: &str) -> Result<(ApprovalLink, OpenApproval), Problem> {
    let link = read(door, token)?;
    match door.engine.linked(&link).await? {
        Linked::Open(open) => Ok((link, open)),
        Linked::Early => Err(early()),
        Linked::Over => Err(over()),
    }
}

fn early() -> Problem {
    Problem::not_found("link_early", EARLY)
}

fn over() -> Problem {
    Problem::new(StatusCode::GONE, "link_over", OVER)
}

/// Takes an answer; whether it was a yes.
async fn answer(
    door: &Door,
    link: &ApprovalLink,
    decision: &str,
    comment: &str,
    visit: &Visit,
) -> Result<bool, Problem> {
    let approved = match decision {
        "approve" => true,
        "reject" => false,
        _ => return Err(Problem::bad_request("argument_invalid", "Choose one of the two buttons.")),
    };
    let comment = reason_of((!comment.is_empty()).then(|| comment.to_owned()))?;
    match door.engine.linked(link).await? {
        Linked::Open(_) => {}
        Linked::Early => return Err(early()),
        // Pressed twice: the same answer again is fine.
        Linked::Over if door.engine.said_by_link(link, approved).await? => return Ok(approved),
        Linked::Over => return Err(over()),
    }
    let row = door.engine.run(&link.run).await?.ok_or_else(over)?;
    // Somebody else may have been quicker; who, is not for everybody with a link.
    let given = door.engine.answer_by_link(link, approved, comment.clone()).await;
    given.map_err(|error| match Problem::from(error) {
        problem if problem.status == StatusCode::CONFLICT => over(),
        problem => problem,
    })?;
    let said = json!({ "step": link.step, "approved": approved, "comment": comment });
    let entry = AuditEntry::new(door.engine.now(), BY_LINK, "approval.answer", row.id.as_str());
    door.audit(entry.after(said).of_store(row.store.as_ref()).from(&visit.from)).await?;
    Ok(approved)
}
