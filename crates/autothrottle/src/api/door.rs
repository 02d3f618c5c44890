//! Where the API listens.
//!
//! Loopback by default. Beyond this machine only with a token, or if the operator says that it is meant.

use crate::error::Error;
use crate::settings::ApiSettings;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Opens the socket; the address that it got.
pub(super) async fn open(settings: &ApiSettings) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |problem| Error::Listen { address: settings.listen.clone(), problem };
    let found = tokio::net::lookup_host(&settings.listen).await.map_err(failed)?;
    let addresses: Vec<SocketAddr> = found.collect();
    let outside = addresses.iter().find(|address| !address.ip().is_loopback());
    if let Some(outside) = outside.filter(|_| settings.token.is_none() && !settings.insecure) {
        return Err(Error::OpenToAll(*outside));
    }
    let listener = operate::http_server::listen(&addresses).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
