//! The real `cartwright` as a process: started in a folder of its own, talked to over HTTP and the command line,
//! killed without warning, started again.

use std::{
    fs, io,
    io::{BufRead, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    environment, sign,
    wire::{Connection, Request, Response, once},
};

/// How long a start may take on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long anything else is waited for.
const WAIT: Duration = Duration::from_secs(30);
/// The webhook secret of the stores that [`Engine::add_store`] adds.
pub const WEBHOOK_SECRET: &str = "made-up-webhook-secret-A1B2C3";

/// A folder with workflows and data, and the engine that runs on it (or not).
pub struct Engine {
    folder: TempDir,
    process: Option<Child>,
    address: Option<SocketAddr>,
    output: Arc<Mutex<String>>,
    variables: Vec<(&'static str, String)>,
    outbound: Vec<String>,
}

impl Engine {
    /// A folder with these workflows (file name, text); nothing runs yet.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn new(workflows: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let outbound = vec!["127.0.0.0/8".to_owned()];
        let (output, variables) = (Arc::default(), Vec::new());
        let engine = Self { folder, process: None, address: None, output, variables, outbound };
        fs::create_dir_all(engine.workflows()).expect("a workflows folder");
        for (name, text) in workflows {
            engine.write_workflow(name, text);
        }
        engine
    }

    /// As [`Engine::new`], with a store `shop` and the engine running.
    pub fn running(workflows: &[(&str, &str)]) -> Self {
        let mut engine = Self::new(workflows);
        engine.add_store("shop");
        engine.start();
        engine
    }

    /// Another environment variable for the binary.
    pub fn variable(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    /// What `serve` is told with `--allow-outbound`; the loopback network unless told.
    pub fn allow_outbound(&mut self, ranges: &[&str]) {
        self.outbound = ranges.iter().map(|range| (*range).to_owned()).collect();
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The workflows folder.
    pub fn workflows(&self) -> PathBuf {
        self.folder.path().join("workflows")
    }

    /// The folder around both.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a workflow file.
    pub fn write_workflow(&self, name: &str, text: &str) {
        let path = self.workflows().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a workflow can be written");
    }

    /// Puts a plugin's file into the folder of plugins.
    pub fn write_plugin(&self, name: &str, component: &[u8]) {
        let folder = self.data().join("plugins");
        fs::create_dir_all(&folder).expect("a folder");
        // Whole or not at all, as `plugin add` does it.
        let unfinished = folder.join(".unfinished");
        fs::write(&unfinished, component).expect("a plugin can be written");
        fs::rename(&unfinished, folder.join(format!("{name}.wasm"))).expect("a plugin can be put in place");
    }

    /// Adds a store with [`WEBHOOK_SECRET`].
    pub fn add_store(&self, id: &str) {
        let url = format!("https://{id}.example.com");
        self.command_ok(&["store", "add", id, "--url", &url, "--webhook-secret", WEBHOOK_SECRET]);
    }

    /// Sets a secret.
    pub fn set_secret(&self, name: &str, value: &str) {
        let output = self.command_with_input(&["secret", "set", name], value);
        assert!(output.status.success(), "secret set: {}", text(&output));
    }

    /// Starts `serve` and waits until it listens.
    ///
    /// # Panics
    /// When it does not within [`START_TIMEOUT`].
    pub fn start(&mut self) {
        let mut command = self.binary();
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.args(self.outbound.iter().flat_map(|range| ["--allow-outbound", range.as_str()]));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let streams: [Box<dyn io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        let from = self.output.lock().len();
        for stream in streams {
            let output = self.output.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let mut output = output.lock();
                    output.push_str(&line);
                    output.push('\n');
                }
            });
        }
        self.process = Some(child);
        let begun = Instant::now();
        loop {
            let line = self.output.lock()[from..].split("listening on http://").nth(1).map(str::to_owned);
            if let Some(address) = line.as_deref().and_then(|rest| rest.lines().next()?.trim().parse().ok()) {
                self.address = Some(address);
                return;
            }
            let over = self.process.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(over.is_none(), "serve ended with {over:?}:\n{}", self.log());
            assert!(begun.elapsed() < START_TIMEOUT, "serve does not listen:\n{}", self.log());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The binary in this folder, with none of the variables that steer tests.
    fn binary(&self) -> Command {
        let mut command = Command::new(environment::binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARTWRIGHT_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder.path());
        command.env("CARTWRIGHT_DATA", self.data()).env("CARTWRIGHT_WORKFLOWS", self.workflows());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("the engine runs")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the engine runs").id()
    }

    /// Kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and what it ended with.
    pub fn stop(&mut self) -> Option<i32> {
        let mut child = self.process.take()?;
        let asked = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
        assert!(asked.is_ok_and(|status| status.success()), "kill -TERM");
        let begun = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.code(),
                _ if begun.elapsed() > WAIT => {
                    let _ = child.kill();
                    panic!("serve did not stop on SIGTERM:\n{}", self.log());
                }
                _ => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Everything it printed so far, all starts together.
    pub fn log(&self) -> String {
        self.output.lock().clone()
    }

    /// Runs the command line on this engine's data folder, with or without the engine running.
    pub fn command(&self, arguments: &[&str]) -> Output {
        self.command_with_input(arguments, "")
    }

    /// As [`Engine::command`], with text on its standard input.
    pub fn command_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.binary();
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    /// As [`Engine::command`], without waiting for its end.
    pub fn begin_command(&self, arguments: &[&str]) -> Child {
        let mut command = self.binary();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary starts")
    }

    /// As [`Engine::command`]; it must succeed. Gives what it printed.
    pub fn command_ok(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(output.status.success(), "cartwright {}: {}", arguments.join(" "), text(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The local administrator's token, as kept in the data folder.
    pub fn token(&self) -> String {
        let token = fs::read_to_string(self.data().join("admin.token")).expect("a token in the data folder");
        token.trim().to_owned()
    }

    /// A request as the administrator.
    pub fn api(&self, method: &str, target: &str, body: Option<&Value>) -> Response {
        let request = Request::new(method, target).header("Authorization", &format!("Bearer {}", self.token()));
        let request = if let Some(body) = body { request.json(body) } else { request };
        once(self.address(), &request).expect("the engine answers")
    }

    /// A GET as the administrator that must answer 200.
    pub fn get(&self, target: &str) -> Value {
        let response = self.api("GET", target, None);
        assert_eq!(response.status, 200, "{target}: {}", response.text());
        response.json()
    }

    /// A webhook of `shop`, signed as WooCommerce does. Not an answer: the engine died meanwhile.
    pub fn webhook(&self, topic: &str, body: &[u8]) -> io::Result<Response> {
        once(self.address(), &webhook("shop", topic, body))
    }

    /// An open connection.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address()).expect("the engine accepts connections")
    }

    /// Runs that match a query (`workflow=…&status=…`), all pages, newest first.
    pub fn runs(&self, query: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/api/v1/runs?limit=100&{query}{cursor}"));
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// One run with steps and journal.
    pub fn run(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/runs/{id}"))
    }

    /// Posts an order and gives the event's id.
    pub fn order(&self, topic: &str, body: &[u8]) -> String {
        let response = self.webhook(topic, body).expect("the engine answers");
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["event"].as_str().expect("an event id").to_owned()
    }

    /// Waits until the only run of `event` has this status and gives it whole.
    pub fn run_of(&self, event: &str, status: &str) -> Value {
        self.wait(&format!("a run of {event} is {status}"), || {
            let runs = self.runs(&format!("event={event}"));
            let run = runs.first()?;
            (run["status"] == status).then(|| self.run(run["id"].as_str().unwrap_or_default()))
        })
    }

    /// Asks until there is an answer. Fails with the engine's log.
    pub fn wait<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = ask() {
                return found;
            }
            let runs = if begun.elapsed() > WAIT { self.runs("") } else { Vec::new() };
            assert!(begun.elapsed() < WAIT, "waited in vain: {what}\nruns: {runs:#?}\nlog:\n{}", self.log());
            thread::sleep(Duration::from_millis(3));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A webhook of a store, signed with [`WEBHOOK_SECRET`]. Its delivery id is made from the body.
pub fn webhook(store: &str, topic: &str, body: &[u8]) -> Request {
    let (resource, event) = topic.split_once('.').unwrap_or((topic, ""));
    Request::new("POST", &format!("/webhooks/{store}"))
        .header("User-Agent", "WooCommerce/11.0.1 Hookshot (WordPress/7.1)")
        .header("Content-Type", "application/json")
        .header("X-WC-Webhook-Source", "https://shop.example.com/")
        .header("X-WC-Webhook-Topic", topic)
        .header("X-WC-Webhook-Resource", resource)
        .header("X-WC-Webhook-Event", event)
        .header("X-WC-Webhook-Signature", &sign::woo(body, WEBHOOK_SECRET))
        .header("X-WC-Webhook-ID", "4")
        .header("X-WC-Webhook-Delivery-ID", &sign::digest(body)[..32])
        .body(body)
}

/// What a command printed, both streams.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
