//! The forms as HTML. Nothing runs in these pages, and they send only to ourselves.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{self, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::time::Timestamp;
use cartwright_run::{
    OpenApproval,
    access::{OwnSession, PASSWORD_BYTES_MIN},
};
use sha2::{Digest, Sha256};

use crate::status::html::Html;

const STYLE: &str = include_str!("page.css");

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    policy.parse().expect("the policy is ASCII")
});

/// A page with the headers that all of them have.
pub(super) fn respond(page: String) -> Response {
    let mut response = response::Html(page).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer` browsers send `Origin: null` with forms, and the check of the origin would refuse them.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn page(title: &'static str, said: &str, inside: impl FnOnce(&mut Html)) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    html.raw(title).raw(" · Cartwright</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>").raw(STYLE);
    html.raw("</style>\n</head>\n<body>\n<main>\n<h1>").raw(title).raw("</h1>\n");
    if !said.is_empty() {
        html.raw("<p class=\"said\" role=\"alert\">").text(said).raw("</p>\n");
    }
    inside(&mut html);
    html.raw("</main>\n</body>\n</html>\n");
    html.into_page()
}

fn name_field(html: &mut Html, name: &str) {
    html.raw(
        "<label>Name or e-mail address<input name=\"name\" autocomplete=\"username\" autocapitalize=\"none\" required",
    );
    // Who is asked again changes the password first.
    html.raw(if name.is_empty() { " autofocus value=\"" } else { " value=\"" }).text(name).raw("\"></label>\n");
}

/// The form for who was invited.
pub(super) fn join(name: &str, said: &str) -> String {
    page("Join", said, |html| {
        html.raw("<p>Choose how you will sign in. This link works once.</p>\n<form method=\"post\">\n");
        name_field(html, name);
        html.raw("<label>Password<input name=\"password\" type=\"password\" autocomplete=\"new-password\" aria-describedby=\"rule\" required minlength=\"");
        html.text(PASSWORD_BYTES_MIN)
            .raw("\"></label>\n<p class=\"quiet\" id=\"rule\">At least ")
            .text(PASSWORD_BYTES_MIN);
        html.raw(" characters; a few random words do well.</p>\n<button>Join</button>\n</form>\n");
    })
}

/// The form behind a link to an approval.
pub(super) fn approval(open: &OpenApproval, comment: &str, said: &str) -> String {
    page("Your decision", said, |html| {
        html.raw("<p class=\"question\">").text(&open.question).raw("</p>\n<form method=\"post\">\n");
        html.raw("<label>Comment (optional)<textarea name=\"comment\" rows=\"3\" maxlength=\"500\">").text(comment);
        html.raw(
            "</textarea></label>\n<div class=\"pair\">\n<button name=\"decision\" value=\"approve\">Approve</button>\n",
        );
        html.raw("<button class=\"second\" name=\"decision\" value=\"reject\">Reject</button>\n</div>\n</form>\n");
        html.raw("<p class=\"quiet\">Workflow <b>").text(&open.workflow).raw("</b><br>Run <b>").text(&open.run);
        html.raw("</b>");
        if let Some(due) = open.due {
            html.raw("<br>Without an answer it counts as rejected on <span class=\"whole\">")
                .text(day(due))
                .raw("</span> at ");
            html.text(due.to_string().chars().skip(11).take(5).collect::<String>()).raw(" UTC");
        }
        html.raw("</p>\n");
    })
}

/// What an answer comes to.
pub(super) fn answered(approved: bool) -> String {
    let title = if approved { "Approved" } else { "Rejected" };
    page(title, "", |html| {
        html.raw("<p role=\"status\">Thank you. The workflow goes on with your answer; you can close this page.</p>\n");
    })
}

/// What a link that leads nowhere shows.
pub(super) fn no_approval(title: &'static str, said: &str) -> String {
    page(title, "", |html| {
        html.raw("<p role=\"status\">").text(said).raw("</p>\n");
    })
}

/// The form for who has a password.
pub(super) fn sign_in(name: &str, said: &str) -> String {
    page("Sign in", said, |html| {
        html.raw("<form method=\"post\">\n");
        name_field(html, name);
        html.raw(
            "<label>Password<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required>",
        );
        html.raw("</label>\n<button>Sign in</button>\n</form>\n");
    })
}

/// For who is signed in. `said`: what was done, or why it was not.
pub(super) fn account(
    name: &str,
    csrf: &str,
    sessions: &[OwnSession],
    now: Timestamp,
    said: Result<&str, &str>,
) -> String {
    page("Your account", said.err().unwrap_or_default(), |html| {
        if let Ok(done) = said.as_ref().map(|done| *done)
            && !done.is_empty()
        {
            html.raw("<p role=\"status\">").text(done).raw("</p>\n");
        }
        html.raw("<p>You are <b>").text(name.trim_start_matches("user:"));
        html.raw("</b>. <a href=\"/\">To the status page</a></p>\n");
        form(html, "/sign-out", csrf, |html| {
            html.raw("<button class=\"second\">Sign out</button>\n");
        });
        html.raw("<h2>Change your password</h2>\n");
        form(html, "/account/password", csrf, |html| {
            // Password managers keep the new one under this name.
            html.raw("<input name=\"name\" autocomplete=\"username\" readonly hidden value=\"");
            html.text(name.trim_start_matches("user:")).raw("\">\n");
            html.raw("<label>Current password<input name=\"current\" type=\"password\" autocomplete=\"current-password\" required></label>\n");
            html.raw("<label>New password<input name=\"new\" type=\"password\" autocomplete=\"new-password\" aria-describedby=\"rule\" required minlength=\"");
            html.text(PASSWORD_BYTES_MIN)
                .raw("\"></label>\n<p class=\"quiet\" id=\"rule\">At least ")
                .text(PASSWORD_BYTES_MIN);
            html.raw(" characters. Your other sessions end.</p>\n<button>Change it</button>\n");
        });
        html.raw("<h2>Where you are signed in</h2>\n<ul>\n");
        for session in sessions {
            html.raw("<li><span>Since ").text(day(session.opened)).raw(", used ").text(ago(session.last_used, now));
            html.raw("</span>");
            if session.current {
                html.raw("<b>here</b>");
            } else {
                let target = format!("/account/sessions/{}/end", session.id);
                form(html, &target, csrf, |html| {
                    html.raw("<button class=\"second\">End</button>");
                });
            }
            html.raw("</li>\n");
        }
        html.raw("</ul>\n");
    })
}

/// A form that proves that it is ours.
fn form(html: &mut Html, action: &str, csrf: &str, inside: impl FnOnce(&mut Html)) {
    html.raw("<form method=\"post\" action=\"").text(action);
    html.raw("\">\n<input type=\"hidden\" name=\"csrf\" value=\"").text(csrf).raw("\">\n");
    inside(html);
    html.raw("</form>\n");
}

fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

fn ago(time: Timestamp, now: Timestamp) -> String {
    let minutes = now.since(time).as_secs() / 60;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min ago"),
        _ => format!("{} h ago", minutes / 60),
    }
}

/// Where there is nothing to do.
pub(super) fn sorry(said: &str) -> String {
    page("Not possible", said, |html| {
        html.raw("<p><a href=\"/sign-in\">Sign in</a></p>\n");
    })
}
