//! A spike: the contract's core against a real PostgreSQL, to prove that the trait fits one round trip a commit.
//! Findings: `engine/docs/decisions/0002-postgres-spike.md`. Without PostgreSQL (Debian: `apt install postgresql`) it
//! says so and passes.
#![cfg(unix)]

#[expect(dead_code, reason = "only a part of the suite is needed here")]
mod contract;
#[path = "postgres/server.rs"]
mod server;

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use cartwright_core::{
    event::Event,
    id::{EventId, RunId},
    run::{entry::Entry, row::RunRow},
    shard::{Fence, ShardId},
    time::Timestamp,
};
use cartwright_storage::*;
use contract::{Fixture, accept, commit, make, shards};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};
use tokio_postgres::{Client, NoTls, error::SqlState};

/// A stream that counts how often it turned from sending to receiving: round trips.
struct Counted {
    stream: UnixStream,
    sent: AtomicBool,
    trips: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if poll.is_ready() && self.sent.swap(false, Ordering::SeqCst) {
            self.trips.fetch_add(1, Ordering::SeqCst);
        }
        poll
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.sent.store(true, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const ACCEPT: &str = "select is_new, event from accept($1::text::json)";
const COMMIT: &str =
    "select commit_batch($1, $2, $3::text::json, $4::text::json, $5::text::json, $6::text::json, $7::text::json)";
const RECORDS: &str = "select write_records($1::text::json)";
const ACQUIRE: &str = "update shards set owner = $2, fence = fence + 1, until = $4 \
     where id = $1 and (owner = $2 or until is null or until <= $3) returning fence";

/// How often a transaction that PostgreSQL gave up for its own reasons (40001, 40P01) is tried again.
const RETRIES: usize = 5;

struct Spike {
    client: Client,
    accept: tokio_postgres::Statement,
    commit: tokio_postgres::Statement,
    records: tokio_postgres::Statement,
    trips: Arc<AtomicU64>,
}

fn failed(error: tokio_postgres::Error) -> StorageError {
    StorageError::Unavailable { reason: format!("PostgreSQL refused: {error}"), source: Some(Box::new(error)) }
}

fn refused(error: tokio_postgres::Error) -> CommitError {
    match error.code().map(SqlState::code) {
        Some("CW001") => CommitError::Fenced,
        Some("CW002") => {
            CommitError::Conflict { what: error.as_db_error().map_or_else(String::new, |e| e.message().to_owned()) }
        }
        _ => failed(error).into(),
    }
}

fn may_retry(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
}

fn number(shard: ShardId) -> i32 {
    i32::from(shard.number())
}

fn kind(key: &TimerKey) -> String {
    json!(key.kind).to_string()
}

fn records_json(records: &[RecordWrite]) -> String {
    let one = |write: &RecordWrite| {
        let (expect, version) = match write.expect {
            Expect::Any => ("any", 0),
            Expect::Absent => ("absent", 0),
            Expect::Version(version) => ("version", version),
        };
        json!({"tab": json!(write.table).as_str(), "key": hex(write.key.as_bytes()), "expect": expect, "version": version,
            "value": write.value.as_deref().map(hex)})
    };
    Value::from_iter(records.iter().map(one)).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Spike {
    async fn connect(socket: PathBuf) -> Self {
        let trips = Arc::new(AtomicU64::new(0));
        let stream = UnixStream::connect(socket).await.expect("the server listens");
        let stream = Counted { stream, sent: AtomicBool::new(false), trips: Arc::clone(&trips) };
        let mut config = tokio_postgres::Config::new();
        config.user("spike").dbname("postgres");
        let (client, connection) = config.connect_raw(stream, NoTls).await.expect("connected");
        tokio::spawn(connection);
        let prepare = async |sql| client.prepare(sql).await.expect("prepared");
        let (accept, commit, records) = (prepare(ACCEPT).await, prepare(COMMIT).await, prepare(RECORDS).await);
        Self { client, accept, commit, records, trips }
    }

    async fn text(
        &self,
        sql: &str,
        params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<String>, StorageError> {
        let rows = self.client.query(sql, params).await.map_err(failed)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StorageError> {
    serde_json::from_str(text).map_err(|error| StorageError::Corrupt { reason: error.to_string() })
}

fn not_in_the_spike<T>() -> Result<T, StorageError> {
    Err(StorageError::Invalid { reason: "not part of the spike".to_owned() })
}

#[async_trait]
impl Storage for Spike {
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StorageError> {
        let one = |new: &NewEvent| json!({"id": new.event.id, "shard": new.event.shard().number(), "dedupe": new.dedupe.map(|hash| hex(&hash)), "body": new.event});
        let events = Value::from_iter(events.iter().map(one)).to_string();
        let rows = self.client.query(&self.accept, &[&events]).await.map_err(failed)?;
        let answer = |row: &tokio_postgres::Row| {
            let id: String = row.get(1);
            let id: EventId = id.parse().map_err(|_| StorageError::Corrupt { reason: "an id".to_owned() })?;
            Ok(if row.get(0) { Accepted::New(id) } else { Accepted::Duplicate(id) })
        };
        rows.iter().map(answer).collect()
    }

    async fn commit(&self, shard: ShardId, fence: Fence, batch: Batch) -> Result<(), CommitError> {
        let run = |write: &RunWrite| json!({"id": write.row.id, "expected": write.expected_len, "data": write.row, "append": write.append});
        let runs = Value::from_iter(batch.runs.iter().map(run)).to_string();
        let matched = Value::from_iter(batch.matched.iter().map(|(id, matches)| json!({"id": id, "matches": matches})))
            .to_string();
        let set = |timer: &Timer| json!({"run": timer.key.run, "path": timer.key.path, "kind": kind(&timer.key), "due": timer.due.as_millis(), "body": timer});
        let set = Value::from_iter(batch.timers_set.iter().map(set)).to_string();
        let clear = |key: &TimerKey| json!({"run": key.run, "path": key.path, "kind": kind(key)});
        let clear = Value::from_iter(batch.timers_clear.iter().map(clear)).to_string();
        let records = records_json(&batch.records);
        let fence = i64::try_from(fence.0).unwrap_or(-1);
        for attempt in 0.. {
            match self
                .client
                .execute(&self.commit, &[&number(shard), &fence, &runs, &matched, &set, &clear, &records])
                .await
            {
                Ok(_) => return Ok(()),
                Err(error) if may_retry(&error) && attempt < RETRIES => {}
                Err(error) => return Err(refused(error)),
            }
        }
        Ok(())
    }

    async fn write_records(&self, records: Vec<RecordWrite>) -> Result<(), CommitError> {
        let mut keys: Vec<_> = records.iter().map(|write| (write.table, &write.key)).collect();
        keys.sort();
        if keys.windows(2).any(|two| two[0] == two[1]) {
            return Err(StorageError::Invalid { reason: "a record twice".to_owned() }.into());
        }
        self.client.execute(&self.records, &[&records_json(&records)]).await.map(drop).map_err(refused)
    }

    async fn acquire(
        &self,
        shard: ShardId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StorageError> {
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&number(shard), &owner, &now.as_millis(), &until.as_millis()];
        let row = self.client.query_opt(ACQUIRE, &params).await.map_err(failed)?;
        Ok(row.map(|row| Fence(row.get::<_, i64>(0) as u64)))
    }

    async fn renew(&self, shard: ShardId, fence: Fence, until: Timestamp) -> Result<bool, StorageError> {
        let sql = "update shards set until = $3 where id = $1 and fence = $2 and until is not null";
        let changed = self.client.execute(sql, &[&number(shard), &(fence.0 as i64), &until.as_millis()]).await;
        changed.map(|rows| rows == 1).map_err(failed)
    }

    async fn release(&self, shard: ShardId, fence: Fence) -> Result<(), StorageError> {
        let sql = "update shards set until = null where id = $1 and fence = $2";
        self.client.execute(sql, &[&number(shard), &(fence.0 as i64)]).await.map(drop).map_err(failed)
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunRow>, StorageError> {
        let rows = self.text("select data::text from runs where id = $1", &[&run.as_str()]).await?;
        rows.first().map(|text| parse(text)).transpose()
    }

    async fn journal(&self, run: &RunId) -> Result<Vec<Entry>, StorageError> {
        let rows = self.text("select entry::text from journal where run = $1 order by place", &[&run.as_str()]).await?;
        rows.iter().map(|text| parse(text)).collect()
    }

    async fn event(&self, event: &EventId) -> Result<Option<StoredEvent>, StorageError> {
        let sql = "select body::text, matches::text from events where id = $1";
        let row = self.client.query_opt(sql, &[&event.as_str()]).await.map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let matches: Option<String> = row.get(1);
        Ok(Some(StoredEvent { event: parse(row.get(0))?, matches: matches.map(|text| parse(&text)).transpose()? }))
    }

    async fn inbox(&self, shard: ShardId, after: Option<&EventId>, limit: usize) -> Result<Vec<Event>, StorageError> {
        let sql = "select body::text from events where shard = $1 and matches is null and id > $2 order by id limit $3";
        let after = after.map_or("", EventId::as_str);
        let rows = self.text(sql, &[&number(shard), &after, &(limit as i64)]).await?;
        rows.iter().map(|text| parse(text)).collect()
    }

    async fn due_timers(&self, shard: ShardId, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StorageError> {
        let sql = "select body::text from timers where shard = $1 and due <= $2 order by due, run limit $3";
        let rows = self.text(sql, &[&number(shard), &now.as_millis(), &(limit as i64)]).await?;
        rows.iter().map(|text| parse(text)).collect()
    }

    async fn next_timer(&self, shard: ShardId) -> Result<Option<Timestamp>, StorageError> {
        let row = self
            .client
            .query_one("select min(due) from timers where shard = $1", &[&number(shard)])
            .await
            .map_err(failed)?;
        Ok(row.get::<_, Option<i64>>(0).map(Timestamp::from_millis))
    }

    async fn record(&self, table: Table, key: &str) -> Result<Option<Record>, StorageError> {
        let sql = "select version, value from records where tab = $1 and key = $2";
        let row = self.client.query_opt(sql, &[&json!(table).as_str(), &key.as_bytes()]).await.map_err(failed)?;
        Ok(row.map(|row| Record { key: key.to_owned(), version: row.get::<_, i64>(0) as u64, value: row.get(1) }))
    }

    async fn counts(&self) -> Result<Counts, StorageError> {
        // The backend keeps counters in the commit; for the spike, counting is enough.
        let row = self
            .client
            .query_one("select (select count(*) from events), (select count(*) from timers)", &[])
            .await
            .map_err(failed)?;
        Ok(Counts { events: row.get::<_, i64>(0) as u64, timers: row.get::<_, i64>(1) as u64, ..Counts::default() })
    }

    async fn active_runs(&self, _: ShardId, _: Option<&RunId>, _: usize) -> Result<Vec<RunRow>, StorageError> {
        not_in_the_spike()
    }
    async fn waits(&self, _: ShardId, _: &str) -> Result<Vec<Wait>, StorageError> {
        not_in_the_spike()
    }
    async fn outbox(&self, _: ShardId, _: usize) -> Result<Vec<NewEvent>, StorageError> {
        not_in_the_spike()
    }
    async fn mail(&self, _: ShardId, _: Option<&MailKey>, _: usize) -> Result<Vec<Mail>, StorageError> {
        not_in_the_spike()
    }
    async fn mail_of(&self, _: &RunId) -> Result<Vec<Mail>, StorageError> {
        not_in_the_spike()
    }
    async fn records(&self, _: Table, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Record>, StorageError> {
        not_in_the_spike()
    }
    async fn query_runs(&self, _: &RunFilter, _: Option<&str>, _: usize) -> Result<Page<RunRow>, StorageError> {
        not_in_the_spike()
    }
    async fn query_events(
        &self,
        _: &EventFilter,
        _: Option<&str>,
        _: usize,
    ) -> Result<Page<StoredEvent>, StorageError> {
        not_in_the_spike()
    }
    async fn purge(&self, _: Purge) -> Result<Purged, StorageError> {
        not_in_the_spike()
    }
    async fn backup(&self) -> Result<Box<dyn Backup>, StorageError> {
        not_in_the_spike()
    }
    async fn restore(&self, _: BackupPart) -> Result<(), StorageError> {
        not_in_the_spike()
    }
    async fn close(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

struct OnServer {
    socket: PathBuf,
    storage: Arc<Spike>,
}

impl OnServer {
    /// Empty tables.
    async fn fresh(socket: PathBuf) -> Self {
        let admin = UnixStream::connect(&socket).await.expect("the server listens");
        let mut config = tokio_postgres::Config::new();
        config.user("spike").dbname("postgres");
        let (client, connection) = config.connect_raw(admin, NoTls).await.expect("connected");
        tokio::spawn(connection);
        client.batch_execute("drop schema public cascade; create schema public").await.expect("emptied");
        client.batch_execute(include_str!("postgres/schema.sql")).await.expect("created");
        Self { storage: Arc::new(Spike::connect(socket.clone()).await), socket }
    }
}

#[async_trait]
impl Fixture for OnServer {
    fn storage(&self) -> Arc<dyn Storage> {
        self.storage.clone()
    }
    async fn reopen(&mut self) {
        self.storage = Arc::new(Spike::connect(self.socket.clone()).await);
    }
}

#[tokio::test]
async fn the_contracts_core_holds_on_postgresql_with_one_round_trip_a_commit() {
    let Some(bin) = server::find() else {
        println!(
            "SKIPPED: no PostgreSQL found by pg_config or in /usr/lib/postgresql (Debian: apt install postgresql)"
        );
        return;
    };
    let server = match server::Server::start(&bin) {
        Ok(server) => server,
        Err(why) => {
            println!("SKIPPED: PostgreSQL in {} cannot be started: {why}", bin.display());
            return;
        }
    };
    macro_rules! cases {
        ($($module:ident::$case:ident),* $(,)?) => {
            $($module::$case(&mut OnServer::fresh(server.socket()).await).await;)*
            println!("cases that hold: {}", [$(stringify!($case)),*].len());
        };
    }
    cases!(
        accept::a_key_is_accepted_once_in_its_shard,
        accept::an_id_is_accepted_once,
        accept::answers_come_in_order_and_batches_may_repeat_themselves,
        accept::racing_calls_with_one_key_get_one_new,
        accept::the_inbox_is_paged_oldest_first,
        accept::a_new_event_is_kept_and_waits,
        commit::a_run_lives_from_begin_to_end,
        commit::a_wrong_length_is_a_conflict,
        commit::records_are_compared_and_set,
        commit::racing_commits_are_linear,
        commit::matching_twice_is_a_conflict,
        commit::long_journals_come_back_whole,
        shards::a_lease_keeps_others_out,
        shards::an_old_fence_is_refused,
        shards::fences_rise_across_reopening,
        shards::timers_come_due_in_order,
    );
    let fixture = OnServer::fresh(server.socket()).await;
    let spike = fixture.storage;
    let fence = make::own(&*spike, make::shard()).await;
    let before = spike.trips.load(Ordering::SeqCst);
    const RUNS: u64 = 100;
    let began = std::time::Instant::now();
    for n in 0..RUNS {
        make::run(&*spike, fence, &make::event(n as i64), "w", cartwright_core::run::row::RunStatus::Running).await;
    }
    let trips = spike.trips.load(Ordering::SeqCst) - before;
    println!("{RUNS} accepts and {RUNS} commits: {trips} round trips in {:?} on one connection", began.elapsed());
    assert_eq!(trips, 2 * RUNS, "one round trip each");
}
