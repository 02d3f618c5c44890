//! Findings and expiry times as metrics, for the textfile collector of Prometheus' node_exporter.

use super::finding::{CertFinding, Judge};
use super::look::{Place, Seen};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;

type Labels = Vec<(&'static str, String)>;

/// A page of metrics: the expiry of each certificate, the findings, and the time of the check.
pub fn textfile(
    seen: &[Seen],
    findings: &[CertFinding],
    judge: Judge,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("topicmappr_certificates");
    let expiry = Family::<Labels, Gauge>::default();
    let up = Family::<Labels, Gauge>::default();
    let wrong = Family::<Labels, Gauge>::default();
    let checked = Gauge::<i64>::default();
    checked.set(judge.now.as_second());
    for Seen { place, served } in seen {
        up.get_or_create(&labels(place)).set(i64::from(served.is_ok()));
        let chain = served.iter().flat_map(|served| &served.chain);
        for (position, certificate) in chain.enumerate() {
            let mut labels = labels(place);
            labels.push(("position", position.to_string()));
            labels.push(("subject", certificate.subject.clone()));
            labels.push(("issuer", certificate.issuer.clone()));
            labels.push(("serial", certificate.serial.clone()));
            expiry.get_or_create(&labels).set(certificate.not_after);
        }
    }
    for finding in findings {
        wrong.get_or_create(&vec![("code", finding.code.to_owned())]).inc();
    }
    let expires =
        "When the certificate expires, in seconds since 1970; position 0 is the listener's own";
    registry.register("not_after_timestamp_seconds", expires, expiry);
    registry.register("up", "Whether the listener has shown a certificate", up);
    registry.register("findings", "What is wrong, by its code", wrong);
    registry.register("checked_timestamp_seconds", "When this was found out", checked);
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

fn labels(place: &Place) -> Labels {
    let mut labels = vec![("address", place.address.to_string())];
    labels.extend(place.broker.map(|id| ("broker", id.to_string())));
    labels.extend(place.listener.clone().map(|name| ("listener", name)));
    labels
}
