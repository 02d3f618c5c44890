//! `certs reload`: switches brokers to new certificates and authorities without a restart, one broker at a time.

use crate::error::Error;
use crate::live::flags::ConsentArgs;
use crate::live::views::{ReloadView, Reloaded};
use crate::session::Session;
use console::units::seconds;
use jiff::Timestamp;
use kafka::Client;
use kafka::certificates::{Certificate, Trust, read_file};
use mapper::BrokerId;
use operate::Status;
use operate::certificates::{Goal, NewStores, Target, bad_pem, ca, out_of_time, refused_by_kafka};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The flags of `certs reload`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Brokers read the files of their stores again. The command then asks each network thread which certificate \
                  it serves.\n\nExamples:\n  topicmappr certs reload --expect tls.crt --ca ca.crt\n  \
                  topicmappr certs reload --expect 'certs/{id}.crt' --keystore-location '/etc/kafka/2027/{id}.pem'\n  \
                  topicmappr certs reload --step trust-both --old-ca old.crt --new-ca new.crt\n  \
                  topicmappr certs reload --step swap-keys --old-ca old.crt --new-ca new.crt\n  \
                  topicmappr certs reload --step drop-old --old-ca old.crt --new-ca new.crt"
)]
pub(crate) struct Args {
    /// Expect brokers to serve this certificate (PEM), the Secret's tls.crt
    ///
    /// {id} in the path stands for the broker's id.
    #[arg(long, value_name = "FILE", required_unless_present = "step", conflicts_with = "step")]
    expect: Option<String>,
    /// Take one step from an old authority to a new one
    ///
    /// The files of the stores must have changed for the step already.
    #[arg(long, value_enum, requires_all = ["old_ca", "new_ca"])]
    step: Option<TrustStep>,
    /// Read the old authority from this file (PEM)
    #[arg(long, value_name = "FILE", requires = "step")]
    old_ca: Option<PathBuf>,
    /// Read the new authority from this file (PEM)
    #[arg(long, value_name = "FILE", requires = "step")]
    new_ca: Option<PathBuf>,
    /// Trust these authorities (PEM), as clients do [default: --kafka-config]
    #[arg(long, value_name = "FILE", conflicts_with = "step")]
    ca: Option<PathBuf>,
    /// Change the listener of this name; repeatable
    ///
    /// Default: every listener with TLS.
    #[arg(long, value_name = "NAME")]
    listener_name: Vec<String>,
    /// Change these brokers, in this order [default: every live one]
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    brokers: Vec<BrokerId>,
    /// Switch to this keystore, by its path on the brokers
    ///
    /// If brokers do not serve it, the command restores the former path.
    #[arg(long, value_name = "PATH")]
    keystore_location: Option<String>,
    /// Switch to this truststore, by its path on the brokers
    ///
    /// If it does not work, the command restores the former path.
    #[arg(long, value_name = "PATH")]
    truststore_location: Option<String>,
    /// Wait this long for each broker
    ///
    /// The files of a Secret reach a pod about a minute after a change.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = seconds)]
    wait: Duration,
    #[command(flatten)]
    consent: ConsentArgs,
}

/// A step from an old authority to a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TrustStep {
    /// Truststores hold both authorities
    TrustBoth,
    /// Keystores hold certificates of the new authority
    SwapKeys,
    /// Truststores hold the new authority alone
    DropOld,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    session.needs_consent(args.consent)?;
    let trust = args.trust(&bootstrap, properties.as_deref())?;
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let targets = args.targets(&client).await?;
        let (waiting, done) = args.waiting(targets, &trust).await?;
        let mut view = ReloadView::new(done);
        if waiting.is_empty() {
            session.show(&view)?;
            return Ok(Status::Done);
        }
        view.waiting = waiting.iter().map(|(target, _)| target.broker).collect();
        if args.consent.dry_run {
            session.show(&view)?;
            return Ok(Status::Findings);
        }
        session.say(&view)?;
        session.agrees(args.consent, "Have them read their stores again? Type yes:", "yes")?;
        args.carry_out(&client, waiting, &trust, view, session).await
    })
}

impl Args {
    /// The authorities that clients trust once the step is done.
    fn trust(&self, bootstrap: &str, properties: Option<&Path>) -> Result<Trust, Error> {
        let file = match self.step {
            Some(TrustStep::TrustBoth) => self.old_ca.as_deref(),
            Some(TrustStep::SwapKeys | TrustStep::DropOld) => self.new_ca.as_deref(),
            None => self.ca.as_deref(),
        };
        ca(file, bootstrap, properties)?.ok_or_else(|| {
            let message = "whether clients trust what is served cannot be told: name their authorities with --ca FILE, or \
                           ssl.ca.location in --kafka-config";
            Error::flags(message)
        })
    }

