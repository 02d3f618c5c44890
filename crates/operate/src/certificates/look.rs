//! Reads the certificates of all listeners in parallel.

use super::listeners::listeners;
use crate::error::Error;
use crate::events::Note;
use crate::live;
use futures::StreamExt;
use futures::stream;
use kafka::certificates::{Served, Trust, served};
use kafka::{Address, Client};
use mapper::BrokerId;
use std::path::Path;
use std::time::Duration;

/// The largest number of requests or handshakes in flight.
const AT_ONCE: usize = 32;
/// The time limit for one request to a broker, and for one handshake.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A listener to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The broker; `None` where only an address is known.
    pub broker: Option<BrokerId>,
    /// Its name; `None` where no broker reported it.
    pub listener: Option<String>,
    /// The address for the TLS handshake.
    pub address: Address,
}

/// A listener, and the result of its TLS handshake.
#[derive(Debug)]
pub struct Seen {
    /// The listener.
    pub place: Place,
    /// Certificate chain and trust from the handshake, or why the handshake failed.
    pub served: Result<Served, String>,
}

/// Every TLS listener of every live broker. The notes list brokers whose listeners could not be read, and which are
/// therefore skipped.
pub async fn places(client: &Client) -> Result<(Vec<Place>, Vec<Note>), Error> {
    let cluster = client.describe_cluster().await?;
    let live = cluster.brokers.iter().filter(|(_, broker)| broker.live);
    let known = live.filter_map(|(id, broker)| Some((*id, broker.address.clone()?)));
    let asked = known.map(|(id, address)| async move {
        (id, client.broker_configs(id, PATIENCE).await, address)
    });
    let told: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let (mut places, mut notes) = (Vec::new(), Vec::new());
    for (id, configs, address) in told {
        match configs {
            Ok(configs) => {
                let of_broker = listeners(&configs, &address.host).into_iter();
                places.extend(of_broker.map(|one| Place {
                    broker: Some(id),
                    listener: Some(one.name),
                    address: one.address,
                }));
            }
            Err(error) => {
                let text = format!(
                    "broker {id} does not tell its listeners: only {address} is looked at ({error})"
                );
                notes.push(Note { text, hint: error.hint() });
                places.push(Place { broker: Some(id), listener: None, address });
            }
        }
    }
    Ok((places, notes))
}

/// The authorities that clients trust: those of `--ca`, otherwise those of the client properties.
pub fn ca(
    file: Option<&Path>,
    bootstrap: &str,
    properties: Option<&Path>,
) -> Result<Option<Trust>, Error> {
    if let Some(path) = file {
        return Trust::of_file(path).map(Some).map_err(|error| bad_pem("--ca", &error));
    }
    let settings = live::settings(bootstrap, properties)?;
    Trust::of_settings(&settings).map_err(|error| Error::from(kafka::Error::from(error)))
}

/// The error for a file that contains no certificates.
pub fn bad_pem(flag: &'static str, error: &kafka::certificates::NoCertificates) -> Error {
    let value = error.path.display().to_string();
    local::Error::flag(flag, value, error.reason.clone()).into()
}

/// Runs a TLS handshake with each listener; returns the results in the order of `places`.
pub async fn look(places: Vec<Place>, trust: Option<&Trust>) -> Vec<Seen> {
    let seen = |place: Place| async move {
        let served = served(&place.address, trust, PATIENCE).await;
        Seen { served: served.map_err(|error| error.to_string()), place }
    };
    stream::iter(places).map(seen).buffered(AT_ONCE).collect().await
}
