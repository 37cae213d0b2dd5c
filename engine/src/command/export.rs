//! `cartwright export`: one object a line, page by page from the engine into a file or standard output. Never more than a
//! page is in memory.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use cartwright_core::time::Timestamp;
use cartwright_run::{EXPORT_VERSION, Head, Kind, Line};
use serde_json::json;

use super::{
    Context,
    backup::{beside, put},
};
use crate::{
    cli::Export,
    client::Client,
    failure::{OrFail as _, Result, environment, usage},
};

pub(super) async fn run(command: Export, context: &Context) -> Result<()> {
    let Export { file, mut only, since, until, store } = command;
    let (terminal, now) = (&context.terminal, context.now());
    if only.is_empty() {
        only = Kind::ALL.to_vec();
    }
    only.sort_unstable();
    only.dedup();
    let head = Head {
        kind: Head::KIND.to_owned(),
        version: EXPORT_VERSION,
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        exported: now,
        only,
        since: since.map(|when| when.resolve(now)),
        // What is accepted while this is read would be in it by half.
        until: until.map_or(now, |when| when.resolve(now).min(now)),
        store,
    };
    if head.since.is_some_and(|since| since >= head.until) {
        return Err(usage("--until is a time after --since"));
    }
    let data = &context.config.data;
    if context.config.server.is_none() && !data.exists() {
        return Err(environment(format!("there is no data folder {}", data.display())).help("Name it with --data."));
    }
    let is_stdout = file == Path::new("-");
    if !is_stdout && file.exists() {
        return Err(usage(format!("{} is there already; an export replaces nothing", file.display())));
    }
    let session = context.look().await?;
    let written = if is_stdout {
        let mut out = BufWriter::new(io::stdout());
        write(&session.client, &head, &mut out).await
    } else {
        to_file(&session.client, &head, &file).await
    };
    let counts = session.end(written).await?;
    if is_stdout {
        return Ok(());
    }
    if terminal.json {
        let counts: serde_json::Map<_, _> = counts.iter().map(|(kind, n)| (kind.to_string(), json!(n))).collect();
        return terminal.data(&json!({ "file": file.display().to_string(), "until": head.until, "lines": counts }));
    }
    let shown: Vec<_> = counts.iter().map(|(kind, number)| format!("{kind} {number}")).collect();
    terminal.line(format_args!("exported to {}: {}", file.display(), shown.join(", ")));
    terminal.note("no secret is in it, but customers' data is: keep it accordingly");
    Ok(())
}

async fn to_file(client: &Client, head: &Head, target: &Path) -> Result<Vec<(Kind, u64)>> {
    let doing = || format!("cannot write {}", target.display());
    let mut unfinished = beside(target)?;
    let mut out = BufWriter::new(&mut unfinished);
    let counts = write(client, head, &mut out).await?;
    drop(out);
    put(unfinished, target).or_environment(doing())?;
    Ok(counts)
}

async fn write(client: &Client, head: &Head, out: &mut impl Write) -> Result<Vec<(Kind, u64)>> {
    let doing = "cannot write the export";
    let mut counts = Vec::new();
    serde_json::to_writer(&mut *out, head).or_environment(doing)?;
    out.write_all(b"\n").or_environment(doing)?;
    let mut all = 1;
    for kind in &head.only {
        let mut number = 0;
        let mut cursor: Option<String> = None;
        loop {
            let page = client.raw_page(&target(head, *kind, cursor.as_deref())).await?;
            for line in &page.items {
                out.write_all(line.get().as_bytes()).and_then(|()| out.write_all(b"\n")).or_environment(doing)?;
            }
            number += page.items.len() as u64;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        all += number;
        counts.push((*kind, number));
    }
    writeln!(out, "{}", Line::end(all)).and_then(|()| out.flush()).or_environment(doing)?;
    Ok(counts)
}

fn target(head: &Head, kind: Kind, cursor: Option<&str>) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    let millis = |time: Timestamp| time.as_millis().to_string();
    pairs.append_pair("kind", kind.as_str()).append_pair("until", &millis(head.until));
    if let Some(since) = head.since {
        pairs.append_pair("since", &millis(since));
    }
    if let Some(store) = &head.store {
        pairs.append_pair("store", store.as_str());
    }
    if let Some(cursor) = cursor {
        pairs.append_pair("cursor", cursor);
    }
    format!("/api/v1/export?{}", pairs.finish())
}
