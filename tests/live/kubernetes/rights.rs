//! The shipped rights are sufficient and minimal: if any is missing, the error names it.

use std::path::Path;

use serde_json::{Value, json};
use testbed::kubernetes::Component;
use testbed::{Kubernetes, until};

use super::{ACCOUNT, RIGHTS, ZONES, furnish, run};
use crate::binary::json as json_file;
use crate::traffic::SOON;

const RESOLVE: [&str; 5] =
    ["maps", "resolve", "--maps", "configmap:kafka/topic-maps", "--output=json"];

/// The shipped manifests without one verb on one resource.
pub(crate) fn without(rights: &str, resource: &str, verb: &str) -> String {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(rights).unwrap();
    let mut removed = 0;
    let rules =
        documents.iter_mut().filter_map(|document| document.get_mut("rules")?.as_array_mut());
    for rule in rules.flatten().filter(|rule| rule["resources"] == json!([resource])) {
        let verbs = rule["verbs"].as_array_mut().unwrap();
        let before = verbs.len();
        verbs.retain(|own| own != verb);
        removed += before - verbs.len();
        if verbs.is_empty() {
            // A rule needs a verb. This one grants nothing that we use.
            *verbs = vec![json!("deletecollection")];
        }
    }
    assert_ne!(removed, 0, "{verb} {resource} is granted");
    documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

#[test]
#[ignore = "live"]
fn the_shipped_role_is_enough_and_a_missing_right_is_named() {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = furnish(&kubernetes);
    let resolved = run(&kubeconfig, &RESOLVE).with(0);
    let maps: Value = serde_json::from_str(&resolved.stdout).unwrap();
    let expected = |ids: std::ops::RangeInclusive<usize>| -> Vec<Value> {
        ids.map(|id| json!({"id": id, "rack": ZONES[(id - 1001) % 3]})).collect()
    };
    assert_eq!(
        maps,
        json!({"maps": [
            {"name": "map1", "brokers": expected(1001..=1006), "problems": []},
            {"name": "map2", "brokers": expected(1007..=1009), "problems": []},
        ]})
    );

    // The same, selected by the type of machines.
    let by_type = [
        "--map",
        "map1: \"events.*\" => 6x i3.4xlarge",
        "--map",
        "map2: \"logs.*\" => 3x i3.8xlarge",
    ];
    let resolved =
        run(&kubeconfig, &[&["maps", "resolve", "--output=json"], &by_type[..]].concat());
    assert_eq!(serde_json::from_str::<Value>(&resolved.with(0).stdout).unwrap(), maps);

    claims_tell_the_sizes_that_kafka_does_not(&kubernetes, &kubeconfig);
    for (resource, verb, said) in [
        ("pods", "list", "list pods in namespace kafka"),
        ("statefulsets", "list", "list statefulsets.apps in namespace kafka"),
        ("configmaps", "get", "get configmaps kafka/topic-maps"),
        ("nodes", "list", "list nodes"),
    ] {
        kubernetes.apply(&without(RIGHTS, resource, verb)).unwrap();
        let who = format!("system:serviceaccount:kafka:{ACCOUNT} may not {said}");
        let refused = until("the right to be gone", SOON, || {
            let ended = run(&kubeconfig, &RESOLVE);
            (ended.code != Some(0)).then_some(ended)
        });
        let refused = refused.unwrap().with(3);
        let error: Value = serde_json::from_str(&refused.stdout).unwrap();
        assert_eq!(error["error"]["code"], "kubernetes", "{error}");
        assert_eq!(error["error"]["message"], who, "{error}");
        let hint = error["error"]["hint"].as_str().unwrap();
        assert!(hint.starts_with(&format!("grant verb {verb} on {resource}")), "{hint}");
        kubernetes.apply(RIGHTS).unwrap();
        let again = || (run(&kubeconfig, &RESOLVE).code == Some(0)).then_some(());
        until("the right to be back", SOON, again).unwrap();
    }
}

/// A cluster as Kafka before 3.3 reports it: without the sizes of volumes.
fn claims_tell_the_sizes_that_kafka_does_not(kubernetes: &Kubernetes, kubeconfig: &Path) {
    let brokers = |id: i32| json!({"id": id, "rack": ZONES[(id as usize - 1001) % 3]});
    let partition = |id: i32| json!({"id": id, "replicas": [1001 + id % 2, 1002 + id % 2, 1003 + id % 2], "size_bytes": 1_000});
    let snapshot = json!({
        "version": 1, "brokers": (1001..=1006).map(brokers).collect::<Vec<_>>(),
        "topics": [{"name": "events.raw", "partitions": (0..6).map(partition).collect::<Vec<_>>()}],
    });
    let at = |name: &str| kubernetes.path().join(name).display().to_string();
    std::fs::write(at("old.json"), snapshot.to_string()).unwrap();
    let rebalance = || {
        let map = "map1: \"events.*\" => statefulSet kafka/kafka-events";
        let out = ["--out-file", &at("plan.json"), "--save-snapshot", &at("completed.json")];
        let args = ["rebalance", "--snapshot", &at("old.json"), "--map", map];
        run(kubeconfig, &[&args[..], &out[..]].concat())
    };
    rebalance().with(0);
    let completed = json_file(Path::new(&at("completed.json")));
    for broker in completed["brokers"].as_array().unwrap() {
        assert_eq!(broker["storage_total_bytes"], 100_i64 << 30, "{broker}");
    }
    // No right to list claims: the error names it.
    kubernetes.apply(&without(RIGHTS, "persistentvolumeclaims", "list")).unwrap();
    let unknown = until("the right to be gone", SOON, || {
        let ended = rebalance();
        (ended.code != Some(0)).then_some(ended)
    });
    unknown.unwrap().complaining_of("storage_total_bytes of broker 1001 is not known");
    kubernetes.apply(RIGHTS).unwrap();
}

#[test]
#[ignore = "live"]
fn an_api_that_is_down_and_a_stranger_are_told_apart() {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = furnish(&kubernetes);
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    let token = text.split("token").nth(1).unwrap().trim_matches([':', '"', ' ']);
    let token: String =
        token.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    assert!(token.len() > 20, "no token found in {text}");
    let stranger = kubernetes.path().join("stranger.kubeconfig");
    std::fs::write(&stranger, text.replace(&token, "of-nobody")).unwrap();
    run(&stranger, &RESOLVE[..4]).with(3).complaining_of("does not accept our credentials");

    kubernetes.stop(Component::ApiServer);
    run(&kubeconfig, &RESOLVE[..4])
        .with(3)
        .complaining_of("gives no answer to get configmaps kafka/topic-maps");
    run(&kubeconfig.with_extension("none"), &RESOLVE[..4]).with(2).complaining_of("cannot be used");
    let context = ["maps", "resolve", "--maps", "configmap:kafka/topic-maps", "--context", "other"];
    run(&kubeconfig, &context).with(2).complaining_of("other");
}
