//! Finds out which protocol a listener speaks, after it has rejected us.
//!
//! Kafka closes a connection in the wrong protocol without an answer. One more connection, in the other protocol, tells
//! a wrong `security.protocol` from a broken broker.

use crate::address::Address;
use crate::connection::Connection;
use crate::dialer::Dialer;
use crate::tls;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, SaslHandshakeRequest};
use rustls_pki_types::ServerName;
use tokio::time::timeout;

/// Whether the listener answers a TLS greeting with TLS.
pub(crate) async fn speaks_tls(dialer: &Dialer, address: &Address) -> bool {
    let Some(connector) = tls::distrustful() else {
        return false;
    };
    let Ok(name) = ServerName::try_from(address.host.clone()) else {
        return false;
    };
    let Ok(tcp) = dialer.dial(address).await else {
        return false;
    };
    match timeout(dialer.settings.setup_timeout, connector.connect(name, tcp)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => tls::is_tls_answer(&error),
        Err(_) => false,
    }
}

/// Whether the listener answers ApiVersions without TLS.
pub(crate) async fn speaks_plainly(dialer: &Dialer, address: &Address) -> bool {
    let Ok(tcp) = dialer.dial(address).await else {
        return false;
    };
    let mut connection = Connection::new(Box::new(tcp), address, &dialer.settings);
    let request = ApiVersionsRequest::default();
    let asking = connection.call_at(&request, 0);
    matches!(timeout(dialer.settings.setup_timeout, asking).await, Ok(Ok(_)))
}

/// The SASL mechanisms that the listener offers, if it requires SASL.
pub(crate) async fn sasl_mechanisms(dialer: &Dialer, address: &Address) -> Option<Vec<String>> {
    let mut connection = dialer.greeted(address).await.ok()?;
    // An unknown mechanism: the broker's refusal lists the ones that it has.
    let answer = connection.call_at(&SaslHandshakeRequest::default(), 1).await.ok()?;
    let offers = answer.error_code == ResponseError::UnsupportedSaslMechanism.code();
    offers.then(|| answer.mechanisms.iter().map(|name| name.to_string()).collect())
}
