//! One run: its flags, its streams, and its output format.

use crate::error::Error;
use crate::facts::ServerReach;
use crate::flags::{Global, OutputFormat, WhenColor};
use crate::views::{ErrorView, View};
use console::Environment;
use local::Status;
use std::ffi::OsString;
use std::io::{self, Read, Write};

/// The streams of a process, or a test's.
pub struct Streams<'a> {
    /// The source for `-`, and for answers.
    pub stdin: &'a mut dyn Read,
    /// Whether `stdin` is a terminal.
    pub in_is_terminal: bool,
    /// Data, which may be piped.
    pub out: &'a mut dyn Write,
    /// Messages: errors, warnings, progress.
    pub err: &'a mut dyn Write,
    /// Whether `out` is a terminal.
    pub out_is_terminal: bool,
    /// Whether `err` is a terminal.
    pub err_is_terminal: bool,
}

/// The context of every command.
pub(crate) struct Session<'a, 's> {
    pub(crate) global: Global,
    pub(crate) streams: &'a mut Streams<'s>,
    speech: Speech,
    args: &'a [OsString],
    pub(crate) environment: &'a Environment,
    /// The way to servers; none: this build has no way.
    pub(crate) reach: Option<&'static dyn ServerReach>,
    /// Whether another command line runs this one, and continues after it.
    nested: bool,
}

/// The output format of a run.
#[derive(Debug, Clone, Copy)]
struct Speech {
    json: bool,
    color_out: bool,
    color_err: bool,
}

impl<'a, 's> Session<'a, 's> {
    pub(crate) fn new(
        global: Global,
        args: &'a [OsString],
        environment: &'a Environment,
        reach: Option<&'static dyn ServerReach>,
        streams: &'a mut Streams<'s>,
    ) -> Self {
        let speech = Speech::of(
            global.talk.output == OutputFormat::Json,
            global.talk.color,
            environment,
            streams,
        );
        Self { global, streams, speech, args, environment, reach, nested: false }
    }

    /// The command line that repeats this run, quoted for a shell.
    pub(crate) fn command_line(&self) -> Vec<String> {
        let args = self.args.iter().skip(1);
        let args = args.map(|arg| local::value_without_login(&arg.to_string_lossy()));
        std::iter::once("topicmappr".to_owned()).chain(args).collect()
    }

    /// The session of another command line that this one runs, with the same streams and environment.
    pub(crate) fn nested<'b>(
        &'b mut self,
        global: Global,
        args: &'b [OsString],
    ) -> Session<'b, 's> {
        let nested = Session::new(global, args, self.environment, self.reach, &mut *self.streams);
        Session { nested: true, ..nested }
    }

    /// Skips the release of a large value at the end of a command. The process returns all memory when it exits.
    /// Releasing a large cluster piece by piece takes a twentieth of the planning time.
    pub(crate) fn let_go<T>(&self, large: T) {
        if !self.nested {
            std::mem::forget(large);
        }
    }

    /// The flags that name the same cluster to another command.
    pub(crate) fn cluster_flags(&self) -> Vec<String> {
        let (bootstrap, properties) = self.global.source.kafka_tool_flags();
        let bootstrap = bootstrap.map(|servers| format!("--bootstrap-server={servers}"));
        let config = properties.map(|path| format!("--kafka-config={}", path.display()));
        bootstrap.into_iter().chain(config).collect()
    }

    /// Writes a result to stdout.
    pub(crate) fn show(&mut self, view: &impl View) -> Result<(), Error> {
        self.speech.show(view, self.streams.out)
    }

    /// Reports an event: to a person on stderr, to a program as one line of JSON on stdout.
    pub(crate) fn event(&mut self, view: &impl View) -> Result<(), Error> {
        if !self.speech.json {
            return self.say(view);
        }
        let told = serde_json::to_writer(&mut *self.streams.out, view)
            .map_err(io::Error::from)
            .and_then(|()| self.streams.out.write_all(b"\n"))
            .and_then(|()| self.streams.out.flush());
        told.map_err(Error::stream)
    }

    /// Writes the last of several results to stdout: for a program, as one more line.
    pub(crate) fn result(&mut self, view: &impl View) -> Result<(), Error> {
        if self.speech.json { self.event(view) } else { self.show(view) }
    }

    /// Writes a message for a person; a program that reads JSON gets none.
    pub(crate) fn say(&mut self, view: &impl std::fmt::Display) -> Result<(), Error> {
        if self.speech.json {
            return Ok(());
        }
        let said = if self.speech.color_err {
            write!(self.streams.err, "{view:#}")
        } else {
            write!(self.streams.err, "{view}")
        };
        said.map_err(Error::stream)
    }

    /// The run's status, after its error, if any, is reported.
    pub(crate) fn end(self, ended: Result<Status, Error>) -> Status {
        let ended = ended.and_then(|status| {
            self.streams.out.flush().map_err(Error::stream)?;
            Ok(status)
        });
        match ended {
            Ok(status) => status,
            // The reader of our stdout has closed it.
            Err(Error::Local(local::Error::Stream(error)))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                Status::Done
            }
            Err(error) => self.speech.tell(&error, self.streams),
        }
    }
}

/// Reports a command line that is invalid.
pub(crate) fn refuse(
    error: &Error,
    args: &[OsString],
    environment: &Environment,
    streams: &mut Streams<'_>,
) -> Status {
    let asked = |pair: &[OsString]| pair[0] == "--output" && pair[1] == "json";
    let json = environment.get("TOPICMAPPR_OUTPUT") == Some("json")
        || args.windows(2).any(asked)
        || args.iter().any(|arg| arg == "--output=json");
    Speech::of(json, WhenColor::Auto, environment, streams).tell(error, streams)
}

/// Whether stdout and stderr are in colour.
pub(crate) fn colors(
    when: WhenColor,
    environment: &Environment,
    streams: &Streams<'_>,
) -> (bool, bool) {
    let wanted = environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb");
    let color = |is_terminal: bool| match when {
        WhenColor::Always => true,
        WhenColor::Never => false,
        WhenColor::Auto => is_terminal && wanted,
    };
    (color(streams.out_is_terminal), color(streams.err_is_terminal))
}

impl Speech {
    fn of(json: bool, when: WhenColor, environment: &Environment, streams: &Streams<'_>) -> Self {
        let (color_out, color_err) = colors(when, environment, streams);
        Self { json, color_out, color_err }
    }

    fn show(self, view: &impl View, out: &mut dyn Write) -> Result<(), Error> {
        let shown = if self.json {
            serde_json::to_writer_pretty(&mut *out, view)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
        } else if self.color_out {
            write!(out, "{view:#}")
        } else {
            write!(out, "{view}")
        };
        shown.map_err(Error::stream)
    }

    /// An error is a message for a person. A program gets it as the document that it waits for.
    fn tell(self, error: &Error, streams: &mut Streams<'_>) -> Status {
        let view = ErrorView(error);
        let told = match (error.help(), self.json) {
            (Some(help), _) => write!(streams.out, "{help}"),
            (None, true) => self.show(&view, streams.out).map_err(io::Error::other),
            (None, false) if self.color_err => write!(streams.err, "{view:#}"),
            (None, false) => write!(streams.err, "{view}"),
        };
        // If the report of an error fails, there is no stream left to report that.
        let _ = told.and_then(|()| streams.out.flush());
        error.status()
    }
}
