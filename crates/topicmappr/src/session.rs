//! One run: its flags, its streams, and how it speaks.

use crate::error::Error;
use crate::flags::{ConsentArgs, Global, OutputFormat, WhenColor};
use crate::views::{ErrorView, View};
use console::Environment;
use operate::Status;
use operate::cluster::ClusterAccess;
use operate::events::{DriverEvent, EventListener, RunContext};
use std::ffi::OsString;
use std::io::{self, Read, Write};

/// The streams of a process, or a test's.
pub struct Streams<'a> {
    /// Where `-` reads from, and answers come from.
    pub stdin: &'a mut dyn Read,
    /// Whether a person sits at `stdin`.
    pub in_is_terminal: bool,
    /// Data: what may be piped.
    pub out: &'a mut dyn Write,
    /// Talk: errors, warnings, progress.
    pub err: &'a mut dyn Write,
    /// Whether a person watches `out`.
    pub out_is_terminal: bool,
    /// Whether a person watches `err`.
    pub err_is_terminal: bool,
}

/// What every command works with.
pub(crate) struct Session<'a, 's> {
    pub(crate) global: Global,
    pub(crate) streams: &'a mut Streams<'s>,
    speech: Speech,
    args: &'a [OsString],
    pub(crate) environment: &'a Environment,
    /// Whether another command line runs this one, and goes on after it.
    nested: bool,
}

/// The form in which a run speaks.
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
        streams: &'a mut Streams<'s>,
    ) -> Self {
        let speech = Speech::of(
            global.talk.output == OutputFormat::Json,
            global.talk.color,
            environment,
            streams,
        );
        Self { global, streams, speech, args, environment, nested: false }
    }

    /// The command line that runs this again, as a shell reads it.
    pub(crate) fn command_line(&self) -> Vec<String> {
        let args = self.args.iter().skip(1);
        let args = args.map(|arg| metrics::value_without_login(&arg.to_string_lossy()));
        std::iter::once("topicmappr".to_owned()).chain(args).collect()
    }

    /// The session of another command line that this one runs, in the same streams and environment.
    pub(crate) fn nested<'b>(
        &'b mut self,
        global: Global,
        args: &'b [OsString],
    ) -> Session<'b, 's> {
        let nested = Session::new(global, args, self.environment, &mut *self.streams);
        Session { nested: true, ..nested }
    }

    /// Lets go of what is large once a command is done. The process gives all its memory back when it ends: to free a
    /// large cluster piece by piece before that takes a twentieth of the time that planning took.
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

    /// Puts a result on stdout.
    pub(crate) fn show(&mut self, view: &impl View) -> Result<(), Error> {
        self.speech.show(view, self.streams.out)
    }

    /// Tells of something that happens: to a person on stderr, to a program as one line of JSON on stdout.
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

    /// Puts the last of several results on stdout: for a program, as one more line.
    pub(crate) fn result(&mut self, view: &impl View) -> Result<(), Error> {
        if self.speech.json { self.event(view) } else { self.show(view) }
    }

    /// Refuses at once a change that nobody could agree to: neither beforehand nor at a terminal.
    pub(crate) fn needs_consent(&self, given: ConsentArgs) -> Result<(), Error> {
        let somebody = given.yes || given.dry_run || self.streams.in_is_terminal;
        if somebody { Ok(()) } else { Err(Error::NotAgreed) }
    }

    /// What a driver works with: the live cluster that the flags name, and this session, which shows what happens.
    pub(crate) fn context(&mut self) -> Result<RunContext<'_>, Error> {
        Ok(RunContext { access: self.cluster()?, listener: self })
    }

    /// The live cluster that the flags name.
    pub(crate) fn cluster(&self) -> Result<ClusterAccess, Error> {
        let kubernetes = self.global.kubernetes.access(self.environment);
        self.global.source.cluster(kubernetes)
    }

    /// Goes on if it was agreed to beforehand, or a person now answers with this word.
    pub(crate) fn agrees(
        &mut self,
        given: ConsentArgs,
        question: &str,
        word: &str,
    ) -> Result<(), Error> {
        if given.yes || self.confirms(question, word)? { Ok(()) } else { Err(Error::NotAgreed) }
    }

    fn confirms(&mut self, question: &str, word: &str) -> Result<bool, Error> {
        write!(self.streams.err, "{question} ").map_err(Error::stream)?;
        self.streams.err.flush().map_err(Error::stream)?;
        // To the end of the line, and no further.
        let mut answer = Vec::new();
        let mut byte = [0];
        while self.streams.stdin.read(&mut byte).map_err(Error::stream)? == 1 && byte != *b"\n" {
            answer.extend(byte);
        }
        Ok(String::from_utf8_lossy(&answer).trim() == word)
    }

    /// Talks to a person; a program that reads JSON is not talked to.
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

    /// The run's status, once its error, if any, is told.
    pub(crate) fn end(self, ended: Result<Status, Error>) -> Status {
        let ended = ended.and_then(|status| {
            self.streams.out.flush().map_err(Error::stream)?;
            Ok(status)
        });
        match ended {
            Ok(status) => status,
            // Whoever read our stdout has seen enough.
            Err(Error::Operate(operate::Error::Stream(error)))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                Status::Done
            }
            Err(error) => self.speech.tell(&error, self.streams),
        }
    }
}

impl EventListener for Session<'_, '_> {
    fn hear(&mut self, event: &DriverEvent<'_>) -> io::Result<()> {
        let heard = match event {
            DriverEvent::Note(note) => self.say(note),
            DriverEvent::Progress(progress) => self.event(progress),
            DriverEvent::CatchUp(progress) => self.event(progress),
            DriverEvent::Roll(event) => self.event(event),
        };
        heard.map_err(|error| match error {
            Error::Operate(operate::Error::Stream(error)) => error,
            other => io::Error::other(other),
        })
    }
}

/// Tells of a command line that could not be understood.
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

    /// Errors are talk, unless a program reads: then they are the document that it waits for.
    fn tell(self, error: &Error, streams: &mut Streams<'_>) -> Status {
        let view = ErrorView(error);
        let told = match (error.help(), self.json) {
            (Some(help), _) => write!(streams.out, "{help}"),
            (None, true) => self.show(&view, streams.out).map_err(io::Error::other),
            (None, false) if self.color_err => write!(streams.err, "{view:#}"),
            (None, false) => write!(streams.err, "{view}"),
        };
        // There is nobody left to tell that telling failed.
        let _ = told.and_then(|()| streams.out.flush());
        error.status()
    }
}
