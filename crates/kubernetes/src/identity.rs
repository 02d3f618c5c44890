//! The broker id of a pod: an ordered list of conventions. The first one that applies counts.
//!
//! In: a pod, its StatefulSet, its node and an [`Order`]. Out: an id with its source, or why there is none. A
//! convention that applies without a valid id is an error, never a reason to try the next one, because a wrong id moves
//! data.

use crate::facts::{EnvValue, Keys, NodeFacts, PodFacts, StatefulSetFacts};
use mapper::{BrokerId, joined};
use std::fmt;
use std::str::FromStr;

/// The last part of the annotation and label keys for a broker's id, and of those for the base.
const ID_KEY: &str = "broker-id";
const BASE_KEY: &str = "broker-id-base";
/// The variables from which the images of Apache, Confluent (the first two) and Bitnami read the id.
const ID_VARIABLES: [&str; 4] =
    ["KAFKA_BROKER_ID", "KAFKA_NODE_ID", "KAFKA_CFG_BROKER_ID", "KAFKA_CFG_NODE_ID"];
const BASE_VARIABLE: &str = "BROKER_ID_BASE";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
const STRIMZI_CLUSTER: &str = "strimzi.io/cluster";

/// The conventions to try, and the base of ordinals if no object sets one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// In order: the first one that applies counts.
    pub rules: Vec<Rule>,
    /// Added to ordinals if neither pod nor StatefulSet sets a base (`--broker-id-base`).
    pub base: u32,
}

impl Default for Order {
    fn default() -> Self {
        let rules = vec![
            Rule::Annotation(None),
            Rule::Label(None),
            Rule::Strimzi,
            Rule::Env(None),
            Rule::Ordinal,
            Rule::NodeLabel(None),
        ];
        Self { rules, base: 0 }
    }
}

/// One convention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A pod annotation. Without a key: any whose name is `broker-id` or ends in `/broker-id`.
    Annotation(Option<String>),
    /// A pod label. Without a key, as for annotations.
    Label(Option<String>),
    /// The number at the end of a Strimzi pod's name, which is its node id.
    Strimzi,
    /// A container's variable. Without a name: the variables of the usual images.
    Env(Option<String>),
    /// The pod's number in its StatefulSet plus the base.
    Ordinal,
    /// A label of the pod's node. Without a key: any whose name is `broker-id` or ends in `/broker-id`.
    NodeLabel(Option<String>),
}

/// An id and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The broker's id.
    pub id: BrokerId,
    /// Its source.
    pub by: IdentitySource,
}

/// The source of an id or a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// A pod annotation.
    Annotation(String),
    /// A pod label.
    Label(String),
    /// The name of a Strimzi pod.
    Strimzi,
    /// A container's variable.
    Env(String),
    /// A StatefulSet's annotation or label.
    StatefulSet(String),
    /// The flag, or its default.
    Flag,
    /// The number of the pod, plus a base.
    Ordinal {
        /// The number.
        ordinal: u32,
        /// The base.
        base: u32,
        /// The source of the base.
        base_by: Box<IdentitySource>,
    },
    /// A label of the node.
    NodeLabel(String),
}

/// Why a pod has no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A convention applies, but its value is not an id.
    #[error("{by} is {value:?}, which is no broker id from 0 to 2147483647")]
    NotAnId {
        /// The source of the value.
        by: IdentitySource,
        /// The value.
        value: String,
    },
    /// Two keys of one convention give different ids.
    #[error("{first} and {second} tell different ids")]
    Contradiction {
        /// One of them.
        first: IdentitySource,
        /// The other.
        second: IdentitySource,
    },
    /// A variable gets its value from another object.
    #[error("{by} is set from a {kind}, which is not read here")]
    Elsewhere {
        /// The variable.
        by: IdentitySource,
        /// `ConfigMap`, `Secret`, a field.
        kind: String,
    },
    /// Ordinal and base are more than Kafka's largest id.
    #[error("ordinal {ordinal} plus base {base} is more than the largest broker id, 2147483647")]
    TooLarge {
        /// The pod's number.
        ordinal: u32,
        /// The base.
        base: u32,
    },
    /// No convention applies.
    #[error("none of {} tells its id", joined(tried))]
    NoRule {
        /// The conventions that were tried.
        tried: Vec<Rule>,
    },
}

