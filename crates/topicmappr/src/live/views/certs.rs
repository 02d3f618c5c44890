//! `certs check`: what listeners serve.

use super::Ink;
use crate::views::table::Table;
use jiff::Timestamp;
use kafka::certificates::{Certificate, Served};
use mapper::BrokerId;
use operate::Status;
use operate::certificates::{CertFinding, Judge, Seen};
use operate::runtime;
use operate::words::counted;
use serde::Serialize;
use std::fmt;

/// What was seen, and what is wrong with it.
#[derive(Debug, Serialize)]
pub(crate) struct CertsView {
    version: u64,
    checked_at: String,
    warn_before_seconds: i64,
    /// Whether the authorities that clients trust are known.
    trust_judged: bool,
    listeners: Vec<ListenerView>,
    findings: Vec<CertFinding>,
}

#[derive(Debug, Serialize)]
struct ListenerView {
    #[serde(skip_serializing_if = "Option::is_none")]
    broker: Option<BrokerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<String>,
    address: String,
    /// As it was served, the listener's own certificate first; empty if the server did not answer.
    chain: Vec<CertificateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_matches: Option<bool>,
    /// The authorities for client certificates; absent if the listener asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_authorities: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct CertificateView {
    subject: String,
    issuer: String,
    serial: String,
    sha256: String,
    names: Vec<String>,
    not_before: String,
    not_after: String,
    days_left: i64,
}

impl CertsView {
    pub(crate) fn of(
        seen: &[Seen],
        findings: Vec<CertFinding>,
        judge: Judge,
        trust_judged: bool,
    ) -> Self {
        let listener = |Seen { place, served }: &Seen| ListenerView {
            broker: place.broker,
            listener: place.listener.clone(),
            address: place.address.to_string(),
            chain: served
                .iter()
                .flat_map(|served| &served.chain)
                .map(|one| CertificateView::of(one, judge))
                .collect(),
            name_matches: served.as_ref().ok().map(|served| served.name_matches),
            client_authorities: served.as_ref().ok().and_then(of_clients),
        };
        Self {
            version: 1,
            checked_at: runtime::now(),
            warn_before_seconds: judge.warn_before.as_secs(),
            trust_judged,
            listeners: seen.iter().map(listener).collect(),
            findings,
        }
    }

    /// Findings, unless no server answered: then there is nothing to judge.
    pub(crate) fn status(&self) -> Status {
        let answered = self.listeners.iter().any(|one| !one.chain.is_empty());
        match (self.findings.is_empty(), answered || self.listeners.is_empty()) {
            (true, _) => Status::Done,
            (false, true) => Status::Findings,
            (false, false) => Status::Outside,
        }
    }
}

fn of_clients(served: &Served) -> Option<Vec<String>> {
    served.client_authorities.clone()
}

impl CertificateView {
    fn of(one: &Certificate, judge: Judge) -> Self {
        Self {
            subject: one.subject.clone(),
            issuer: one.issuer.clone(),
            serial: one.serial.clone(),
            sha256: one.fingerprint.clone(),
            names: one.names.clone(),
            not_before: time(one.not_before),
            not_after: time(one.not_after),
            days_left: judge.days_left(one.not_after),
        }
    }
}

fn time(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl fmt::Display for CertsView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.listeners.is_empty() {
            return writeln!(f, "No live broker advertises a listener with TLS.");
        }
        let columns = ["broker", "listener", "address", "issuer", "serial", ">days left"];
        let rows = self.listeners.iter().map(|one| {
            let leaf = one.chain.first();
            let told = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            let days = one.chain.iter().map(|each| each.days_left).min();
            [
                told(one.broker.map(|id| id.to_string())),
                told(one.listener.clone()),
                one.address.clone(),
                told(leaf.map(|leaf| leaf.issuer.clone())),
                told(leaf.map(|leaf| short(&leaf.serial))),
                told(days.map(|days| days.to_string())),
            ]
        });
        Table::write(f, columns, rows)?;
        writeln!(f)?;
        if !self.trust_judged {
            writeln!(
                f,
                "Trust was not checked: name the authorities that clients trust with --ca FILE."
            )?;
        }
        if self.findings.is_empty() {
            return writeln!(f, "{} in order.", counted(self.listeners.len(), "listener"));
        }
        self.findings.iter().try_for_each(|finding| told(f, finding))
    }
}

/// The end of a serial, by which people compare them.
fn short(serial: &str) -> String {
    const SHOWN: usize = 8;
    match serial.len().checked_sub(SHOWN) {
        Some(from @ 1..) => format!("..{}", &serial[from..]),
        Some(0) | None => serial.to_owned(),
    }
}

fn told(f: &mut fmt::Formatter<'_>, finding: &CertFinding) -> fmt::Result {
    let word = if finding.urgent { Ink::Error("error") } else { Ink::Warning("warning") };
    fmt::Display::fmt(&word, f)?;
    f.write_str(": ")?;
    if let Some(address) = &finding.address {
        write!(f, "{address}: ")?;
    } else if let Some(listener) = &finding.listener {
        write!(f, "listener {listener}: ")?;
    }
    writeln!(f, "{} ({})", finding.message, finding.code)
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_serial_is_shown_by_its_end() {
        assert_eq!(short("283501AD6146EF4AA9197B4B19ED966AB4D79E19"), "..B4D79E19");
        assert_eq!(short("01"), "01");
        assert_eq!(short("B4D79E19"), "B4D79E19");
    }
}
