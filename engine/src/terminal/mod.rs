//! How answers look: aligned and coloured on a terminal, plain elsewhere, JSON where asked for.

mod diff;
mod table;
mod text;
mod timeline;
mod progress;

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use serde::Serialize;

pub(crate) use diff::unified;
pub(crate) use progress::Progress;
pub(crate) use table::Table;
pub(crate) use text::{ago, one_line, shorten, span};
pub(crate) use timeline::{Timeline, describe};

use crate::{
    config::Environment,
    failure::{Exit, Failure, Result, bug},
};

/// Narrower terminals are treated as this wide.
const MIN_WIDTH: usize = 60;

/// Where answers go.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// Data is printed as JSON.
    pub(crate) json: bool,
    colour: bool,
    colour_errors: bool,
    /// It understands no control sequences.
    dumb: bool,
    /// Columns; `None` where output is not a terminal: then nothing is cut.
    width: Option<usize>,
    /// Columns of standard error; `None` where it is not a terminal that can draw.
    error_width: Option<usize>,
}

/// What a text says by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Wait,
    Move,
    Quiet,
    Strong,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Wait => "33",
            Self::Move => "36",
            Self::Quiet => "2",
            Self::Strong => "1",
        }
    }
}

impl Terminal {
    pub(crate) fn new(json: bool, environment: &Environment) -> Self {
        let may_colour = !environment.no_colour && !environment.dumb;
        let (out, error) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let width =
            terminal_size::terminal_size().filter(|_| out).map(|(width, _)| usize::from(width.0).max(MIN_WIDTH));
        let errors = terminal_size::terminal_size_of(io::stderr()).filter(|_| error && !environment.dumb);
        let error_width = errors.map(|(width, _)| usize::from(width.0).max(MIN_WIDTH));
        let (colour, colour_errors) = (may_colour && out, may_colour && error);
        Self { json, colour, colour_errors, dumb: environment.dumb, width, error_width }
    }

    #[cfg(test)]
    pub(crate) fn plain(width: Option<usize>) -> Self {
        Self { json: false, colour: false, colour_errors: false, dumb: false, width, error_width: None }
    }

    /// How many columns a line may take.
    pub(crate) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether a screen can be drawn for somebody who presses keys.
    pub(crate) fn is_screen(&self) -> bool {
        self.width.is_some() && !self.json && !self.dumb && io::stdin().is_terminal()
    }

    /// As wide as the terminal is by now, with its height in lines.
    pub(crate) fn resized(&self) -> (Self, usize) {
        const USUAL: (u16, u16) = (80, 24);
        let size = terminal_size::terminal_size().map(|(width, height)| (width.0, height.0)).unwrap_or(USUAL);
        (Self { width: Some(usize::from(size.0)), ..self.clone() }, usize::from(size.1))
    }

    /// Whether standard error takes colours.
    pub(crate) fn paints_errors(&self) -> bool {
        self.colour_errors
    }

    pub(crate) fn paint(&self, tone: Tone, text: impl fmt::Display) -> String {
        if self.colour && tone != Tone::Plain {
            format!("\x1b[{}m{text}\x1b[0m", tone.code())
        } else {
            text.to_string()
        }
    }

    /// As [`Terminal::paint`], for standard error.
    fn paint_error(&self, tone: Tone, text: impl fmt::Display) -> String {
        Self { colour: self.colour_errors, ..self.clone() }.paint(tone, text)
    }

    /// One line of output. A reader that went away (`| head`) is no error.
    pub(crate) fn line(&self, text: impl fmt::Display) {
        let mut out = io::stdout().lock();
        if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    /// Output without a line break.
    pub(crate) fn part(&self, text: &str) {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
    }

    /// Several lines.
    pub(crate) fn lines(&self, lines: Vec<String>) {
        lines.into_iter().for_each(|line| self.line(line));
    }

    /// A name and its value below a headline; nothing where there is no value.
    pub(crate) fn fact(&self, name: &str, value: &str) {
        const INDENT: usize = 12;
        /// Longer values are shown whole with `--json`.
        const MAX_CHARS: usize = 600;
        if !value.is_empty() {
            let width = self.width.map_or(MAX_CHARS, |width| width.saturating_sub(INDENT));
            self.line(format_args!(
                "  {}  {}",
                self.paint(Tone::Quiet, format_args!("{name:<8}")),
                shorten(value, width)
            ));
        }
    }

    /// As [`Terminal::fact`], never cut: an error is read to its end.
    pub(crate) fn error_fact(&self, name: &str, value: &str) {
        self.line(format_args!(
            "  {}  {}",
            self.paint(Tone::Quiet, format_args!("{name:<8}")),
            self.paint(Tone::Bad, value)
        ));
    }

    /// A line that is not data: goes to standard error.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        writeln!(io::stderr().lock(), "{text}").ok();
    }

    /// Data as JSON.
    pub(crate) fn data(&self, data: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(data).map_err(bug)?;
        self.line(text);
        Ok(())
    }

    /// Prints a failure and gives its exit code.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        if let Some(error) = &failure.error {
            let word = if self.colour_errors { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
            self.note(format_args!("{word} {error:#}"));
            if let Some(help) = &failure.help {
                self.note(format_args!("  help: {help}"));
            }
        }
        ExitCode::from(match failure.exit {
            Exit::NotFine => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
            Exit::Bug => 70,
        })
    }
}

/// How a run's or a step's status is painted.
pub(crate) fn tone_of(status: &str) -> Tone {
    match status {
        "succeeded" => Tone::Good,
        "failed" | "parked" | "unknown" => Tone::Bad,
        "waiting" | "queued" => Tone::Wait,
        "running" => Tone::Move,
        "skipped" | "cancelled" => Tone::Quiet,
        _ => Tone::Plain,
    }
}