/// The id of the broker in this pod. The first convention that applies decides.
///
/// # Errors
/// Why the pod has no id.
pub fn broker_id(
    pod: &PodFacts,
    stateful_set: Option<&StatefulSetFacts>,
    node: Option<&NodeFacts>,
    order: &Order,
) -> Result<Identified, IdentityError> {
    for rule in &order.rules {
        let found = match rule {
            Rule::Annotation(key) => {
                in_keys(&pod.annotations, key.as_deref(), IdentitySource::Annotation)
            }
            Rule::Label(key) => in_keys(&pod.labels, key.as_deref(), IdentitySource::Label),
            Rule::Strimzi => by_strimzi(pod),
            Rule::Env(name) => in_env(pod, name.as_deref()),
            Rule::Ordinal => by_ordinal(pod, stateful_set, order.base),
            Rule::NodeLabel(key) => match node {
                Some(node) => in_keys(&node.labels, key.as_deref(), IdentitySource::NodeLabel),
                None => Ok(None),
            },
        }?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(IdentityError::NoRule { tried: order.rules.clone() })
}

type FoundId = Result<Option<Identified>, IdentityError>;

/// The id under this key, or under any key that is `broker-id` or ends in `/broker-id`.
fn in_keys(keys: &Keys, key: Option<&str>, source: fn(String) -> IdentitySource) -> FoundId {
    let mut found: Option<Identified> = None;
    for (name, value) in matching(keys, key, ID_KEY) {
        let one = identified(source(name.to_owned()), value)?;
        if let Some(first) = found.take_if(|first| first.id != one.id) {
            return Err(IdentityError::Contradiction { first: first.by, second: one.by });
        }
        found.get_or_insert(one);
    }
    Ok(found)
}

fn matching<'k>(
    keys: &'k Keys,
    key: Option<&'k str>,
    ending: &'static str,
) -> impl Iterator<Item = (&'k str, &'k str)> {
    let means = move |name: &str| match key {
        Some(key) => name == key,
        None => name.rsplit('/').next() == Some(ending),
    };
    let all = keys.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    all.filter(move |(name, _)| means(name))
}

/// Strimzi numbers all nodes of a cluster in one sequence, and the pod's name ends in that number. It needs no base.
fn by_strimzi(pod: &PodFacts) -> FoundId {
    let is_strimzi = pod.labels.contains_key(STRIMZI_CLUSTER) && pod.is_numbered();
    match number_at_end(&pod.name.name).filter(|_| is_strimzi) {
        Some(number) => identified(IdentitySource::Strimzi, number).map(Some),
        None => Ok(None),
    }
}

fn in_env(pod: &PodFacts, name: Option<&str>) -> FoundId {
    let named = |variable: &str| match name {
        Some(name) => variable == name,
        None => ID_VARIABLES.contains(&variable),
    };
    let mut found: Option<Identified> = None;
    for variable in pod.env.iter().filter(|variable| named(&variable.name)) {
        let one = identified_by_env(&variable.name, &variable.value)?;
        if let Some(first) = found.take_if(|first| first.id != one.id) {
            return Err(IdentityError::Contradiction { first: first.by, second: one.by });
        }
        found.get_or_insert(one);
    }
    Ok(found)
}

fn identified_by_env(name: &str, value: &EnvValue) -> Result<Identified, IdentityError> {
    let by = IdentitySource::Env(name.to_owned());
    match value {
        EnvValue::Text(text) => identified(by, text),
        EnvValue::Elsewhere(kind) => Err(IdentityError::Elsewhere { by, kind: kind.clone() }),
    }
}

fn by_ordinal(pod: &PodFacts, set: Option<&StatefulSetFacts>, flag: u32) -> FoundId {
    let index = pod.labels.get(POD_INDEX).map(String::as_str);
    let at_end = || number_at_end(&pod.name.name).filter(|_| pod.is_numbered());
    let Some(ordinal) = index.or_else(at_end) else {
        return Ok(None);
    };
    let ordinal = identified(IdentitySource::Label(POD_INDEX.to_owned()), ordinal)?.id.0;
    let (base, base_by) = base(pod, set, flag)?;
    let by = IdentitySource::Ordinal { ordinal, base, base_by: Box::new(base_by) };
    let sum = ordinal.checked_add(base).filter(|id| i32::try_from(*id).is_ok());
    let id = sum.map(BrokerId).ok_or(IdentityError::TooLarge { ordinal, base })?;
    Ok(Some(Identified { id, by }))
}

