//! Real files under a real watcher: what people, editors and git do to a folder, and what comes out of it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::*;

/// Far longer than anything here takes: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

const GOOD: &str = "on: { event: [a.b] }\nsteps: [{ stop: one }]\n";

/// What was put, and whether to refuse the next one.
struct Tell {
    readings: mpsc::UnboundedSender<(Vec<String>, Vec<String>)>,
    refuse: Arc<Mutex<usize>>,
}

impl Sink for Tell {
    async fn put(&self, reading: &Reading) -> Result<(), String> {
        let mut refuse = self.refuse.lock();
        if *refuse > 0 {
            *refuse -= 1;
            return Err("refused".to_owned());
        }
        let name = |one: &cartwright_run::live::WorkflowNews| {
            format!("{} {}", one.change.as_str(), one.workflow.as_ref().map_or("?", |id| id.as_str()))
        };
        let loaded = reading.loaded.iter().map(|one| one.definition.id.to_string()).collect();
        self.readings.send((reading.news.iter().map(name).collect(), loaded)).ok();
        Ok(())
    }
}

/// A folder with a watcher, in a folder of its own.
struct Watched {
    around: tempfile::TempDir,
    readings: mpsc::UnboundedReceiver<(Vec<String>, Vec<String>)>,
    refuse: Arc<Mutex<usize>>,
    _reloading: Reloading,
}

impl Watched {
    fn new(files: &[(&str, &str)]) -> Self {
        let around = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            put(&around.path().join("workflows").join(name), text);
        }
        Self::over(around)
    }

    /// Watches `workflows` in a folder, whether it is there or not.
    fn over(around: tempfile::TempDir) -> Self {
        let mut folder = Folder::new(around.path().join("workflows"), crate::plugins::Installed::nothing());
        let seen = folder.fingerprint();
        if folder.root().is_dir() {
            folder.read(None).expect("read");
        }
        let (tell, readings) = mpsc::unbounded_channel();
        let refuse = Arc::default();
        let sink = Tell { readings: tell, refuse: Arc::clone(&refuse) };
        Self { around, readings, refuse, _reloading: watch(folder, seen, sink) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.around.path().join("workflows").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        put(&self.file(name), text);
    }

    /// The news of readings up to the one that tells `last`.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut all = Vec::new();
        let search = async {
            while let Some((news, _)) = self.readings.recv().await {
                let found = news.iter().any(|one| one == last);
                all.extend(news);
                if found {
                    return;
                }
            }
        };
        let found = timeout(PATIENCE, search).await;
        assert!(found.is_ok(), "`{last}` was not told, only {all:?}");
        all
    }
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

fn other(text: &str) -> String {
    GOOD.replace("one", text)
}

#[tokio::test]
async fn edits_are_added_changed_broken_repaired_and_removed() {
    let mut watched = Watched::new(&[("a.yaml", GOOD)]);
    watched.write("b.yaml", GOOD);
    assert_eq!(watched.until("added b").await, ["added b"]);
    watched.write("a.yaml", &other("two"));
    assert_eq!(watched.until("changed a").await, ["changed a"]);
    watched.write("a.yaml", "on: [");
    assert_eq!(watched.until("broken a").await, ["broken a"]);
    watched.write("a.yaml", &other("two"));
    assert_eq!(watched.until("repaired a").await, ["repaired a"], "the version is the one that ran on");
    fs::remove_file(watched.file("b.yaml")).expect("removed");
    assert_eq!(watched.until("removed b").await, ["removed b"]);
    fs::rename(watched.file("a.yaml"), watched.file("c.yaml")).expect("renamed");
    assert_eq!(watched.until("removed a").await, ["added c", "removed a"]);
}

#[tokio::test]
async fn a_file_that_is_half_written_for_a_moment_is_neither_broken_nor_gone() {
    let mut watched = Watched::new(&[("a.yaml", GOOD), ("b.yaml", GOOD), ("z.yaml", GOOD)]);
    // As editors save: cut, then written; or a new file in the place of the old.
    fs::File::create(watched.file("a.yaml")).expect("cut");
    watched.write("a.yaml", &other("two"));
    watched.write("b.yaml.tmp", &other("two"));
    fs::remove_file(watched.file("b.yaml")).expect("removed");
    fs::rename(watched.file("b.yaml.tmp"), watched.file("b.yaml")).expect("renamed");
    let mut told = watched.until("changed b").await;
    if !told.contains(&"changed a".to_owned()) {
        told.extend(watched.until("changed a").await);
    }
    told.sort();
    assert_eq!(told, ["changed a", "changed b"]);
}

