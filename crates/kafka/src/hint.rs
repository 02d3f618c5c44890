//! What to do about an error: one sentence for the operator, separate from the error itself.

use crate::aws::AWS;
use crate::error::{Denied, Error, ProtocolFault, Resource, Spoken, TlsFault, Unreached};
use crate::properties::{Mechanism, SecurityProtocol};

impl Error {
    /// What to do next, if there is more to say than the error itself.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Unreachable { failures } => failures.values().find_map(unreached),
            Self::AdvertisedUnreachable { .. } => Some(
                "is that broker down? else its advertised.listeners must be reachable from here: correct it, or run \
                 this in the cluster's network"
                    .to_owned(),
            ),
            Self::Timeout { .. } => Some(
                "is the broker overloaded, or the port another program's? socket.timeout.ms sets the patience"
                    .to_owned(),
            ),
            Self::WrongProtocol { configured, spoken, .. } => Some(protocol(*configured, spoken)),
            Self::Tls { fault, .. } => tls(fault),
            Self::Authentication { mechanism: Mechanism::OAuthBearer, .. } => Some(
                "compare the token's issuer, audience and end with the listener's sasl.oauthbearer.expected.* and \
                 sasl.oauthbearer.jwks.endpoint.url; the broker's log names the cause. With AWS_MSK_IAM, the role needs \
                 kafka-cluster:Connect"
                    .to_owned(),
            ),
            Self::Token { origin, .. } if origin == AWS => Some(
                "check the variables AWS_*, the role and the region: aws sts get-caller-identity shows who they are"
                    .to_owned(),
            ),
            Self::Token { .. } => Some(
                "check sasl.oauthbearer.token.endpoint.url, the client's id and its secret; a token in a file must be \
                 renewed before its end"
                    .to_owned(),
            ),
            Self::Authentication { .. } => Some(
                "check the user name, the password and sasl.mechanism; a SCRAM user has one credential for each mechanism"
                    .to_owned(),
            ),
            Self::Authorization(denied) => Some(denied.hint()),
            Self::HiddenTopics { principal, .. } => Some(grant(
                principal.as_deref(),
                "--operation Describe --topic '*'",
            )),
            Self::Protocol { fault: ProtocolFault::FrameTooLarge { .. }, .. } => {
                Some("is that the port of a Kafka broker?".to_owned())
            }
            Self::Closed { .. }
            | Self::UntoldTopics { .. }
            | Self::Protocol { .. }
            | Self::Refused { .. }
            | Self::Contradictory(_) => None,
        }
    }
}

fn unreached(cause: &Unreached) -> Option<String> {
    let text = match cause {
        Unreached::Unresolved(_) => "check the host name, or run this where it resolves",
        Unreached::Silent(_) => "is there a firewall between? nothing refused, nothing answered",
        Unreached::Refused(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "nothing listens there: is the broker up, and is this its port?"
        }
        Unreached::Refused(_) => return None,
    };
    Some(text.to_owned())
}

fn protocol(configured: SecurityProtocol, spoken: &Spoken) -> String {
    let (tls, sasl) = match spoken {
        Spoken::Tls => (true, configured.is_sasl()),
        Spoken::NoTls => (false, configured.is_sasl()),
        Spoken::Sasl(_) => (configured.is_tls(), true),
        Spoken::NoSasl => (configured.is_tls(), false),
    };
    let right = match (tls, sasl) {
        (false, false) => SecurityProtocol::Plaintext,
        (true, false) => SecurityProtocol::Ssl,
        (false, true) => SecurityProtocol::SaslPlaintext,
        (true, true) => SecurityProtocol::SaslSsl,
    };
    let more = if *spoken == Spoken::Tls && !sasl { " (or SASL_SSL)" } else { "" };
    format!(
        "set security.protocol={right}{more} in the client properties, or use another listener's port"
    )
}

fn tls(fault: &TlsFault) -> Option<String> {
    let text = match fault {
        TlsFault::Untrusted => {
            "set ssl.ca.location to the CA that signed the brokers' certificates, in PEM"
        }
        TlsFault::WrongName { .. } => {
            "use a name that is in the certificate; ssl.endpoint.identification.algorithm=none accepts any, and with \
             it any holder of a certificate of that CA"
        }
        TlsFault::OldCertificate => {
            "sign it anew, with a subjectAltName (openssl x509 -req ... -extfile FILE)"
        }
        TlsFault::NotValidNow(_) => "renew the broker's certificate, or set this machine's clock",
        TlsFault::ClientRefused { presented: false, .. } => {
            "set ssl.certificate.location and ssl.key.location: the listener wants a client certificate"
        }
        TlsFault::ClientRefused { presented: true, .. } => {
            "the brokers' ssl.truststore must hold the CA of the client certificate"
        }
        TlsFault::Ended => {
            "set ssl.certificate.location and ssl.key.location if the listener wants a client certificate; else let it \
             accept TLS 1.3, or a cipher suite with ECDHE and GCM or ChaCha20"
        }
        TlsFault::NoName(_) | TlsFault::Other(_) => return None,
    };
    Some(text.to_owned())
}

impl Denied {
    /// The command that grants the missing right.
    pub fn hint(&self) -> String {
        let on = match self.resource {
            Resource::Cluster => "--cluster",
            Resource::Topics => "--topic '*'",
        };
        grant(self.principal.as_deref(), &format!("--operation {} {on}", self.operation))
    }
}

fn grant(principal: Option<&str>, what: &str) -> String {
    let principal = principal.unwrap_or("User:NAME");
    format!(
        "an administrator grants it with: kafka-acls --bootstrap-server HOST:PORT --add \
         --allow-principal {principal} {what}"
    )
}
