//! Opens connections: TCP, then TLS, then a greeting, then a login. Each stage has a deadline.
//!
//! If a listener rejects us, the dialer probes which protocol it speaks. It can then report a wrong `security.protocol`
//! by name.

use crate::address::Address;
use crate::connection::{self, Connection, Stream};
use crate::error::{Error, Spoken, TlsFault, Unreached};
use crate::properties::Settings;
use crate::sasl::Login;
use crate::token::BearerToken;
use crate::{listener, tls};
use rustls_pki_types::ServerName;
use std::io;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Everything that is needed to open connections.
pub(crate) struct Dialer {
    pub(crate) settings: Settings,
    tls: Option<TlsConnector>,
    login: Option<Login>,
}

impl Dialer {
    /// Reads the certificate files that the settings name.
    pub(crate) fn new(settings: Settings) -> Result<Self, Error> {
        let tls = settings.tls.as_ref().map(tls::connector).transpose()?;
        let login = Login::new(&settings)?;
        Ok(Self { settings, tls, login })
    }

    /// Connects to `address` and completes all stages, so that requests can follow. If the broker refuses a token that
    /// was kept, tries once more with a new one.
    pub(crate) async fn open(&self, address: &Address) -> Result<Connection, Error> {
        let Some(login) = &self.login else { return self.opened(address, None).await };
        let token = login.token().await?;
        match self.opened(address, Some((login, token.as_ref()))).await {
            Err(Error::Authentication { .. }) if token.as_ref().is_some_and(|it| it.is_kept) => {
                let token = login.token().await?;
                self.opened(address, Some((login, token.as_ref()))).await
            }
            opened => opened,
        }
    }

    async fn opened(
        &self,
        address: &Address,
        login: Option<(&Login, Option<&BearerToken>)>,
    ) -> Result<Connection, Error> {
        let mut connection = self.greeted(address).await?;
        tracing::debug!(%address, protocol = %self.settings.protocol, "connected");
        if let Some((login, token)) = login {
            let proving = login.prove(&mut connection, token);
            let lifetime = self.in_time(address, "SaslAuthenticate", proving).await?;
            if let Some(lifetime) = lifetime {
                connection.trusted_for(lifetime);
            }
        }
        connection.trust();
        Ok(connection)
    }

    /// Connects to `address` and learns its versions, without authenticating.
    pub(crate) async fn greeted(&self, address: &Address) -> Result<Connection, Error> {
        let tcp = self.dial(address).await?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(connector) => Box::new(self.encrypt(connector, address, tcp).await?),
        };
        let mut connection = Connection::new(stream, address, &self.settings);
        match self.in_time(address, "ApiVersions", connection.learn_versions()).await {
            Ok(()) => Ok(connection),
            Err(Error::Closed { .. } | Error::Protocol { .. })
                if self.tls.is_none() && listener::speaks_tls(self, address).await =>
            {
                Err(self.wrong_protocol(address, Spoken::Tls))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a TCP connection only.
    pub(crate) async fn dial(&self, address: &Address) -> Result<TcpStream, Error> {
        let patience = self.settings.setup_timeout;
        let unreached = |cause| Error::Unreachable { failures: [(address.clone(), cause)].into() };
        let by = Instant::now() + patience;
        let lookup = tokio::net::lookup_host((address.host.as_str(), address.port));
        let resolved: Vec<_> = named(lookup, by).await.map_err(unreached)?.collect();
        let tcp = match timeout_at(by, TcpStream::connect(resolved.as_slice())).await {
            Ok(tcp) => tcp.map_err(|error| unreached(Unreached::Refused(error)))?,
            Err(_) => return Err(unreached(Unreached::Silent(patience))),
        };
        tcp.set_nodelay(true).map_err(|error| unreached(Unreached::Refused(error)))?;
        Ok(tcp)
    }

    async fn encrypt(
        &self,
        connector: &TlsConnector,
        address: &Address,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let name = ServerName::try_from(address.host.clone()).map_err(|_| Error::Tls {
            address: address.clone(),
            fault: TlsFault::NoName(address.host.clone()),
        })?;
        let shaking = async { Ok(connector.connect(name, tcp).await) };
        let error = match self.in_time(address, "the TLS handshake", shaking).await? {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        if (is_closed(&error) || tls::is_gibberish(&error))
            && listener::speaks_plainly(self, address).await
        {
            return Err(self.wrong_protocol(address, Spoken::NoTls));
        }
        let presented = self.settings.presents_certificate();
        Err(connection::broken(address, error, presented, "the TLS handshake"))
    }

    fn wrong_protocol(&self, address: &Address, spoken: Spoken) -> Error {
        let configured = self.settings.protocol;
        Error::WrongProtocol { address: address.clone(), configured, spoken }
    }

    async fn in_time<T>(
        &self,
        address: &Address,
        api: &'static str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let after = self.settings.setup_timeout;
        let late = || Error::Timeout { address: address.clone(), api, after };
        timeout(after, work).await.unwrap_or_else(|_| Err(late()))
    }
}

/// Whether the peer closed the connection. A peer that closes with unread bytes resets it.
fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// The answer of name servers. If none answers, no firewall to the broker is the reason.
async fn named<T>(
    lookup: impl Future<Output = io::Result<T>>,
    by: Instant,
) -> Result<T, Unreached> {
    let silent = || io::Error::new(io::ErrorKind::TimedOut, "no name server answers");
    timeout_at(by, lookup).await.unwrap_or_else(|_| Err(silent())).map_err(Unreached::Unresolved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[tokio::test]
    async fn a_name_server_that_is_silent_is_named() {
        let by = Instant::now() + std::time::Duration::from_millis(1);
        let unresolved = named(pending::<io::Result<()>>(), by).await.unwrap_err();
        let said = "the name cannot be resolved (no name server answers)";
        assert_eq!(unresolved.to_string(), said);
    }
}