#[tokio::test]
async fn a_thousand_files_at_once_are_few_readings() {
    let mut watched = Watched::new(&[("a.yaml", GOOD)]);
    for number in 0..1000 {
        watched.write(&format!("team{}/w{number}.yaml", number % 20), GOOD);
    }
    let mut readings = 0;
    let mut added = 0;
    while added < 1000 {
        let (news, _) = timeout(PATIENCE, watched.readings.recv()).await.expect("told").expect("open");
        (readings, added) = (readings + 1, added + news.len());
    }
    // One, unless this machine stops for longer than files take to settle.
    assert!((1..=5).contains(&readings) && added == 1000, "{added} files in {readings} readings");
}

#[tokio::test]
async fn a_folder_that_is_replaced_as_a_whole_is_followed() {
    let mut watched = Watched::new(&[("a.yaml", GOOD), ("b.yaml", GOOD)]);
    let next = watched.around.path().join("next");
    put(&next.join("a.yaml"), &other("two"));
    fs::rename(watched.around.path().join("workflows"), watched.around.path().join("old")).expect("moved");
    fs::rename(&next, watched.around.path().join("workflows")).expect("moved");
    assert_eq!(watched.until("removed b").await, ["changed a", "removed b"]);
    // The new folder is watched, not the old one.
    watched.write("c.yaml", GOOD);
    assert_eq!(watched.until("added c").await, ["added c"]);
}

#[tokio::test]
async fn a_folder_that_appears_later_is_read() {
    let around = tempfile::tempdir().expect("a folder");
    let mut watched = Watched::over(around);
    watched.write("a.yaml", GOOD);
    assert_eq!(watched.until("added a").await, ["added a"]);
    watched.write("deep/er/b.yaml", GOOD);
    assert_eq!(watched.until("added deep/er/b").await, ["added deep/er/b"]);
}

#[tokio::test]
async fn links_to_files_and_folders_are_followed() {
    let around = tempfile::tempdir().expect("a folder");
    put(&around.path().join("shared/a.yaml"), GOOD);
    put(&around.path().join("team/b.yaml"), GOOD);
    fs::create_dir(around.path().join("workflows")).expect("made");
    symlink(around.path().join("shared/a.yaml"), around.path().join("workflows/a.yaml")).expect("linked");
    symlink(around.path().join("team"), around.path().join("workflows/team")).expect("linked");
    let mut watched = Watched::over(around);
    put(&watched.around.path().join("shared/a.yaml"), &other("two"));
    assert_eq!(watched.until("changed a").await, ["changed a"]);
    put(&watched.around.path().join("team/b.yaml"), &other("two"));
    assert_eq!(watched.until("changed team/b").await, ["changed team/b"]);
    // A whole checkout behind one link is exchanged.
    put(&watched.around.path().join("team2/b.yaml"), &other("three"));
    let link = watched.file("team");
    symlink(watched.around.path().join("team2"), watched.around.path().join("new")).expect("linked");
    fs::rename(watched.around.path().join("new"), link).expect("exchanged");
    assert_eq!(watched.until("changed team/b").await, ["changed team/b"]);
}

#[tokio::test]
async fn scripts_count_and_tests_backups_and_hidden_files_do_not() {
    let script = "on: { event: [a.b] }\nsteps: [{ id: s, script: ./lib/x.rhai }]\n";
    let mut watched = Watched::new(&[("a.yaml", script), ("lib/x.rhai", "1")]);
    for name in ["a.test.yaml", ".b.yaml", "a.yaml~", "#a.yaml#", ".#a.yaml", "4913", ".git/c.yaml", "a.yaml.swp"] {
        watched.write(name, "nonsense: [");
    }
    watched.write("lib/x.rhai", "1 + 1");
    assert_eq!(watched.until("changed a").await, ["changed a"]);
}

#[tokio::test]
async fn a_reading_that_cannot_be_kept_is_offered_again() {
    let mut watched = Watched::new(&[("a.yaml", GOOD)]);
    *watched.refuse.lock() = 1;
    watched.write("a.yaml", &other("two"));
    assert_eq!(watched.until("changed a").await, ["changed a"]);
    assert_eq!(*watched.refuse.lock(), 0, "it was refused once");
}

#[tokio::test]
async fn without_a_watcher_the_folder_is_looked_at() {
    let around = tempfile::tempdir().expect("a folder");
    put(&around.path().join("workflows/a.yaml"), GOOD);
    let mut folder = Folder::new(around.path().join("workflows"), crate::plugins::Installed::nothing());
    let seen = folder.fingerprint();
    folder.read(None).expect("read");
    let (tell, readings) = mpsc::unbounded_channel();
    let (changed, changes) = mpsc::channel(1);
    let sink = Tell { readings: tell, refuse: Arc::default() };
    // The sender stays: nothing is ever sent, as with a file system that tells nothing.
    let task = tokio::spawn(follow(folder, seen, sink, Watching::blind(changed), changes));
    let refuse = Arc::default();
    let mut watched = Watched { around, readings, refuse, _reloading: Reloading { task } };
    watched.write("b.yaml", GOOD);
    assert_eq!(watched.until("added b").await, ["added b"]);
}
