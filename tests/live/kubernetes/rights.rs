//! The shipped rights are enough, and none of them is too many: each one missing is named.

use serde_json::{Value, json};
use testbed::kubernetes::Component;
use testbed::{Kubernetes, until};

use super::{ACCOUNT, RIGHTS, ZONES, furnish, run};
use crate::traffic::SOON;

const RESOLVE: [&str; 5] =
    ["maps", "resolve", "--maps", "configmap:kafka/topic-maps", "--output=json"];

/// The shipped manifests without one verb on one resource.
fn without(resource: &str, verb: &str) -> String {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(RIGHTS).unwrap();
    let mut removed = 0;
    let rules =
        documents.iter_mut().filter_map(|document| document.get_mut("rules")?.as_array_mut());
    for rule in rules.flatten().filter(|rule| rule["resources"] == json!([resource])) {
        let verbs = rule["verbs"].as_array_mut().unwrap();
        let before = verbs.len();
        verbs.retain(|own| own != verb);
        removed += before - verbs.len();
        if verbs.is_empty() {
            // A rule needs a verb; this one grants nothing that is asked for.
            *verbs = vec![json!("deletecollection")];
        }
    }
    assert_eq!(removed, 1, "{verb} {resource} is granted once");
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

    for (resource, verb, said) in [
        ("pods", "list", "list pods in namespace kafka"),
        ("statefulsets", "list", "list statefulsets.apps in namespace kafka"),
        ("configmaps", "get", "get configmaps kafka/topic-maps"),
        ("nodes", "list", "list nodes"),
    ] {
        kubernetes.apply(&without(resource, verb)).unwrap();
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