    async fn targets(&self, client: &Client) -> Result<Vec<Target>, Error> {
        let cluster = client.describe_cluster().await?;
        let wanted: Vec<BrokerId> =
            if self.brokers.is_empty() { cluster.live().collect() } else { self.brokers.clone() };
        let mut targets = Vec::new();
        for id in wanted {
            let known = cluster.brokers.get(&id).filter(|broker| broker.live);
            let Some(address) = known.and_then(|broker| broker.address.as_ref()) else {
                let known = cluster.live().collect();
                return Err(Error::UnknownBrokers { unknown: vec![id], known });
            };
            let target = Target::of(client, id, address, &self.listener_name).await?;
            if target.listeners.is_empty() {
                return Err(Error::flags(format!("broker {id} has no such listener with TLS")));
            }
            targets.push(target);
        }
        Ok(targets)
    }

    /// Splits the brokers into those that still need the change, with their goals, and the others. Refuses beforehand
    /// what Kafka would refuse.
    async fn waiting(
        &self,
        targets: Vec<Target>,
        trust: &Trust,
    ) -> Result<(Vec<(Target, Goal)>, Vec<Reloaded>), Error> {
        let (mut waiting, mut done) = (Vec::new(), Vec::new());
        for target in targets {
            let goal = self.goal(&target)?;
            let broker = target.broker;
            let refused = |why: String| Error::NotReloadable { broker, why };
            let seen = target.look(trust).await.map_err(&refused)?;
            for (listener, served) in target.listeners.iter().zip(&seen) {
                let at = |why: String| refused(format!("{}: {why}", listener.name));
                goal.too_early(served).map_or(Ok(()), |why| Err(at(why)))?;
                if let (Goal::Serve(new), Some(old)) = (&goal, served.leaf()) {
                    let allowed = |key| target.config(&listener.name, key) == Some("true");
                    let allowed =
                        (allowed("ssl.allow.dn.changes"), allowed("ssl.allow.san.changes"));
                    refused_by_kafka(old, new, allowed).map_or(Ok(()), |why| Err(at(why)))?;
                    out_of_time(new, Timestamp::now()).map_or(Ok(()), |why| Err(at(why)))?;
                    self.believed(&target, trust, &listener.address.host)
                        .and_then(|why| why.map_or(Ok(()), |why| Err(at(why))))?;
                }
            }
            // A listener without client authentication does not report its authorities, so it is reloaded anyway.
            let silent =
                goal.is_of_trust() && seen.iter().all(|one| one.client_authorities.is_none());
            if !silent && seen.iter().all(|served| goal.unmet(served).is_none()) {
                done.push(Reloaded::already(broker));
            } else {
                waiting.push((target, goal));
            }
        }
        Ok((waiting, done))
    }

    /// Why clients would not trust the expected certificate.
    fn believed(
        &self,
        target: &Target,
        trust: &Trust,
        host: &str,
    ) -> Result<Option<String>, Error> {
        let Some(pattern) = &self.expect else { return Ok(None) };
        let path = PathBuf::from(target.path(pattern));
        let distrust =
            trust.distrust_file(&path, host).map_err(|error| bad_pem("--expect", &error))?;
        Ok(distrust.map(|why| format!("clients would not trust {}: {why:?}", path.display())))
    }

    fn goal(&self, target: &Target) -> Result<Goal, Error> {
        if let Some(pattern) = &self.expect {
            let path = PathBuf::from(target.path(pattern));
            let mut chain = read_file(&path).map_err(|error| bad_pem("--expect", &error))?;
            return Ok(Goal::Serve(chain.remove(0)));
        }
        let subjects = |flag, file: Option<&PathBuf>| -> Result<BTreeSet<String>, Error> {
            let all = file.map_or_else(|| Ok(Vec::new()), |path| read_file(path));
            let all: Vec<Certificate> = all.map_err(|error| bad_pem(flag, &error))?;
            Ok(all.into_iter().map(|one| one.subject).collect())
        };
        let old = subjects("--old-ca", self.old_ca.as_ref())?;
        let new = subjects("--new-ca", self.new_ca.as_ref())?;
        if old == new {
            let message = "--old-ca and --new-ca have the same subject: listeners tell authorities by their subjects, so \
                           that nothing could be verified";
            return Err(Error::flags(message));
        }
        Ok(match self.step {
            Some(TrustStep::TrustBoth) | None => Goal::TrustBoth { old, new },
            Some(TrustStep::SwapKeys) => Goal::SwapKeys { old, new },
            Some(TrustStep::DropOld) => Goal::DropOld { new },
        })
    }

    /// Reloads one broker after the other, and stops at the first failure.
    async fn carry_out(
        &self,
        client: &Client,
        waiting: Vec<(Target, Goal)>,
        trust: &Trust,
        mut view: ReloadView,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        let moves = NewStores {
            keystore: self.keystore_location.clone(),
            truststore: self.truststore_location.clone(),
        };
        for (target, goal) in waiting {
            let ended = target.reload(client, &goal, trust, &moves, self.wait).await;
            view.waiting.retain(|id| *id != target.broker);
            let failed = ended.is_err();
            let told = Reloaded::of(target.broker, ended);
            session.say(&told)?;
            view.add(told);
            if failed {
                session.show(&view)?;
                return Ok(Status::NoPlan);
            }
        }
        session.show(&view)?;
        Ok(Status::Done)
    }
}
