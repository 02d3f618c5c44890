//! Logins of Amazon MSK with IAM, in the names of Java's library (`aws-msk-iam-auth`).
//!
//! In: the options of the login module, and the brokers' names. Out: the region that the token is for. The credentials come
//! from the environment, as with AWS's own tools.

use super::ConfigError;
use super::error::shown;
use super::jaas::Jaas;
use crate::address::Address;

/// Java's name of the mechanism. Brokers of MSK take the same proof as a token for OAUTHBEARER, which other clients send.
pub(super) const MECHANISM: &str = "AWS_MSK_IAM";
/// The login module of that mechanism.
pub(super) const MODULE: &str = "IAMLoginModule";
/// The classes with which Java makes the proof, for each of the two mechanisms.
pub(super) const HANDLERS: [&str; 2] =
    ["IAMClientCallbackHandler", "IAMOAuthBearerLoginCallbackHandler"];
const JAAS: &str = "sasl.jaas.config";

/// Whether this class is one of them.
pub(super) fn is_handler(class: &str) -> bool {
    HANDLERS.iter().any(|known| class.ends_with(known))
}

/// What a token for MSK needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsIam {
    /// The region of the cluster, if the brokers' names have it. Otherwise `AWS_REGION` is asked.
    pub region: Option<String>,
    /// The region of STS: the option `awsStsRegion`, else that of the cluster.
    pub sts_region: Option<String>,
}

/// Reads the options of the login module.
pub(super) fn settings(jaas: Option<Jaas>, bootstrap: &[Address]) -> Result<AwsIam, ConfigError> {
    let mut options = jaas.map(|jaas| jaas.options).unwrap_or_default();
    for tuning in ["awsDebugCreds", "awsMaxRetries", "awsMaxBackOffTimeMs"] {
        options.remove(tuning);
    }
    let sts_region = options.remove("awsStsRegion").map(|region| region.expose().to_owned());
    if let Some(option) = options.into_keys().next() {
        let instead = "only awsStsRegion is: AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or the role of a pod, a task \
                       or a machine, says who logs in";
        let known = ["awsProfileName", "awsRoleArn", "awsRoleSessionName", "awsRoleExternalId"];
        let value = if known.contains(&option.as_str()) { option } else { shown(&option) };
        let instead = instead.to_owned();
        return Err(ConfigError::Unsupported { key: JAAS, value, instead });
    }
    let region = bootstrap.iter().find_map(|address| region_of(&address.host));
    let sound = |region: &str| region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if sts_region.as_deref().is_some_and(|region| !sound(region)) {
        let reason = "awsStsRegion is no name of a region";
        return Err(ConfigError::Malformed { key: JAAS, reason });
    }
    Ok(AwsIam { region, sts_region })
}

/// `b-1.NAME.ID.c2.kafka.REGION.amazonaws.com`; the part before the region is `kafka-serverless` without servers.
fn region_of(host: &str) -> Option<String> {
    let (rest, _) = host.split_once(".amazonaws.com")?;
    let mut labels = rest.rsplit('.');
    let region = labels.next()?;
    matches!(labels.next()?, "kafka" | "kafka-serverless").then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_in_the_names_of_brokers() {
        for (host, region) in [
            ("b-1.events.abc123.c2.kafka.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("boot-x1.c3.kafka-serverless.us-east-1.amazonaws.com", Some("us-east-1")),
            ("b-1-public.events.abc.c2.kafka.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("vpce-0a.example.eu-west-1.amazonaws.com", None),
            ("kafka.internal", None),
        ] {
            assert_eq!(region_of(host).as_deref(), region, "{host}");
        }
    }
}
