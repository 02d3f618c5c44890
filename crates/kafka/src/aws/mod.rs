//! The token of Amazon MSK with IAM: a request to the cluster that is signed, and never sent.
//!
//! In: credentials, a region and the time. Out: the text that a broker of MSK takes as a token for OAUTHBEARER. AWS's own library
//! signs (Signature Version 4, in the query).

mod credentials;
mod sources;

use crate::properties::AwsIam;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use credentials::{AwsCredentials, AwsEnvironment};
use reqwest::{Client, Url};
use std::time::{Duration, SystemTime};

/// What errors call this source of tokens.
pub(crate) const AWS: &str = "AWS IAM";
/// The longest life that a broker of MSK accepts.
const LIFE: Duration = Duration::from_secs(900);
/// What we are, for AWS's records. It is not signed.
const AGENT: &str = concat!("mappr/", env!("CARGO_PKG_VERSION"));

/// Makes tokens for one cluster.
#[derive(Debug)]
pub(crate) struct AwsTokens {
    settings: AwsIam,
    environment: AwsEnvironment,
}

/// A token, with what it does not say itself.
pub(crate) struct SignedToken {
    pub(crate) text: String,
    /// The id of the access key, which is no secret.
    pub(crate) key_id: String,
    pub(crate) life: Duration,
}

impl AwsTokens {
    pub(crate) fn new(settings: AwsIam) -> Self {
        Self { settings, environment: AwsEnvironment::of_process() }
    }

    /// Signs with the credentials of this moment.
    pub(crate) async fn token(
        &self,
        http: &Client,
        now: SystemTime,
    ) -> Result<SignedToken, String> {
        let named = self.settings.region.clone().or_else(|| self.environment.region());
        let region = named.ok_or("the region is unknown: set AWS_REGION")?;
        let sts_region = self.settings.sts_region.as_deref().unwrap_or(&region);
        let found = credentials::find(&self.environment, http, sts_region).await?;
        let text = token(&found, &region, now)?;
        // A token ends with the credentials that have signed it.
        let left = found.expires.map(|end| end.duration_since(now).unwrap_or_default());
        let life = left.map_or(LIFE, |left| left.min(LIFE));
        Ok(SignedToken { text, key_id: found.key_id, life })
    }
}

fn token(found: &AwsCredentials, region: &str, now: SystemTime) -> Result<String, String> {
    let url = presigned(found, region, now)?;
    Ok(URL_SAFE_NO_PAD.encode(format!("{url}&User-Agent={}", AGENT.replace('/', "%2F"))))
}

fn presigned(found: &AwsCredentials, region: &str, now: SystemTime) -> Result<Url, String> {
    let session = found.session_token.as_ref().map(|token| token.expose().to_owned());
    let identity =
        Credentials::new(&found.key_id, found.secret.expose(), session, None, "mappr").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFE);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("kafka-cluster")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let url = format!("https://kafka.{region}.amazonaws.com/?Action=kafka-cluster%3AConnect");
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(b""));
    let signed = request.and_then(|request| sign(request, &params));
    let (signed, _) = signed.map_err(|error| error.to_string())?.into_parts();
    let mut url = Url::parse(&url).map_err(|error| error.to_string())?;
    url.query_pairs_mut().extend_pairs(signed.params());
    Ok(url)
}

#[cfg(test)]
mod tests;
