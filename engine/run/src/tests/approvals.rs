//! `approve` steps over storage: what is asked is listed until somebody answers, or nobody can any more.

use std::time::Duration;

use cartwright_core::{
    id::StepPath,
    run::{entry::What, row::RunStatus},
};
use serde_json::json;

use super::Bench;
use crate::Options;

const ASK: &str = r#"
on: { event: [go] }
steps:
  - id: each
    for_each: event.data.ids
    parallel: 2
    steps:
      - { id: ask, approve: "Refund ${{ item }}?", timeout: 3d }
"#;

async fn questions(bench: &Bench) -> Vec<String> {
    let page = bench.engine.approvals(None, 100).await.expect("listed");
    page.items.into_iter().map(|one| format!("{} {}", one.step, one.question)).collect()
}

async fn says(bench: &Bench, step: &str, approved: bool, by: &str) -> Result<(), String> {
    let run = bench.rows().await[0].id.clone();
    let comment = Some("seen".to_owned());
    let given = bench.engine.answer(&run, StepPath::new(step), approved, by, comment).await;
    given.map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn questions_outlive_the_process_and_answers_end_them() {
    let mut bench = Bench::new(&[("w", ASK)]).await;
    bench.emit("go", json!({"ids": [7, 8]})).await;
    bench.one(RunStatus::Waiting).await;
    assert_eq!(questions(&bench).await, ["each[0]/ask Refund 7?", "each[1]/ask Refund 8?"]);
    bench = bench.crash().await;
    assert_eq!(bench.engine.in_memory(), (0, 0), "it waits in storage only");
    says(&bench, "each[1]/ask", true, "user:ann").await.expect("answered");
    says(&bench, "each[1]/ask", true, "user:bob").await.expect("the same again");
    let refused = says(&bench, "each[1]/ask", false, "user:bob").await.expect_err("another answer");
    assert!(refused.contains("approved already, by user:ann"), "{refused}");
    assert_eq!(questions(&bench).await, ["each[0]/ask Refund 7?"]);
    bench = bench.crash().await;
    says(&bench, "each[0]/ask", false, "user:ann").await.expect("answered");
    let run = bench.one(RunStatus::Succeeded).await;
    let said = |at: usize| (run.output()[at]["approved"].clone(), run.output()[at]["by"].clone());
    assert_eq!([said(0), said(1)], [(json!(false), json!("user:ann")), (json!(true), json!("user:ann"))]);
    assert!(questions(&bench).await.is_empty());
    assert_eq!(bench.engine.counts().await.expect("counted").timers, 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_in_time_is_a_no_and_the_question_goes() {
    let bench = Bench::new(&[("w", ASK)]).await;
    bench.emit("go", json!({"ids": [7]})).await;
    bench.one(RunStatus::Waiting).await;
    tokio::time::sleep(Duration::from_secs(3 * 24 * 3600)).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.output()[0]["comment"], "nobody answered within 3d");
    assert!(questions(&bench).await.is_empty());
    let refused = says(&bench, "each[0]/ask", true, "user:ann").await.expect_err("too late");
    assert!(refused.contains("nobody answered in time"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn links_lead_to_questions_outside_loops_and_to_those_of_the_own_iteration() {
    let yaml = r#"
on: { event: [go] }
grants: { http: [a.example] }
steps:
  - id: each
    for_each: "[1, 2]"
    parallel: 2
    steps:
      - { id: tell, http: "POST https://a.example/${{ index }}", query: { a: 1 }, headers: { X-A: a }, body: "${{ links.inner }} ${{ links.outer }}" }
      - { id: inner, approve: "Well?" }
  - choose:
      - if: "true"
        steps: [{ id: outer, approve: "Well?" }]
"#;
    let bench = Bench::new(&[("w", yaml)]).await;
    bench.emit("go", json!({})).await;
    let run = bench.one(RunStatus::Waiting).await;
    let sent = bench.world.bodies.lock().clone();
    assert_eq!(sent.len(), 2, "{sent:?}");
    for (index, body) in sent.iter().enumerate() {
        let links: Vec<&str> = body.as_str().expect("text").split(' ').collect();
        let steps = links.iter().map(|link| {
            let token = link.strip_prefix("https://engine.example/approve/").expect("our address");
            let link = bench.engine.read_link(token).expect("ours");
            assert_eq!(link.run, run.row.id);
            link.step.to_string()
        });
        assert_eq!(steps.collect::<Vec<_>>(), [format!("each[{index}]/inner"), "step4.0/outer".to_owned()]);
    }
    let intents = run.journal.iter().filter(|entry| matches!(entry.what, What::CallIntended { .. }));
    assert!(intents.count() == 2 && !format!("{:?}", run.journal).contains('⟪'), "{:?}", run.journal);
}

#[tokio::test(start_paused = true)]
async fn without_a_public_address_a_link_cannot_be_sent() {
    let yaml = r#"
on: { event: [go] }
grants: { http: [hooks.example] }
steps:
  - { id: tell, http: "POST https://hooks.example", body: "${{ links.ask }}", retry: 5 }
  - { id: ask, approve: "Well?" }
"#;
    let bench = Bench::with(&[("w", yaml)], Options::default()).await;
    bench.emit("go", json!({})).await;
    let run = bench.one(RunStatus::Parked).await;
    let error = run.row.error.expect("an error");
    assert!(error.code == "no_public_url" && error.message.contains("cartwright.toml"), "{error:?}");
    assert!(bench.world.urls().is_empty(), "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_asks_nobody_any_more() {
    let bench = Bench::new(&[("w", &format!("{ASK}on_cancel:\n  - sleep: 1h\n"))]).await;
    bench.emit("go", json!({"ids": [7, 8]})).await;
    let run = bench.one(RunStatus::Waiting).await;
    bench.engine.cancel(&run.row.id, "ann").await.expect("cancelled");
    assert!(questions(&bench).await.is_empty(), "while `on_cancel` runs");
    assert!(says(&bench, "each[0]/ask", true, "user:ann").await.is_err());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    bench.one(RunStatus::Cancelled).await;
    assert!(bench.engine.approval(&run.row.id, &StepPath::new("each[0]/ask")).await.expect("read").is_none());
}
