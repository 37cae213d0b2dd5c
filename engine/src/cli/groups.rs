//! The list of commands in `cartwright --help`, in groups: more than fifteen in a row nobody reads.

use clap::Command;

/// Groups with their commands, in the order in which people meet them.
const GROUPS: &[(&str, &[&str])] = &[
    ("Start", &["demo", "serve", "doctor", "health"]),
    ("Workflows", &["check", "explain", "fmt", "test", "run", "workflows", "diff", "schema"]),
    ("History", &["runs", "slots", "approvals", "events", "gates", "replay", "replay-check"]),
    ("Plugins", &["plugin"]),
    ("Stores and secrets", &["store", "secret", "key"]),
    ("Who may do what", &["user", "token", "audit"]),
    ("Moving and saving", &["backup", "restore", "resume", "export", "import"]),
    ("Your shell", &["completions", "man", "help"]),
];
/// Of the column that names commands.
const NAME_CHARS: usize = 13;
const HEADING: (&str, &str) = ("\x1b[1m\x1b[4m", "\x1b[0m");
const NAME: (&str, &str) = ("\x1b[1m", "\x1b[0m");

/// The same command with its list in groups.
pub(super) fn grouped(command: Command) -> Command {
    let template = format!("{{about}}\n\n{{usage-heading}} {{usage}}\n\n{}{{options}}{{after-help}}", list(&command));
    let options = format!("{}Options:{}\n{{options}}", HEADING.0, HEADING.1);
    command.help_template(template.replace("{options}", &options))
}

fn list(command: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        text += &format!("{}{title}:{}\n", HEADING.0, HEADING.1);
        for name in *names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            let about = about.unwrap_or_else(|| "Print this message or the help of a command".into());
            text += &format!("  {}{name:NAME_CHARS$}{}{about}\n", NAME.0, NAME.1);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_is_in_one_group_and_on_one_line() {
        let command = Cli::command();
        let visible = command.get_subcommands().filter(|inner| !inner.is_hide_set());
        let expected: BTreeSet<&str> = visible.map(Command::get_name).chain(["help"]).collect();
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        assert_eq!(listed.len(), listed.iter().collect::<BTreeSet<_>>().len(), "none twice");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
        for line in list(&command).replace(NAME.0, "").replace(NAME.1, "").lines() {
            assert!(line.chars().count() <= 80, "wider than a terminal: {line}");
        }
    }
}
