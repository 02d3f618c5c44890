//! `/config/topics/TOPIC`: the configs set on a topic itself.

use super::json;
use crate::error::ZnodeFault;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct ConfigWire {
    #[serde(default)]
    config: BTreeMap<String, String>,
}

pub(crate) fn config(data: &[u8]) -> Result<BTreeMap<String, String>, ZnodeFault> {
    Ok(json::<ConfigWire>(data)?.config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_are_text() {
        let read = config(br#"{"version":1,"config":{"retention.ms":"86400000"}}"#).unwrap();
        assert_eq!(read, BTreeMap::from([("retention.ms".to_owned(), "86400000".to_owned())]));
        assert!(config(br#"{"version":1,"config":{}}"#).unwrap().is_empty());
        assert!(matches!(config(br#"{"version":1,"config":{"a":1}}"#), Err(ZnodeFault::Json(_))));
    }
}
