//! What is asked for without being shown: the passphrase of a backup (from a file, the environment, or typed), passwords
//! and keys.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::Path,
};

use cartwright_woo::{
    Secret,
    backup::{BackupError, MIN_PASSPHRASE_BYTES},
};

use crate::{
    failure::{OrFail as _, Result, usage},
    terminal::Terminal,
    vault_config::PASSPHRASE_VARIABLE,
};

/// More than a passphrase ever has, in bytes.
const MAX_BYTES: usize = 4096;

/// What it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// A new backup: it must not be easy to guess, and is typed twice.
    Sealing,
    /// One that is there.
    Opening,
}

/// The passphrase from the file a flag names, else from the environment, else from the person at the terminal.
pub(crate) fn ask(file: Option<&Path>, variable: Option<&Secret>, what: For, terminal: &Terminal) -> Result<Secret> {
    let passphrase = match (file, variable) {
        (Some(path), _) => from_file(path)?,
        (None, Some(text)) => text.clone(),
        (None, None) if io::stdin().is_terminal() => typed(what, terminal)?,
        (None, None) => {
            return Err(usage("a backup needs a passphrase, and there is nobody to type it")
                .help(format!("Name a file with --passphrase-file, or set {PASSPHRASE_VARIABLE}.")));
        }
    };
    check(passphrase, what)
}

fn check(passphrase: Secret, what: For) -> Result<Secret> {
    match passphrase.expose().len() {
        0 => Err(usage("the passphrase is empty")),
        length if what == For::Sealing && length < MIN_PASSPHRASE_BYTES => Err(usage(BackupError::Weak)),
        _ => Ok(passphrase),
    }
}

/// The file's text without its last line break.
fn from_file(path: &Path) -> Result<Secret> {
    let doing = || format!("cannot read the passphrase from {}", path.display());
    let mut text = Vec::with_capacity(MAX_BYTES + 1);
    let file = File::open(path).or_environment(doing())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).or_environment(doing())?;
    if text.len() > MAX_BYTES {
        return Err(usage(format!("{} has more than {MAX_BYTES} bytes; is it the right file?", path.display())));
    }
    for end in [b'\n', b'\r'] {
        if text.last() == Some(&end) {
            text.pop();
        }
    }
    Ok(Secret::new(text))
}

/// A new password for somebody: typed twice, or a line of standard input.
pub(crate) fn new_password(name: &str, terminal: &Terminal) -> Result<String> {
    let password = if io::stdin().is_terminal() {
        terminal.note(format_args!("New password for {name} (it is not shown):"));
        let first = hidden_line()?;
        terminal.note("Once more:");
        if hidden_line()? != first {
            return Err(usage("the two differ; nothing was changed"));
        }
        first
    } else {
        piped_line("the password")?
    };
    String::from_utf8(password).map_err(|_| usage("the password is not UTF-8"))
}

/// Something secret: typed, or a line of standard input.
pub(crate) fn secret(what: &str, terminal: &Terminal) -> Result<String> {
    let line = if io::stdin().is_terminal() {
        terminal.note(format_args!("{what} (it is not shown):"));
        hidden_line()?
    } else {
        piped_line(what)?
    };
    let text = String::from_utf8(line).map_err(|_| usage(format!("{what} is not UTF-8")))?;
    let text = text.trim();
    if text.is_empty() { Err(usage(format!("{what} is empty"))) } else { Ok(text.to_owned()) }
}

