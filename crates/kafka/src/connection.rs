//! One open connection to one broker: one request at a time, each with a deadline.
//!
//! After a failed or dropped call, the connection is unusable. Its owner discards it.

use crate::address::Address;
use crate::bounded;
use crate::error::{Error, ProtocolFault};
use crate::frame::{self, NoFrame};
use crate::properties::Settings;
use crate::tls;
use crate::versions::{Versions, api_name};
use bytes::{Buf, Bytes};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::protocol::{Request, StrBytes};
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The largest accepted answer, in bytes. A million partitions take about 100 MB, so a longer frame is an error.
const MAX_FRAME: u32 = 1 << 29;
/// The largest accepted greeting or login answer, in bytes: 1,000 times what Kafka sends.
const MAX_GREETING: u32 = 1 << 20;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    address: Address,
    client_id: String,
    patience: Duration,
    presents_certificate: bool,
    limit: u32,
    versions: Versions,
    correlation_id: i32,
    expires: Option<Instant>,
}

impl Connection {
    /// A new connection, before the first request.
    pub(crate) fn new(stream: Box<dyn Stream>, address: &Address, settings: &Settings) -> Self {
        Self {
            stream,
            address: address.clone(),
            client_id: settings.client_id.clone(),
            patience: settings.request_timeout,
            presents_certificate: settings.presents_certificate(),
            limit: MAX_GREETING,
            versions: Versions::default(),
            correlation_id: 0,
            expires: None,
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Records how long the broker accepts our authentication (KIP-368).
    pub(crate) fn trusted_for(&mut self, lifetime: Duration) {
        // A tenth earlier, because the session ends by the broker's clock, not ours.
        self.expires = Instant::now().checked_add(lifetime.mul_f32(0.9));
    }

    /// Whether the broker still accepts our authentication.
    pub(crate) fn is_fresh(&self) -> bool {
        self.expires.is_none_or(|end| Instant::now() < end)
    }

    /// The requests that the broker offers, with their first and last versions.
    pub(crate) fn offered(&self) -> Vec<(i16, i16, i16)> {
        self.versions.all()
    }

    /// The finalized level of a feature when the connection was opened; 0 if it was not in use.
    pub(crate) fn feature(&self, name: &str) -> i16 {
        self.versions.feature(name)
    }

    /// Builds the request for the negotiated version, sends it, and waits for its answer.
    pub(crate) async fn call<R: Request>(
        &mut self,
        build: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, Error> {
        let version = self.versions.pick::<R>().map_err(|fault| self.fault(fault))?;
        self.call_at(&build(version), version).await
    }

    /// Sends `request` in the given version.
    pub(crate) async fn call_at<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<R::Response, Error> {
        let body = self.exchange(request, version).await?;
        bounded::decode::<R>(&body, version).map_err(|reason| self.malformed::<R>(version, reason))
    }

    /// An error code in the broker's answer, as our error.
    pub(crate) fn refused<R>(&self, code: ResponseError, message: Option<String>) -> Error {
        let address = self.address.clone();
        Error::Refused { address, api: api_name::<R>(), code, message }
    }

    /// KIP-511: a broker older than our version answers in version 0, and lists its own versions.
    pub(crate) async fn learn_versions(&mut self) -> Result<(), Error> {
        let newest = 3;
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("topicmappr"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let body = self.exchange(&request, newest).await?;
        let too_new =
            body.len() >= 2 && (&body[..2]).get_i16() == ResponseError::UnsupportedVersion.code();
        let answered_in = if too_new { 0 } else { newest };
        let mut answer = bounded::decode::<ApiVersionsRequest>(&body, answered_in)
            .map_err(|reason| self.malformed::<ApiVersionsRequest>(answered_in, reason))?;
        if too_new {
            let version = Versions::new(&answer).pick::<ApiVersionsRequest>().unwrap_or(0);
            let version = version.min(2);
            answer = self.call_at(&ApiVersionsRequest::default(), version).await?;
        }
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            return Err(self.refused::<ApiVersionsRequest>(code, None));
        }
        self.versions = Versions::new(&answer);
        Ok(())
    }

    /// Accepts large answers from now on, because the peer has completed the greeting and the login.
    pub(crate) fn trust(&mut self) {
        self.limit = MAX_FRAME;
    }

    /// Sends one request, receives one answer, and removes its header.
    async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> Result<Bytes, Error> {
        let api = api_name::<R>();
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let expected = self.correlation_id;
        let sent = frame::encode(request, version, expected, &self.client_id)
            .map_err(|reason| self.malformed::<R>(version, reason))?;
        let round_trip = async {
            let closed = |error| NoFrame::Closed(Some(error));
            self.stream.write_all(&sent).await.map_err(closed)?;
            self.stream.flush().await.map_err(closed)?;
            frame::read(&mut self.stream, self.limit).await
        };
        let mut content = match timeout(self.patience, round_trip).await {
            Ok(Ok(content)) => content,
            Ok(Err(none)) => return Err(self.no_frame(none, api)),
            Err(_) => {
                let address = self.address.clone();
                return Err(Error::Timeout { address, api, after: self.patience });
            }
        };
        let found = frame::correlation_id::<R>(&mut content, version)
            .map_err(|reason| self.malformed::<R>(version, reason))?;
        if found != expected {
            return Err(self.fault(ProtocolFault::WrongCorrelation { api, found, expected }));
        }
        Ok(content)
    }

    fn no_frame(&self, none: NoFrame, api: &'static str) -> Error {
        match none {
            NoFrame::Length(length) => {
                let (length, limit) = (length.into(), self.limit);
                self.fault(ProtocolFault::FrameTooLarge { api, length, limit })
            }
            NoFrame::Closed(Some(error)) => {
                broken(&self.address, error, self.presents_certificate, api)
            }
            NoFrame::Closed(None) => {
                Error::Closed { address: self.address.clone(), api, cause: None }
            }
        }
    }

    fn malformed<R>(&self, version: i16, reason: String) -> Error {
        let reason = reason.trim_end().to_owned();
        self.fault(ProtocolFault::Malformed { api: api_name::<R>(), version, reason })
    }

    fn fault(&self, fault: ProtocolFault) -> Error {
        Error::Protocol { address: self.address.clone(), fault }
    }
}

/// Why a connection broke: a TLS failure, or a closed connection.
pub(crate) fn broken(
    address: &Address,
    error: io::Error,
    presented: bool,
    api: &'static str,
) -> Error {
    let address = address.clone();
    match tls::fault(&error, &address.host, presented) {
        Some(fault) => Error::Tls { address, fault },
        None => {
            let ended = error.kind() == io::ErrorKind::UnexpectedEof;
            Error::Closed { address, api, cause: (!ended).then_some(error) }
        }
    }
}
