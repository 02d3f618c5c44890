//! Finds out what a listener speaks, once it has turned us away.
//!
//! Kafka just closes a connection that is spoken to in the wrong protocol. One more connection, in the other
//! protocol, tells a wrong `security.protocol` from a broken broker.

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

/// The SASL mechanisms that the listener asks for, if it asks for any.
pub(crate) async fn sasl_mechanisms(dialer: &Dialer, address: &Address) -> Option<Vec<String>> {
    let mut connection = dialer.greeted(address).await.ok()?;
    // No such mechanism: the refusal lists those that there are.
    let answer = connection.call_at(&SaslHandshakeRequest::default(), 1).await.ok()?;
    let offers = answer.error_code == ResponseError::UnsupportedSaslMechanism.code();
    offers.then(|| answer.mechanisms.iter().map(|name| name.to_string()).collect())
}