/// The base for ordinals: from the pod, else its StatefulSet, else a container, else the flag.
fn base(
    pod: &PodFacts,
    set: Option<&StatefulSetFacts>,
    flag: u32,
) -> Result<(u32, IdentitySource), IdentityError> {
    let told = |keys, source: fn(String) -> IdentitySource| {
        let (key, value) = matching(keys, None, BASE_KEY).next()?;
        Some(identified(source(key.to_owned()), value))
    };
    let of_pod = told(&pod.annotations, IdentitySource::Annotation)
        .or_else(|| told(&pod.labels, IdentitySource::Label));
    let of_set = || {
        let annotations = told(&set?.annotations, IdentitySource::StatefulSet);
        annotations.or_else(|| told(&set?.labels, IdentitySource::StatefulSet))
    };
    if let Some(found) = of_pod.or_else(of_set) {
        let found = found?;
        return Ok((found.id.0, found.by));
    }
    match pod.env.iter().find(|variable| variable.name == BASE_VARIABLE) {
        Some(variable) => {
            let found = identified_by_env(&variable.name, &variable.value)?;
            Ok((found.id.0, found.by))
        }
        None => Ok((flag, IdentitySource::Flag)),
    }
}

/// `kafka-events-3` gives 3.
fn number_at_end(name: &str) -> Option<&str> {
    let (_, number) = name.rsplit_once('-')?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(number)
}

fn identified(by: IdentitySource, value: &str) -> Result<Identified, IdentityError> {
    // Kafka's own -1 (generate an id) is not an id either.
    let id = value.trim().parse::<u32>().ok().filter(|id| i32::try_from(*id).is_ok());
    match id {
        Some(id) => Ok(Identified { id: BrokerId(id), by }),
        None => Err(IdentityError::NotAnId { by, value: value.to_owned() }),
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, key) = match text.split_once(':') {
            Some((kind, key)) if !key.is_empty() => (kind, Some(key.to_owned())),
            Some(_) => return Err(format!("{text:?} has a colon and no key after it")),
            None => (text, None),
        };
        match (kind, key) {
            ("annotation", key) => Ok(Self::Annotation(key)),
            ("label", key) => Ok(Self::Label(key)),
            ("env", key) => Ok(Self::Env(key)),
            ("node-label", key) => Ok(Self::NodeLabel(key)),
            ("strimzi", None) => Ok(Self::Strimzi),
            ("ordinal", None) => Ok(Self::Ordinal),
            _ => Err(format!(
                "{text:?} is none of annotation[:KEY], label[:KEY], strimzi, env[:NAME], ordinal, node-label[:KEY]"
            )),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key) = match self {
            Self::Annotation(key) => ("annotation", key.as_deref()),
            Self::Label(key) => ("label", key.as_deref()),
            Self::Strimzi => ("strimzi", None),
            Self::Env(key) => ("env", key.as_deref()),
            Self::Ordinal => ("ordinal", None),
            Self::NodeLabel(key) => ("node-label", key.as_deref()),
        };
        match key {
            Some(key) => write!(f, "{kind}:{key}"),
            None => f.write_str(kind),
        }
    }
}

impl fmt::Display for IdentitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation(key) => write!(f, "annotation {key}"),
            Self::Label(key) => write!(f, "label {key}"),
            Self::Strimzi => f.write_str("the number that Strimzi ends the pod's name with"),
            Self::Env(name) => write!(f, "variable {name}"),
            Self::StatefulSet(key) => write!(f, "{key} of the StatefulSet"),
            Self::Flag => f.write_str("--broker-id-base"),
            Self::Ordinal { ordinal, base, base_by } => {
                write!(f, "ordinal {ordinal} plus base {base} ({base_by})")
            }
            Self::NodeLabel(key) => write!(f, "node label {key}"),
        }
    }
}

#[cfg(test)]
mod tests;
