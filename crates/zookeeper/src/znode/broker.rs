//! `/brokers/ids/ID`: a registered, and therefore live, broker. The znode disappears with its session.

use super::json;
use crate::error::ZnodeFault;
use serde::Deserialize;

/// A live broker's own description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registration {
    /// The advertised host of its first listener.
    pub host: Option<String>,
    /// The advertised port of its first listener.
    pub port: Option<u16>,
    /// `broker.rack`.
    pub rack: Option<String>,
}

#[derive(Deserialize)]
struct RegistrationWire {
    /// Since version 2. `NAME://HOST:PORT` each.
    #[serde(default)]
    endpoints: Vec<String>,
    /// Null if no listener is plaintext; then `port` is -1.
    host: Option<String>,
    port: Option<i64>,
    /// Since version 3.
    rack: Option<String>,
}

/// Versions 1 (host and port only) to 5 (features).
pub(crate) fn registration(data: &[u8]) -> Result<Registration, ZnodeFault> {
    let wire: RegistrationWire = json(data)?;
    let (host, port) = match wire.endpoints.first().and_then(|listener| host_and_port(listener)) {
        Some((host, port)) => (Some(host), Some(port)),
        None => (wire.host, wire.port.and_then(|port| u16::try_from(port).ok())),
    };
    let given = |text: &String| !text.is_empty();
    Ok(Registration { host: host.filter(given), port, rack: wire.rack.filter(given) })
}

/// `SASL_SSL://[::1]:9093` -> `::1`, 9093.
fn host_and_port(listener: &str) -> Option<(String, u16)> {
    let (_, address) = listener.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Registration {
        registration(text.as_bytes()).unwrap()
    }

    fn registered(host: &str, port: u16, rack: Option<&str>) -> Registration {
        Registration { host: Some(host.into()), port: Some(port), rack: rack.map(Into::into) }
    }

    #[test]
    fn a_registration_of_kafka_3_9_is_read() {
        let text = r#"{"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},
            "endpoints":["PLAINTEXT://127.0.0.1:21010","SASL_SSL://127.0.0.1:21011"],"rack":"a","jmx_port":-1,
            "port":21010,"host":"127.0.0.1","version":5,"timestamp":"1795158790963"}"#;
        assert_eq!(read(text), registered("127.0.0.1", 21010, Some("a")));
    }

    #[test]
    fn without_a_plaintext_listener_the_endpoint_tells_host_and_port() {
        let text = r#"{"endpoints":["SSL://[::1]:9093"],"port":-1,"host":null,"version":4}"#;
        assert_eq!(read(text), registered("::1", 9093, None));
    }

    #[test]
    fn the_first_version_had_no_endpoints() {
        let text = r#"{"version":1,"host":"kafka1","port":9092,"jmx_port":9999,"timestamp":"2"}"#;
        assert_eq!(read(text), registered("kafka1", 9092, None));
    }

    #[test]
    fn an_empty_rack_is_no_rack() {
        assert_eq!(read(r#"{"version":3,"host":"h","port":1,"rack":""}"#).rack, None);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        assert!(matches!(registration(b"PLAINTEXT://x"), Err(ZnodeFault::Json(_))));
        assert!(matches!(registration(b" \n"), Err(ZnodeFault::Empty)));
    }
}
