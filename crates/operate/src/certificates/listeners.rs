//! The TLS listeners of a broker, according to its configs. Pure.

use kafka::Address;
use kafka::admin::BrokerConfig;
use std::collections::BTreeMap;

/// A listener of a broker that speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The name in `listener.security.protocol.map`.
    pub name: String,
    /// The advertised address.
    pub address: Address,
}

/// The advertised listeners that speak TLS. `host` is the broker's address. It stands in for a listener that is bound
/// to every interface and advertises no other address.
pub(super) fn listeners(configs: &BTreeMap<String, BrokerConfig>, host: &str) -> Vec<Listener> {
    let value = |key: &str| configs.get(key).and_then(|config| config.value.as_deref());
    let advertised = value("advertised.listeners").filter(|text| !text.is_empty());
    let text = advertised.or_else(|| value("listeners")).unwrap_or_default();
    let protocols: BTreeMap<&str, &str> = value("listener.security.protocol.map")
        .unwrap_or_default()
        .split(',')
        .filter_map(|pair| pair.trim().split_once(':'))
        .collect();
    let is_tls = |name: &str| {
        let protocol = protocols.get(name).copied().unwrap_or(name);
        matches!(protocol, "SSL" | "SASL_SSL")
    };
    let read = |entry: &str| {
        let (name, address) = entry.trim().split_once("://")?;
        let mut address: Address = match address.strip_prefix(':') {
            Some(port) => Address { host: host.to_owned(), port: port.parse().ok()? },
            None => address.parse().ok()?,
        };
        if matches!(address.host.as_str(), "0.0.0.0" | "::") {
            host.clone_into(&mut address.host);
        }
        is_tls(name).then(|| Listener { name: name.to_owned(), address })
    };
    text.split(',').filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, &str)]) -> Vec<String> {
        let config =
            |value: &str| BrokerConfig { value: Some(value.to_owned()), is_dynamic: false };
        let configs = pairs.iter().map(|(key, value)| ((*key).to_owned(), config(value))).collect();
        let found = listeners(&configs, "kafka-0");
        found.iter().map(|one| format!("{} {}", one.name, one.address)).collect()
    }

    const MAP: (&str, &str) =
        ("listener.security.protocol.map", "CLIENTS:SASL_SSL,REPLICATION:SSL,PLAIN:PLAINTEXT");

    #[test]
    fn what_is_advertised_with_tls_counts() {
        let advertised = "CLIENTS://a.example:9093,REPLICATION://[::1]:9094,PLAIN://a:9092";
        let pairs = [MAP, ("advertised.listeners", advertised), ("listeners", "PLAIN://:9092")];
        assert_eq!(found(&pairs), ["CLIENTS a.example:9093", "REPLICATION [::1]:9094"]);
    }

    #[test]
    fn what_is_bound_to_every_interface_is_where_the_broker_is() {
        let pairs = [MAP, ("listeners", "CLIENTS://:9093,REPLICATION://0.0.0.0:9094")];
        assert_eq!(found(&pairs), ["CLIENTS kafka-0:9093", "REPLICATION kafka-0:9094"]);
    }

    #[test]
    fn a_protocol_is_a_name_of_its_own() {
        let pairs = [("listeners", "SSL://h:1,PLAINTEXT://h:2")];
        assert_eq!(found(&pairs), ["SSL h:1"]);
    }
}
