//! `certs check`: one handshake with each listener, and what its certificates say.

use crate::error::Error;
use crate::live::views::CertsView;
use crate::session::Session;
use console::units::days;
use jiff::{SignedDuration, Timestamp};
use kafka::Address;
use operate::Status;
use operate::certificates::{Judge, Place, ca, findings, look, places, textfile};
use operate::files::OutFile;
use operate::live;
use std::io;
use std::path::PathBuf;

/// The flags of `certs check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  topicmappr certs check --bootstrap-server kafka-0:9093 --kafka-config client.properties\n  \
                  topicmappr certs check --listener kafka-0.example:9093 --ca ca.crt --warn-before 14d"
)]
pub(crate) struct Args {
    /// Check this listener; repeatable
    ///
    /// Default: every TLS listener that the live brokers advertise.
    #[arg(long, value_name = "HOST:PORT")]
    listener: Vec<Address>,
    /// Report certificates that expire within this time
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = days)]
    warn_before: SignedDuration,
    /// Trust these authorities (PEM), as clients do [default: --kafka-config]
    ///
    /// Without any authority, trust is not judged.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Write a file for Prometheus' textfile collector
    ///
    /// Its name must end in .prom. The command replaces it as a whole.
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let cluster = match session.global.source.source_if_any()? {
        Some(_) => Some(session.global.source.brokers()?),
        None if args.listener.is_empty() => return Err(nobody_named()),
        None => None,
    };
    let metrics = args.metrics_file.as_deref().map(OutFile::at).transpose()?;
    let properties = session.global.source.kafka_tool_flags().1.cloned();
    let bootstrap = cluster.map_or_else(|| args.first(), |(bootstrap, _)| bootstrap);
    let trust = ca(args.ca.as_deref(), &bootstrap, properties.as_deref())?;
    let talk = session.global.talk.clone();
    let seen = talk.wait_for(async {
        let named =
            |address: &Address| Place { broker: None, listener: None, address: address.clone() };
        let mut wanted: Vec<Place> = args.listener.iter().map(named).collect();
        if wanted.is_empty() {
            let (client, notes) = live::client(&bootstrap, properties.as_deref()).await?;
            let (found, more) = places(&client).await?;
            notes.iter().chain(&more).try_for_each(|note| session.say(note))?;
            wanted = found;
        }
        Ok(look(wanted, trust.as_ref()).await)
    })?;
    let judge = Judge { now: Timestamp::now(), warn_before: args.warn_before };
    let found = findings(&seen, judge);
    if let Some(file) = metrics {
        let page = textfile(&seen, &found, judge).map_err(io::Error::other);
        file.stage(|to| to.write_all(page?.as_bytes()))?.publish()?;
    }
    let view = CertsView::of(&seen, found, judge, trust.is_some());
    session.show(&view)?;
    Ok(view.status())
}

impl Args {
    /// Client properties need an address, although only their trust is read.
    fn first(&self) -> String {
        self.listener.first().map(ToString::to_string).unwrap_or_default()
    }
}

fn nobody_named() -> Error {
    Error::flags(
        "name a cluster with --bootstrap-server HOST:PORT, or listeners with --listener HOST:PORT"
            .to_owned(),
    )
}