/// The next line of standard input, and nothing behind it.
fn piped_line(what: &str) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    // Byte by byte from one locked reader: what follows is for whoever asks next.
    for byte in io::stdin().lock().bytes() {
        match byte.or_environment(format_args!("cannot read {what} from standard input"))? {
            b'\n' => break,
            _ if line.len() == MAX_BYTES => return Err(usage(format!("{what} has more than {MAX_BYTES} bytes"))),
            byte => line.push(byte),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.is_empty() {
        return Err(usage(format!("{what} is missing: type it at a terminal, or pipe it in")));
    }
    Ok(line)
}

fn typed(what: For, terminal: &Terminal) -> Result<Secret> {
    terminal.note("Passphrase (it is not shown):");
    let first = Secret::new(hidden_line()?);
    if what == For::Sealing {
        terminal.note("Once more:");
        if Secret::new(hidden_line()?) != first {
            return Err(usage("the two differ; nothing was written"));
        }
    }
    Ok(first)
}

#[cfg(not(unix))]
fn hidden_line() -> Result<Vec<u8>> {
    Err(usage(format!("on this system, name a file with --passphrase-file or set {PASSPHRASE_VARIABLE}")))
}

/// A line from the terminal while it shows nothing and leaves keys to us, so that Ctrl-C puts it back as it was.
#[cfg(unix)]
fn hidden_line() -> Result<Vec<u8>> {
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    struct Quiet(Termios);
    impl Drop for Quiet {
        fn drop(&mut self) {
            // Nothing else can be done about a terminal that is gone.
            tcsetattr(io::stdin(), OptionalActions::Flush, &self.0).ok();
        }
    }
    let failed = "cannot hide what is typed";
    let before = tcgetattr(io::stdin()).map_err(io::Error::from).or_environment(failed)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).map_err(io::Error::from).or_environment(failed)?;
    let _restored = Quiet(before);
    line_of(io::stdin().lock().bytes())
}

/// A line as it is typed: backspace takes back, Ctrl-C gives up.
#[cfg(unix)]
fn line_of(bytes: impl Iterator<Item = io::Result<u8>>) -> Result<Vec<u8>> {
    const INTERRUPT: u8 = 3;
    const END: u8 = 4;
    const ERASE: [u8; 2] = [8, 127];
    let mut line = Vec::with_capacity(MAX_BYTES);
    for byte in bytes {
        match byte.or_environment("cannot read the passphrase")? {
            b'\n' | b'\r' | END => return Ok(line),
            INTERRUPT => return Err(usage("given up; nothing was written")),
            byte if ERASE.contains(&byte) => {
                // A letter may have several bytes.
                while line.pop().is_some_and(|last| last & 0xc0 == 0x80) {}
            }
            _ if line.len() == MAX_BYTES => return Err(usage("the passphrase is too long")),
            byte => line.push(byte),
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask_with(file: Option<&str>, variable: Option<&str>, what: For) -> Result<Secret> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passphrase");
        if let Some(text) = file {
            std::fs::write(&path, text).expect("written");
        }
        let variable = variable.map(Secret::new);
        ask(file.map(|_| path.as_path()), variable.as_ref(), what, &Terminal::plain(None))
    }

    #[test]
    fn the_file_wins_over_the_environment_and_loses_its_line_break_only() {
        for (file, variable, expect) in [
            (Some(" long enough \r\n"), Some("of the environment"), " long enough "),
            (Some("first line\nsecond\n"), None, "first line\nsecond"),
            (None, Some("of the environment"), "of the environment"),
        ] {
            assert_eq!(ask_with(file, variable, For::Sealing).expect("valid"), Secret::new(expect));
        }
    }

    #[test]
    fn weak_ones_are_refused_for_new_backups_only() {
        assert!(ask_with(Some("short"), None, For::Sealing).is_err());
        assert_eq!(ask_with(Some("short"), None, For::Opening).expect("valid"), Secret::new("short"));
        for what in [For::Sealing, For::Opening] {
            for text in ["", "\n", &"x".repeat(5000)] {
                let error = ask_with(Some(text), None, what).expect_err("refused").to_string();
                assert!(!error.contains("xxxx"));
            }
        }
        assert!(ask(Some(Path::new("/no/such/file")), None, For::Opening, &Terminal::plain(None)).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_typed_can_be_corrected_and_given_up() {
        let line = |text: &str| line_of(text.bytes().map(Ok));
        assert_eq!(line("abc\rd").expect("a line"), b"abc");
        assert_eq!(line("\u{7f}aü\u{7f}b\u{8}c\n").expect("a line"), b"ac");
        assert_eq!(line("abc\u{4}").expect("a line"), b"abc");
        assert!(line("abc\u{3}").is_err());
    }
}
