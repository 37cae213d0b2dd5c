//! Compiled plugins on disk: used when the seal fits, compiled again in every other case, shared without harm.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cartwright_sandbox::{
    ScriptOutcome,
    plugin::{CodeCache, Compile, InProcess, PluginError, Plugins, hash_of},
};
use serde_json::json;

use super::{NOW, block_on, call, guests::guest, small};
use crate::support::marks;

const KEY: [u8; 32] = [7; 32];

/// Compiles here and counts.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Compile for Counted {
    fn compile(&self, component: &Path, out: &Path) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        InProcess.compile(component, out)
    }
}

struct Cached {
    dir: tempfile::TempDir,
    counted: Arc<Counted>,
    component: Vec<u8>,
}

impl Cached {
    fn new() -> Self {
        let component = guest(|_| "(call $ok (local.get $in) (local.get $inlen))".into());
        Self { dir: tempfile::tempdir().expect("a folder"), counted: Arc::default(), component }
    }

    fn engine(&self, key: [u8; 32]) -> Plugins {
        let cache = CodeCache { dir: self.dir.path().join("compiled"), key };
        Plugins::new(small(), marks(), Some(cache), Arc::clone(&self.counted) as Arc<dyn Compile>)
    }

    /// Loads in a new engine and executes; gives how often was compiled for it.
    fn compiled(&self, key: [u8; 32]) -> usize {
        let before = self.counted.0.load(Ordering::SeqCst);
        self.works(&self.engine(key));
        self.counted.0.load(Ordering::SeqCst) - before
    }

    fn works(&self, plugins: &Plugins) {
        let hash = hash_of(&self.component);
        let plugin = plugins.load(&hash, &|| Ok(self.component.clone())).expect("it loads");
        let outcome = block_on(plugins.start(&plugin, call(json!([1])), &[]).advance(None, NOW, [0; 32]));
        assert_eq!(outcome, ScriptOutcome::Done { value: json!([1]), immediate: vec![] });
    }

    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path().join("compiled")).expect("the folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
    }

    fn code(&self) -> PathBuf {
        self.files(".cwasm").pop().expect("compiled code")
    }
}

#[test]
fn code_is_compiled_once_for_all_starts() {
    let cached = Cached::new();
    assert_eq!(cached.compiled(KEY), 1);
    assert_eq!(cached.compiled(KEY), 0);
    let name = cached.code().file_name().map(|name| name.to_string_lossy().into_owned()).expect("a name");
    assert!(name.starts_with(&hash_of(&cached.component)), "{name}");
    assert_eq!(cached.files("").len(), 2, "nothing unfinished is left");
    // From disk, not even the plugin's own file is needed.
    let gone = || Err(std::io::ErrorKind::NotFound.into());
    cached.engine(KEY).load(&hash_of(&cached.component), &gone).expect("it loads");
}

#[test]
fn damaged_code_is_compiled_again_wherever_it_is_damaged() {
    let cached = Cached::new();
    cached.compiled(KEY);
    let good = fs::read(cached.code()).expect("the code");
    let places = (0..16).map(|part| part * (good.len() - 1) / 15);
    for at in places {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(cached.code(), &bad).expect("written");
        assert_eq!(cached.compiled(KEY), 1, "byte {at} of {}", good.len());
        assert_eq!(fs::read(cached.code()).expect("the code"), good, "the code is whole again");
    }
    for length in [0, 1, 64, good.len() / 2, good.len() - 1] {
        fs::write(cached.code(), &good[..length]).expect("written");
        assert_eq!(cached.compiled(KEY), 1, "cut to {length}");
    }
    fs::write(cached.code(), [good.as_slice(), b"more"].concat()).expect("written");
    assert_eq!(cached.compiled(KEY), 1, "lengthened");
    assert_eq!(cached.compiled(KEY), 0);
}

#[test]
fn code_without_a_fitting_seal_is_compiled_again() {
    let cached = Cached::new();
    cached.compiled(KEY);
    let seal = cached.files(".mac").pop().expect("a seal");
    fs::remove_file(&seal).expect("removed");
    assert_eq!(cached.compiled(KEY), 1);
    fs::write(&seal, [0; 32]).expect("written");
    assert_eq!(cached.compiled(KEY), 1);
    fs::write(&seal, b"").expect("written");
    assert_eq!(cached.compiled(KEY), 1);
    assert_eq!(cached.compiled([8; 32]), 1, "another engine's key");
    assert_eq!(cached.compiled(KEY), 1, "and back");
}

