//! Certificates for tests.

use kafka::certificates::{Certificate, Served, read_file};
use std::path::Path;

/// A certificate from the test data of the Kafka crate.
pub(super) fn certificate(name: &str) -> Certificate {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kafka/testdata");
    read_file(&folder.join(name)).unwrap().remove(0)
}

/// A trusted chain, from a listener that asks for no client certificate.
pub(super) fn served(names: &[&str]) -> Served {
    Served {
        chain: names.iter().map(|name| certificate(name)).collect(),
        name_matches: true,
        distrust: None,
        client_authorities: None,
    }
}
