//! A run at a live cluster: its clients, its drivers' events, and the operator's consent.

use crate::error::Error;
use crate::flags::{SourceArgs, TalkArgs};
use crate::live::flags::ConsentArgs;
use crate::session::Session;
use ::kubernetes::{Access, Kubernetes};
use mapper::maps::MapSet;
use operate::cluster::{ClusterAccess, Servers, Source};
use operate::events::{DriverEvent, EventListener, RunContext};
use operate::pods::documents_of;
use operate::record_place::RecordPlace;
use operate::{exported, live, runtime};
use std::io;
use std::path::{Path, PathBuf};
use tracing::level_filters::LevelFilter;

impl Session<'_, '_> {
    /// Refuses a change at once if there is no way to agree to it: neither a flag nor a terminal.
    pub(crate) fn needs_consent(&self, given: ConsentArgs) -> Result<(), Error> {
        let somebody = given.yes || given.dry_run || self.streams.in_is_terminal;
        if somebody { Ok(()) } else { Err(Error::NotAgreed) }
    }

    /// The context of a driver: the live cluster that the flags name, and this session, which shows events.
    pub(crate) fn context(&mut self) -> Result<RunContext<'_>, Error> {
        Ok(RunContext { access: self.cluster()?, listener: self })
    }

    /// The live cluster that the flags name.
    pub(crate) fn cluster(&self) -> Result<ClusterAccess, Error> {
        let kubernetes = self.global.kubernetes.access(self.environment);
        self.global.source.cluster(kubernetes)
    }

    /// How the notes of `keep` are reached. Only those in the state topic need a cluster.
    pub(crate) fn access_to(&self, notes: &RecordPlace) -> Result<ClusterAccess, Error> {
        match self.cluster() {
            Err(_) if *notes != RecordPlace::StateTopic => {
                let kubernetes = self.global.kubernetes.access(self.environment);
                Ok(ClusterAccess { kubernetes, ..ClusterAccess::default() })
            }
            access => access,
        }
    }

    /// Continues if a flag gave consent, or the operator now answers with this word.
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
        // Reads to the end of the line, and no further.
        let mut answer = Vec::new();
        let mut byte = [0];
        while self.streams.stdin.read(&mut byte).map_err(Error::stream)? == 1 && byte != *b"\n" {
            answer.extend(byte);
        }
        Ok(String::from_utf8_lossy(&answer).trim() == word)
    }

    /// Connects to Kafka, and reports what is notable about the properties.
    pub(crate) async fn client(
        &mut self,
        bootstrap: &str,
        properties: Option<&Path>,
    ) -> Result<kafka::Client, Error> {
        let (client, notes) = live::client(bootstrap, properties).await?;
        notes.iter().try_for_each(|note| self.say(note))?;
        Ok(client)
    }

    /// The maps that the flags name, for a caller that is already in an async task.
    pub(crate) async fn map_set_with(&self, kubernetes: &Kubernetes) -> Result<MapSet, Error> {
        let Some(name) = self.global.maps.config_map() else {
            return self.global.maps.read(|_| Ok(Vec::new()));
        };
        let documents = documents_of(kubernetes, name).await?;
        self.global.maps.read(|_| Ok(documents))
    }
}

impl EventListener for Session<'_, '_> {
    fn hear(&mut self, event: &DriverEvent<'_>) -> io::Result<()> {
        let heard = match event {
            DriverEvent::Note(note) => self.say(note),
            DriverEvent::Progress(progress) => {
                exported::progressed(Some(progress));
                self.event(progress)
            }
            DriverEvent::CatchUp(progress) => self.event(progress),
            DriverEvent::Roll(event) => self.event(event),
            DriverEvent::Voters(event) => self.event(event),
        };
        heard.map_err(|error| match error {
            Error::Local(local::Error::Stream(error)) => error,
            other => io::Error::other(other),
        })
    }
}

impl SourceArgs {
    /// Kafka's brokers, for a command that changes the cluster.
    pub(crate) fn brokers(&self) -> Result<(String, Option<PathBuf>), Error> {
        let ClusterAccess { bootstrap, properties, .. } = self.cluster(Access::default())?;
        Ok((bootstrap, properties))
    }

    /// A live cluster, and the API of Kubernetes beside it.
    pub(crate) fn cluster(&self, kubernetes: Access) -> Result<ClusterAccess, Error> {
        match self.source_if_any()? {
            Some(Source::Live(Servers::Kafka { bootstrap, properties, metrics })) => {
                Ok(ClusterAccess { bootstrap, properties, zookeeper: metrics, kubernetes })
            }
            // A snapshot does not work here, so the message does not mention it.
            Some(Source::Live(Servers::ZooKeeper(_)) | Source::File(_)) | None => {
                let message = "this command works on a live cluster: name it with --bootstrap-server HOST:PORT";
                Err(Error::flags(message))
            }
        }
    }
}

impl TalkArgs {
    /// The form of the log.
    pub(crate) fn log(&self) {
        self.logs.start(LevelFilter::WARN);
    }

    /// Waits for servers, and logs meanwhile.
    pub(crate) fn wait_for<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.log();
        runtime::wait(work)?
    }
}