#[test]
fn code_of_another_plugin_or_engine_is_not_taken() {
    let cached = Cached::new();
    cached.compiled(KEY);
    let other =
        Cached { component: guest(|_| "(nop) (call $ok (local.get $in) (local.get $inlen))".into()), ..Cached::new() };
    other.compiled(KEY);
    // Another plugin's code and seal under this one's name.
    fs::copy(other.code(), cached.code()).expect("copied");
    fs::copy(other.files(".mac").pop().expect("a seal"), cached.files(".mac").pop().expect("a seal")).expect("copied");
    assert_eq!(cached.compiled(KEY), 1);
    // What another version made has another name.
    let hash = hash_of(&cached.component);
    let elsewhere = cached.code().with_file_name(format!("{hash}-{}.cwasm", "0".repeat(32)));
    fs::rename(cached.code(), elsewhere).expect("renamed");
    assert_eq!(cached.compiled(KEY), 1);
}

#[test]
fn many_who_want_the_same_plugin_have_it_compiled_once() {
    let cached = Cached::new();
    let plugins = cached.engine(KEY);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| cached.works(&plugins));
        }
    });
    assert_eq!(cached.counted.0.load(Ordering::SeqCst), 1);
}

#[test]
fn engines_that_share_a_folder_do_not_disturb_each_other() {
    let cached = Cached::new();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| cached.works(&cached.engine(KEY)));
        }
    });
    assert_eq!(cached.compiled(KEY), 0);
    let running = cached.engine(KEY);
    cached.works(&running);
    // Another key replaces the files under a plugin that is mapped.
    assert_eq!(cached.compiled([8; 32]), 1);
    cached.works(&running);
}

#[test]
fn a_compiler_that_fails_is_quoted() {
    struct Broken;
    impl Compile for Broken {
        fn compile(&self, _: &Path, _: &Path) -> Result<(), String> {
            Err("it took more than 2048 MiB".into())
        }
    }
    let component = guest(|_| "(unreachable)".into());
    let plugins = Plugins::new(small(), marks(), None, Arc::new(Broken));
    let error = plugins.load(&hash_of(&component), &|| Ok(component.clone())).expect_err("not compiled");
    assert!(matches!(error, PluginError::Compile { .. }));
    assert_eq!(error.to_string(), "the plugin cannot be compiled: it took more than 2048 MiB");
}

#[test]
fn a_plugin_that_nobody_wants_is_forgotten_and_loaded_again() {
    let cached = Cached::new();
    let plugins = cached.engine(KEY);
    cached.works(&plugins);
    let hash = hash_of(&cached.component);
    assert!(plugins.loaded(&hash).is_some());
    plugins.retain(|known| known != hash);
    assert!(plugins.loaded(&hash).is_none());
    cached.works(&plugins);
    assert_eq!(cached.counted.0.load(Ordering::SeqCst), 1);
}

#[test]
fn what_is_not_wanted_any_more_is_swept_away() {
    let cached = Cached::new();
    cached.compiled(KEY);
    let dir = cached.dir.path().join("compiled");
    let cache = CodeCache { dir: dir.clone(), key: KEY };
    let (hash, fresh, left) = (hash_of(&cached.component), dir.join(".unfinished-new"), dir.join(".unfinished-old"));
    fs::write(&fresh, "").expect("written");
    let hour_ago =
        fs::metadata(&fresh).expect("there").modified().expect("a time") - std::time::Duration::from_secs(3_700);
    fs::File::create(&left).and_then(|file| file.set_modified(hour_ago)).expect("written");
    fs::write(dir.join("notes.txt"), "").expect("written");
    assert_eq!(cache.sweep(|wanted| wanted == hash).expect("swept"), 1);
    assert_eq!((fresh.exists(), left.exists()), (true, false));
    assert_eq!(cached.compiled(KEY), 0);
    assert_eq!(cache.sweep(|_| false).expect("swept"), 2);
    assert!(dir.join("notes.txt").exists());
    assert_eq!(cached.compiled(KEY), 1);
}
