//! Asks about a KRaft controller, or a ZooKeeper server.

use health::readiness::{ReadinessReports, Vote};
use kafka::Client;
use mapper::BrokerId;
use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::live;

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the controllers about this one, through the listener of one of them.
///
/// # Errors
/// The client properties are wrong. A controller that does not answer is a result, not an error.
pub async fn ask_controller(
    bootstrap: &str,
    properties: Option<&Path>,
    controller: BrokerId,
) -> Result<ReadinessReports, Error> {
    let silent = |error: kafka::Error| ReadinessReports::Silent { why: error.to_string() };
    let settings = live::hasty(live::settings(bootstrap, properties)?);
    let client = match Client::connect_to_controller(settings).await {
        Ok(client) => client,
        Err(error) => return Ok(silent(error)),
    };
    Ok(match client.quorum().await {
        Ok(Some(quorum)) => ReadinessReports::Controller(Vote {
            is_voter: quorum.voters.contains_key(&controller),
            leads: quorum.leader == Some(controller),
            behind_ms: quorum.voters.get(&controller).copied().flatten(),
        }),
        Ok(None) => ReadinessReports::Silent {
            why: "it tells of no quorum: is it a controller?".to_owned(),
        },
        Err(error) => silent(error),
    })
}

/// Asks a ZooKeeper server, with TLS if this file enables it.
///
/// # Errors
/// The file is wrong. A server that does not answer is a result, not an error.
pub async fn ask_zookeeper(
    address: &str,
    config: Option<&Path>,
) -> Result<ReadinessReports, Error> {
    let wrong = |problem: zookeeper::BadAddress| {
        local::Error::flag("--zookeeper", address.to_owned(), problem.to_string())
    };
    let ensemble = live::secured(address.parse().map_err(wrong)?, config)?;
    Ok(match zookeeper::server_mode(address, ensemble.access(), PATIENCE).await {
        Ok(mode) => ReadinessReports::ZooKeeper { mode },
        Err(error) => ReadinessReports::Silent { why: format!("{address}: {error}") },
    })
}
