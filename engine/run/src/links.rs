//! Links with which whoever has one answers an `approve` step. A link is made when it is sent, and only then; what is kept
//! of it anywhere is the name of its step.
//!
//! `PUBLIC_URL/approve/TOKEN`; a token is base64url of a proof (see `cartwright_woo`'s `sign`) and of what it proves:
//! run, generation and expiry, separated by spaces, then the step's path. A generation is what makes a run's calls others
//! than before: when a run begins anew, its old links answer nothing.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cartwright_core::{
    call::{CallError, ErrorClass},
    id::{RunId, StepPath},
    run::{entry::What, row::RunStatus},
    testing::step_id,
    time::Timestamp,
    workflow::Workflow,
};
use cartwright_storage::StorageError;
use cartwright_woo::PROOF_BYTES;
use url::Url;

use crate::{OpenApproval, OperatorError, engine::Engine, inner::Inner};

/// What the proofs are for.
const PURPOSE: &str = "link to an approval";
/// A link to a step without `timeout` is good for so long.
const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Expiries are rounded up to whole days, so that a call that is repeated under its idempotency key says the same.
const DAY_MILLIS: i64 = 24 * 3600 * 1000;
/// Of a token that is looked at, in characters.
pub const TOKEN_CHARS_MAX: usize = 4_096;
/// Where links lead in place of the world.
const STAND_IN: &str = "https://cartwright.example/approve/";
/// Who answers by a link, in journals and in the audit log.
pub const BY_LINK: &str = "link";

/// What a link that is ours says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalLink {
    /// The run that asks.
    pub run: RunId,
    /// The step that asks.
    pub step: StepPath,
    generation: u32,
    expires: Timestamp,
}

/// What a link leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Linked {
    /// A question.
    Open(OpenApproval),
    /// The run has not come to it.
    Early,
    /// It is answered, or nobody is asked any more.
    Over,
}

/// Why a link leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// It is not ours, or not whole.
    #[error("this link is not valid")]
    Wrong,
    /// It is too old.
    #[error("this link is too old")]
    Expired,
}

impl ApprovalLink {
    fn text(&self) -> String {
        format!("{} {} {} {}", self.run, self.generation, self.expires.as_millis(), self.step)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let run = parts.next()?.parse().ok()?;
        let generation = parts.next()?.parse().ok()?;
        let expires = Timestamp::from_millis(parts.next()?.parse().ok()?);
        Some(Self { run, generation, expires, step: StepPath::new(parts.next()?) })
    }
}

/// The link to a step of a run, for a call that is about to be made.
pub(crate) fn link(
    inner: &Inner,
    workflow: &Workflow,
    run: &RunId,
    generation: u32,
    step: StepPath,
) -> Result<String, CallError> {
    if inner.options.stand_in.is_some() {
        return Ok(format!("{STAND_IN}{step}"));
    }
    let Some(base) = &inner.options.public_url else {
        let message = "a link to an approval needs the address under which people reach this engine: set `public_url` under \
                       [http] in cartwright.toml";
        // Once it is set, a retry goes on here.
        return Err(CallError { class: ErrorClass::Park, ..CallError::r#final("no_public_url", message) });
    };
    let life = workflow.step(step_id(step.as_str())).and_then(|step| step.timeout).unwrap_or(LIFE);
    let expires = inner.clock.now().plus(life).as_millis();
    let expires = Timestamp::from_millis(expires.div_euclid(DAY_MILLIS).saturating_add(1).saturating_mul(DAY_MILLIS));
    let text = ApprovalLink { run: run.clone(), step, generation, expires }.text();
    let mut token = inner.vault.prove(PURPOSE, text.as_bytes()).to_vec();
    token.extend_from_slice(text.as_bytes());
    Ok(address(base, &URL_SAFE_NO_PAD.encode(token)))
}

fn address(base: &Url, token: &str) -> String {
    format!("{}/approve/{token}", base.as_str().trim_end_matches('/'))
}

impl Engine {
    /// Reads a token. What is not ours is refused before anything of it is looked at.
    pub fn read_link(&self, token: &str) -> Result<ApprovalLink, LinkFault> {
        if token.len() > TOKEN_CHARS_MAX {
            return Err(LinkFault::Wrong);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkFault::Wrong)?;
        let (proof, text) = bytes.split_at_checked(PROOF_BYTES).ok_or(LinkFault::Wrong)?;
        if !self.inner.vault.proves(PURPOSE, text, proof) {
            return Err(LinkFault::Wrong);
        }
        let link = std::str::from_utf8(text).ok().and_then(ApprovalLink::read).ok_or(LinkFault::Wrong)?;
        if self.now() >= link.expires { Err(LinkFault::Expired) } else { Ok(link) }
    }

    /// What a link leads to now.
    pub async fn linked(&self, link: &ApprovalLink) -> Result<Linked, StorageError> {
        if let Some(open) = self.approval(&link.run, &link.step).await? {
            let same = open.generation == link.generation;
            return Ok(if same { Linked::Open(open) } else { Linked::Over });
        }
        let Some(detail) = self.run_detail(&link.run).await? else { return Ok(Linked::Over) };
        // A run that is parked or moves may come to it; a failed one may be retried, but nobody knows.
        let may_come = matches!(
            detail.row.status,
            RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::Parked
        );
        let asked = detail.journal.iter().any(|entry| match &entry.what {
            What::ApprovalAsked { path, .. } => *path == link.step,
            _ => false,
        });
        Ok(if may_come && !asked { Linked::Early } else { Linked::Over })
    }

    /// Whether this answer was given by a link to this question.
    pub async fn said_by_link(&self, link: &ApprovalLink, approved: bool) -> Result<bool, StorageError> {
        let Some(detail) = self.run_detail(&link.run).await? else { return Ok(false) };
        let last = detail.journal.iter().rev().find_map(|entry| match &entry.what {
            What::ApprovalGiven { path, approved, by, .. } if *path == link.step => Some((*approved, by.as_deref())),
            _ => None,
        });
        Ok(last == Some((approved, Some(BY_LINK))))
    }

    /// Whoever has the link answers. The same answer again is fine, another one is refused. Durable when it resolves.
    pub async fn answer_by_link(
        &self,
        link: &ApprovalLink,
        approved: bool,
        comment: Option<String>,
    ) -> Result<(), OperatorError> {
        self.answer(&link.run, link.step.clone(), approved, BY_LINK, comment).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(generation: u32, millis in 0_i64..4_000_000_000_000, step in "[a-z0-9_./\\[\\] ]{1,80}") {
            let run: RunId = "run_00000000000000000000000000".parse().expect("an id");
            let link = ApprovalLink { run, step: StepPath::new(step), generation, expires: Timestamp::from_millis(millis) };
            prop_assert_eq!(ApprovalLink::read(&link.text()), Some(link));
        }

        #[test]
        fn other_texts_are_read_or_refused_without_panic(text in "\\PC{0,200}") {
            let _read = ApprovalLink::read(&text);
        }
    }
}
