//! `cartwright completions` and `cartwright man`: both are made from the definition of the command line itself, so that
//! neither can say something else than the commands do.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::{
    cli,
    failure::{OrFail as _, Result},
    terminal::Terminal,
};

/// Prints what a shell loads to complete `cartwright …`.
pub(super) fn completions(shell: Shell, terminal: &Terminal) {
    let mut script = Vec::new();
    generate(shell, &mut cli::definition(), "cartwright", &mut script);
    terminal.line(String::from_utf8_lossy(&script).trim_end());
}

/// Prints the page of the program itself, or writes one for each command into a folder.
pub(super) fn man(folder: Option<&Path>, terminal: &Terminal) -> Result<()> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        page_of(tree()).render(&mut page).or_environment("cannot make the manual")?;
        terminal.line(String::from_utf8_lossy(&page).trim_end());
        return Ok(());
    };
    let doing = || format!("cannot write the manual into {}", folder.display());
    fs::create_dir_all(folder).or_environment(doing())?;
    let pages = pages().or_environment(doing())?;
    for (name, page) in &pages {
        fs::File::create(folder.join(name)).and_then(|mut file| file.write_all(page)).or_environment(doing())?;
    }
    terminal.note(format_args!("{} pages are written into {}", pages.len(), folder.display()));
    Ok(())
}

/// The definition with everything in it that commands inherit.
fn tree() -> Command {
    let mut whole = cli::definition().disable_help_subcommand(true);
    whole.build();
    whole
}

fn page_of(command: Command) -> Man {
    // No date: the same program always makes the same pages.
    Man::new(command).date("").source(concat!("cartwright ", env!("CARGO_PKG_VERSION"))).manual("Cartwright")
}

/// A page for each command: `cartwright.1`, `cartwright-runs.1`, `cartwright-runs-ls.1`, …
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    let mut open = vec![tree()];
    while let Some(command) = open.pop() {
        let man = page_of(command.clone());
        let mut page = Vec::new();
        man.render(&mut page)?;
        pages.push((man.get_filename(), page));
        open.extend(command.get_subcommands().filter(|inner| !inner.is_hide_set()).cloned());
    }
    pages.sort();
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command as it is typed: `cartwright runs ls`.
    fn commands() -> Vec<String> {
        let (mut all, mut open) = (Vec::new(), vec![(String::new(), tree())]);
        while let Some((before, command)) = open.pop() {
            let typed = format!("{before} {}", command.get_name()).trim().to_owned();
            let shown = command.get_subcommands().filter(|inner| !inner.is_hide_set());
            open.extend(shown.map(|inner| (typed.clone(), inner.clone())));
            all.push(typed);
        }
        all
    }

    #[test]
    fn every_command_has_a_page_that_names_it() {
        let pages = pages().expect("pages");
        let commands = commands();
        assert!(commands.len() > 30, "{commands:?}");
        assert_eq!(pages.len(), commands.len());
        for typed in commands {
            let name = format!("{}.1", typed.replace(' ', "-"));
            let page = pages.iter().find(|(file, _)| *file == name).unwrap_or_else(|| panic!("no page {name}"));
            let text = String::from_utf8(page.1.clone()).expect("text");
            assert!(text.contains(".TH") && text.contains(".SH SYNOPSIS"), "{name}");
        }
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            generate(shell, &mut cli::definition(), "cartwright", &mut script);
            let script = String::from_utf8(script).expect("text");
            for typed in commands() {
                let last = typed.rsplit(' ').next().expect("a word");
                assert!(script.contains(last), "{shell} does not complete `{typed}`");
            }
        }
    }
}
