//! One executor at a time in a cluster, on whichever machine: the claim in the state topic.

use super::Execution;
use crate::error::Error;
use crate::flags::ClaimArgs;
use crate::live;
use crate::session::Session;
use crate::source::Note;
use kafka::{Pem, PemSource, Roots, Settings};
use statelog::{Access, Claim, Holder, StateTopic, TOPIC};
use std::fs;
use std::path::Path;

/// What executors claim.
const EXECUTOR: &str = "executor";

impl Execution<'_> {
    /// Claims the cluster, if that is asked for, until the execution is dropped.
    pub(crate) async fn claim(
        &mut self,
        args: ClaimArgs,
        ledger: &Path,
        session: &mut Session<'_, '_>,
    ) -> Result<(), Error> {
        let Some(books) = self.books.as_mut().filter(|_| args.state_topic) else { return Ok(()) };
        let (bootstrap, properties) = session.global.source.brokers()?;
        let access = access(&live::settings(&bootstrap, properties.as_deref())?);
        let brokers = self.client.describe_cluster().await?.live().count();
        let holder = holder(ledger);
        session.say(&Note::new(format!(
            "claiming the cluster in {TOPIC}: half a minute if its last holder died"
        )))?;
        // librdkafka blocks.
        let taken = tokio::task::spawn_blocking(move || {
            let topic = StateTopic::open(access, brokers)?;
            Ok((topic.is_new(), Claim::take(&topic, EXECUTOR, holder)?))
        });
        let (is_new, claim) = match taken.await {
            Ok(taken) => taken.map_err(|error| Error::Claim(Box::new(error)))?,
            Err(panicked) => return Err(Error::Runtime(panicked.into())),
        };
        if is_new {
            session.say(&Note::new(format!(
                "made the topic {TOPIC}, compacted, for what executors share"
            )))?;
        }
        books.claim = Some(claim);
        Ok(())
    }

    /// Whether the cluster may be acted on now. A claim that could not be renewed may be again; one that somebody has
    /// taken over ends the execution.
    pub(super) fn may_act(&self) -> Result<bool, Error> {
        let claim = self.books.as_ref().and_then(|books| books.claim.as_ref());
        match claim.map_or(Ok(()), Claim::check) {
            Ok(()) => Ok(true),
            Err(lost @ statelog::Lost::NotRenewed { .. }) => {
                tracing::warn!(%lost, "nothing is begun; what is in flight goes on");
                Ok(false)
            }
            Err(lost) => Err(Error::Claim(Box::new(lost.into()))),
        }
    }
}

/// Who we are: to people, and to whoever comes after us at the same ledger, whose lock only one of us has.
fn holder(ledger: &Path) -> Holder {
    let of = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
    let host = of("/proc/sys/kernel/hostname").unwrap_or_else(|| "an unknown host".to_owned());
    let name = format!("process {} of {host}", std::process::id());
    let ledger = fs::canonicalize(ledger).unwrap_or_else(|_| ledger.to_owned());
    // Without a name for this machine's run, no earlier process counts as ours.
    let boot = of("/proc/sys/kernel/random/boot_id").unwrap_or_else(|| name.clone());
    Holder::new(name, format!("{boot} {host} {}", ledger.display()))
}

/// librdkafka's properties for the same cluster, as the same user.
pub(crate) fn access(settings: &Settings) -> Access {
    let bootstrap: Vec<String> = settings.bootstrap.iter().map(ToString::to_string).collect();
    let mut properties = vec![
        ("bootstrap.servers", bootstrap.join(",")),
        ("security.protocol", settings.protocol.to_string()),
        ("client.id", settings.client_id.clone()),
    ];
    if let Some(tls) = &settings.tls {
        let check = if tls.check_name { "https" } else { "none" };
        properties.push(("ssl.endpoint.identification.algorithm", check.to_owned()));
        properties.push(match &tls.roots {
            Roots::System => ("ssl.ca.location", "probe".to_owned()),
            Roots::Pem(pem) => pem_property(pem, "ssl.ca.location", "ssl.ca.pem"),
        });
        if let Some(identity) = &tls.identity {
            let chain = (&identity.chain, "ssl.certificate.location", "ssl.certificate.pem");
            let key = (&identity.key, "ssl.key.location", "ssl.key.pem");
            let both = [chain, key].map(|(pem, file, inline)| pem_property(pem, file, inline));
            properties.extend(both);
        }
    }
    if let Some(sasl) = &settings.sasl {
        properties.push(("sasl.mechanism", sasl.mechanism.to_string()));
        properties.push(("sasl.username", sasl.user.clone()));
        properties.push(("sasl.password", sasl.password.expose().to_owned()));
    }
    Access::new(properties)
}

fn pem_property(pem: &Pem, file: &'static str, inline: &'static str) -> (&'static str, String) {
    match &pem.source {
        PemSource::File(path) => (file, path.display().to_string()),
        PemSource::Inline(text) => (inline, text.expose().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_is_given_what_our_own_client_was() {
        let text = "bootstrap.servers=a:1,b:2\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
                    sasl.username=u\nsasl.password=hunter2\nssl.ca.location=/ca.pem\n";
        let settings = Settings::from_properties(&kafka::Properties::parse(text).unwrap()).unwrap();
        let access = access(&settings);
        for key in ["bootstrap.servers", "sasl.mechanism", "sasl.password", "ssl.ca.location"] {
            assert!(format!("{access:?}").contains(key), "{access:?}");
        }
        assert!(!format!("{access:?}").contains("hunter2"));
    }
}
