//! Where a broker listens: a host and a port.

use std::fmt;
use std::str::FromStr;

/// A host name or IP address with a TCP port: `kafka-1.example:9092`, `[::1]:9092`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// Text that is no `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not of the form HOST:PORT: {0:?}")]
pub struct NoAddress(pub String);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let refused = || NoAddress(text.to_owned());
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(refused)?;
        let port = port.parse().map_err(|_| refused())?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match bare {
            Some(bare) if !bare.is_empty() => Ok(Self { host: bare.to_owned(), port }),
            None if !host.is_empty() && !host.contains([':', '/', '[', ']', ' ']) => {
                Ok(Self { host: host.to_owned(), port })
            }
            Some(_) | None => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_keeps_its_brackets_in_text_only() {
        let address: Address = "[::1]:9092".parse().unwrap();
        assert_eq!(address.host, "::1");
        assert_eq!(address.to_string(), "[::1]:9092");
    }

    #[test]
    fn a_missing_port_or_a_scheme_is_refused() {
        for text in ["kafka", "kafka:", ":9092", "SSL://kafka:9092", "::1:9092", "kafka:99999"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
