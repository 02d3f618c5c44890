//! Certificates that expire soon: a need for operators, as no plan renews them.

use super::Args;
use crate::error::Error;
use crate::session::Session;
use execute::keep::{KeepPolicy, Need, SeenNeed, Trigger};
use jiff::{SignedDuration, Timestamp};
use operate::certificates::{Judge, expiring, findings, look, places};
use operate::live;

impl Args {
    /// The need, if a listener serves a certificate that expires within the policy's time.
    pub(super) fn certificates(
        &self,
        policy: &KeepPolicy,
        session: &mut Session<'_, '_>,
    ) -> Result<Option<SeenNeed>, Error> {
        let Some(seconds) = policy.tells_certificates_seconds() else { return Ok(None) };
        let (bootstrap, properties) = session.global.source.brokers()?;
        let talk = session.global.talk.clone();
        let (seen, notes) = talk.wait_for(async {
            let (client, mut notes) = live::client(&bootstrap, properties.as_deref()).await?;
            let (found, silent) = places(&client).await?;
            notes.extend(silent);
            Ok::<_, Error>((look(found, None).await, notes))
        })?;
        notes.iter().try_for_each(|note| session.say(note))?;
        let warn_before = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        let told = expiring(&findings(&seen, Judge { now: Timestamp::now(), warn_before }));
        let need = Need { trigger: Trigger::Certificates, subject: String::new() };
        let plan = Err(format!("{}; renew them, then: topicmappr certs reload", told.join("; ")));
        Ok((!told.is_empty()).then_some(SeenNeed { need, plan }))
    }
}
