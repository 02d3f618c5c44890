//! Whether a server listens at an address.

use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(2);

/// Connects to the first of these addresses that accepts, and returns it; otherwise the error of each.
pub async fn answers(addresses: &str) -> Result<String, String> {
    let mut failures = Vec::new();
    for address in addresses.split(',').map(str::trim) {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(address.to_owned()),
            Ok(Err(error)) => failures.push(format!("{address}: {error}")),
            Err(_) => failures.push(format!("{address}: no answer in {} s", PATIENCE.as_secs())),
        }
    }
    Err(failures.join("; "))
}
