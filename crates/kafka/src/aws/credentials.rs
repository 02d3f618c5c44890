//! The credentials of AWS, from the first source that the environment names: keys, a web identity (IRSA), a container's
//! endpoint (ECS, EKS Pod Identity), the machine's role.

use super::sources;
use crate::secret::Secret;
use reqwest::Client;
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

/// Keys that sign requests.
#[derive(Debug)]
pub(crate) struct AwsCredentials {
    pub(super) key_id: String,
    pub(super) secret: Secret,
    /// Of temporary keys.
    pub(super) session_token: Option<Secret>,
    pub(super) expires: Option<SystemTime>,
}

/// The variables of AWS that we read, as the process had them at its start.
#[derive(Default)]
pub(super) struct AwsEnvironment(pub(super) BTreeMap<String, String>);

impl AwsEnvironment {
    pub(super) fn of_process() -> Self {
        Self(std::env::vars().filter(|(name, _)| name.starts_with("AWS_")).collect())
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn region(&self) -> Option<String> {
        let named = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
        named.filter_map(|name| self.get(name)).next().map(str::to_owned)
    }
}

/// The values may be secrets.
impl fmt::Debug for AwsEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The credentials of the first source that is configured, in the order of AWS's own tools. A failure of that source is an
/// error: the next one could be another user.
pub(super) async fn find(
    environment: &AwsEnvironment,
    http: &Client,
    sts_region: &str,
) -> Result<AwsCredentials, String> {
    if let Some(key_id) = environment.get("AWS_ACCESS_KEY_ID") {
        let secret = environment.get("AWS_SECRET_ACCESS_KEY");
        return Ok(AwsCredentials {
            key_id: key_id.to_owned(),
            secret: Secret::new(secret.ok_or("AWS_SECRET_ACCESS_KEY is not set")?),
            session_token: environment.get("AWS_SESSION_TOKEN").map(Secret::new),
            expires: None,
        });
    }
    if let Some(file) = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE") {
        let found = sources::web_identity(environment, http, file, sts_region).await;
        return found.map_err(|reason| format!("STS gives no credentials: {reason}"));
    }
    if let Some(found) = sources::container(environment, http).await {
        return found
            .map_err(|reason| format!("the container's endpoint gives no credentials: {reason}"));
    }
    if environment
        .get("AWS_EC2_METADATA_DISABLED")
        .is_some_and(|is| is.eq_ignore_ascii_case("true"))
    {
        return Err("no variable of AWS names credentials".to_owned());
    }
    let found = sources::machine(environment, http).await;
    found.map_err(|reason| {
        format!("no variable of AWS names credentials, and this machine has no role: {reason}")
    })
}
