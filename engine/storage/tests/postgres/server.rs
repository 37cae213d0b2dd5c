//! A private PostgreSQL server in a temporary folder, on a Unix socket, for as long as this value lives.
#![expect(unreachable_pub, reason = "a module of a test binary")]

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub struct Server {
    child: Child,
    bin: PathBuf,
    user: Option<u32>,
    pub folder: tempfile::TempDir,
}

/// Where PostgreSQL's programs are: as `pg_config` says, or where Debian puts them.
pub fn find() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.and_then(|output| String::from_utf8(output.stdout).ok()).map(|text| PathBuf::from(text.trim()));
    let debian =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut places: Vec<PathBuf> = told.into_iter().chain(debian).collect();
    places.sort();
    places.into_iter().rev().find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

fn number_of(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

impl Server {
    /// Starts one; `Err`: why that is impossible here.
    pub fn start(bin: &Path) -> Result<Self, String> {
        // PostgreSQL refuses to run as root.
        let user = if number_of(&["-u"]) == Some(0) {
            Some(
                number_of(&["-u", "postgres"])
                    .ok_or("this is root and there is no user `postgres` to run the server as")?,
            )
        } else {
            None
        };
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        if let Some(user) = user {
            std::os::unix::fs::chown(folder.path(), Some(user), None).map_err(|error| error.to_string())?;
        }
        let data = folder.path().join("data");
        let initdb = as_user(bin.join("initdb"), user)
            .args(["--auth=trust", "--username=spike", "--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(&data)
            .output()
            .map_err(|error| error.to_string())?;
        if !initdb.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&initdb.stderr)));
        }
        let mut child = as_user(bin.join("postgres"), user)
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=", "-c", "logging_collector=off"])
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stderr = child.stderr.take().ok_or("no stderr")?;
        let server = Self { child, bin: bin.to_owned(), user, folder };
        let mut lines = BufReader::new(stderr).lines();
        let mut said = Vec::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains("ready to accept connections") => break,
                Some(Ok(line)) => said.push(line),
                _ => return Err(format!("postgres did not start: {}", said.join("\n"))),
            }
        }
        std::thread::spawn(move || lines.for_each(drop)); // so that the server never waits for its log to be read
        Ok(server)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }
}

fn as_user(program: PathBuf, user: Option<u32>) -> Command {
    let mut command = Command::new(program);
    if let Some(user) = user {
        command.uid(user).current_dir("/");
    }
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let stop =
            as_user(self.bin.join("pg_ctl"), self.user).args(["stop", "-m", "immediate", "-D"]).arg(data).output();
        if stop.is_err() {
            self.child.kill().ok();
        }
        self.child.wait().ok();
    }
}
