//! `approve` steps over storage: what is asked is listed until somebody answers, or nobody can any more.

use std::time::Duration;

use cartwright_core::{id::StepPath, run::row::RunStatus};
use serde_json::json;

use super::Bench;

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
