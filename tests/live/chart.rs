//! The Helm chart, with Helm's own code: it passes lint, its values are checked, it renders the plain manifests, and
//! the real API server accepts every object.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::Service;
use kube::api::{DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::{Access, Cluster, Kubernetes, Security, helm, until};

use crate::binary::{Run, command};
use crate::traffic::SOON;

/// Every example that works alone.
const EXAMPLES: [&str; 4] = ["brokers.yaml", "combined.yaml", "small.yaml", "zookeeper.yaml"];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn chart() -> PathBuf {
    deploy().join("helm/topicmappr")
}

fn example(name: &str) -> PathBuf {
    chart().join("examples").join(name)
}

/// The rendered manifests, by the name of their template.
pub(crate) fn rendered(values: &[&Path]) -> BTreeMap<String, String> {
    let text = helm::template(&chart(), values).unwrap();
    let documents = text.split("---\n# Source: topicmappr/templates/").skip(1);
    let split = |document: &str| {
        let (name, body) = document.split_once('\n').unwrap();
        (name.to_owned(), body.trim_matches('\n').to_owned() + "\n")
    };
    documents.map(split).collect()
}

/// `roll` restarts the servers whose template differs: those that run with an older config.
#[test]
#[ignore = "live"]
fn a_larger_ensemble_changes_the_template_of_its_servers() {
    let folder = tempfile::tempdir().unwrap();
    let (three, five) = (example("zookeeper.yaml"), folder.path().join("values.yaml"));
    fs::write(&five, "zookeeper: {replicas: 5}").unwrap();
    let hash = |values: &[&Path]| {
        let text = rendered(values).remove("zookeeper.yaml").unwrap();
        text.lines().find(|line| line.contains("topicmappr/config")).unwrap().to_owned()
    };
    assert_ne!(hash(&[&three]), hash(&[&three, &five]));
}

/// The shipped manifests: everything, with the brokers of one example and the ensemble of the other.
fn shipped() -> BTreeMap<String, String> {
    let mut all = rendered(&[&example("brokers.yaml")]);
    let mut zookeeper = rendered(&[&example("zookeeper.yaml")]);
    all.extend(zookeeper.remove_entry("zookeeper.yaml"));
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    fs::write(&values, "sidecar: {enabled: true}").unwrap();
    all.extend(rendered(&[&values]).remove_entry("autothrottle-sidecar.yaml"));
    assert!(!all.contains_key("autothrottle-nodes.yaml"), "a right that was not asked for");
    let label =
        "autothrottle: {enabled: true, flags: {cap-label: node.kubernetes.io/instance-type}}";
    fs::write(&values, label).unwrap();
    all.extend(rendered(&[&values]).remove_entry("autothrottle-nodes.yaml"));
    assert!(!all.contains_key("topics-deployments.yaml"), "a right that was not asked for");
    fs::write(&values, "topics: {deployments: [shop/billing]}").unwrap();
    all.extend(rendered(&[&values]).remove_entry("topics-deployments.yaml"));
    fs::write(&values, "load: {enabled: true}").unwrap();
    all.extend(rendered(&[&values]).remove_entry("load.yaml"));
    let definition = fs::read_to_string(chart().join("crds/kafkaplan.yaml")).unwrap();
    all.insert("kafkaplan.yaml".to_owned(), definition);
    all
}

#[test]
#[ignore = "live"]
fn the_chart_lints_and_refuses_values_that_it_does_not_know() {
    helm::lint(&chart(), &[]).unwrap();
    for name in EXAMPLES {
        helm::lint(&chart(), &[&example(name)]).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    for wrong in [
        "topics: {shedule: '@daily'}",
        "kafka: {bootstrapServers: kafka}",
        "brokers: {sets: [{name: kafka-events, replicas: 3}]}",
        "autothrottle: {flags: {Min_Rate: 10}}",
        "keep: {every: soon}",
        "topics: {deployments: [billing]}",
        "keep: {enabled: true, policy: {version: 1}}",
        "load: {keep: 2}",
        "sidecar: {logDirs: data}",
        "roll: {enable: true}",
        "controllers: {replicas: 2}",
        "brokers: {clusterId: too-short}",
        "image: topicmappr:0.1.0",
        "image: {repository: topicmappr, digest: sha256:0}",
    ] {
        fs::write(&values, wrong).unwrap();
        let refused = helm::template(&chart(), &[&values]).unwrap_err().to_string();
        assert!(refused.contains("values don't meet the specifications"), "{wrong}: {refused}");
    }
    let wrong = [
        ("brokers.yaml", "brokers: {quorumVoters: \"1@a:9093\"}", "brokers.quorumVoters"),
        ("brokers.yaml", "brokers: {zookeeper: \"a:2181\"}", "brokers.zookeeper"),
        ("combined.yaml", "controllers: {replicas: 3}", "not both"),
        ("brokers.yaml", "{load: {enabled: true}, planning: {enabled: false}}", "planning.enabled"),
    ];
    for (base, wrong, why) in wrong {
        fs::write(&values, wrong).unwrap();
        let refused = helm::template(&chart(), &[&example(base), &values]).unwrap_err();
        assert!(refused.to_string().contains(why), "{wrong}: {refused}");
    }
}

/// The pods of all objects: name and spec.
fn pods_of(all: &BTreeMap<String, String>) -> Vec<(String, Value)> {
    let objects = all.values().flat_map(|text| serde_saphyr::from_multiple::<Value>(text).unwrap());
    let templates = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let pods = objects.filter_map(|object| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        templates.iter().find_map(|path| object.pointer(path)).map(|spec| (name, spec.clone()))
    });
    pods.collect()
}

#[test]
#[ignore = "live"]
fn with_tls_every_container_of_ours_has_the_clients_secret() {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    for (wrong, why) in [
        ("security: {saslMechanism: PLAIN}", "security.tlsSecret"),
        ("security: {tlsSecret: kafka-tls}", "kafka.configSecret"),
    ] {
        fs::write(&values, wrong).unwrap();
        let refused = helm::template(&chart(), &[&example("brokers.yaml"), &values]).unwrap_err();
        assert!(refused.to_string().contains(why), "{wrong}: {refused}");
    }
    for base in ["brokers.yaml", "combined.yaml", "small.yaml", "zookeeper.yaml"] {
        helm::lint(&chart(), &[&example(base), &example("secure.yaml")]).unwrap();
        let mut clients = 0;
        for (name, pod) in pods_of(&rendered(&[&example(base), &example("secure.yaml")])) {
            let all = ["initContainers", "containers"].map(|kind| pod[kind].as_array());
            for container in all.into_iter().flatten().flatten() {
                let text = container.to_string();
                let of_quorum =
                    text.contains("--role=controller") || text.contains("--role=zookeeper");
                if !text.contains("topicmappr:0.1.0") || of_quorum {
                    continue;
                }
                clients += 1;
                assert!(text.contains("/etc/kafka-client/client.properties"), "{name}: {text}");
                assert!(text.contains("\"mountPath\":\"/etc/kafka-client\""), "{name}: {text}");
                assert!(!text.contains("localhost:909"), "not a name of its certificate: {text}");
            }
        }
        assert!(clients >= 4, "{base}: {clients} clients");
    }
}

/// Daemons of every kind have the operator's flags, also one that YAML would read as a map.
#[test]
#[ignore = "live"]
fn every_daemon_has_its_flags() {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    let flags = json!({"cap-map": "{\"default\": 1250}", "cap-label": "speed", "metrics": "none", "min-rate": 1_000_000, "canary": true});
    let own = json!({
        "autothrottle": {"enabled": true, "flags": flags}, "brokers": {"autothrottle": true},
        "sidecar": {"enabled": true}, "keep": {"enabled": true},
    });
    fs::write(&values, own.to_string()).unwrap();
    let all = rendered(&[&example("small.yaml"), &values]);
    let keep = &all["keep.yaml"];
    assert!(keep.contains("--canary=http://autothrottle:8080"), "it hears the canary: {keep}");
    let daemons: Vec<(String, String)> = pods_of(&all)
        .into_iter()
        .flat_map(|(name, pod)| {
            let containers = pod["containers"].as_array().unwrap().clone();
            containers.into_iter().map(move |container| (name.clone(), container))
        })
        .filter(|(_, container)| container["name"] == "autothrottle")
        .map(|(name, container)| (name, container["args"].to_string()))
        .collect();
    let names: Vec<&str> = daemons.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["kafka", "autothrottle", "kafka-events", "kafka-logs"]);
    for (name, args) in &daemons {
        for argument in [json!("--cap-map={\"default\": 1250}"), json!("--min-rate=1000000")] {
            assert!(args.contains(&argument.to_string()), "{name}: {args}");
        }
        // Next to a broker, it measures that broker.
        assert_eq!(args.contains("--metrics=none"), name == "autothrottle", "{args}");
    }
    let rights = &all["autothrottle-nodes.yaml"];
    for account in ["autothrottle", "kafka-broker"] {
        let subject = format!("- {{kind: ServiceAccount, name: {account}, namespace: kafka}}");
        assert_eq!(rights.matches(&subject).count(), 2, "{rights}");
    }
}

/// The config of brokers and controllers, and what their pods are started with.
#[test]
#[ignore = "live"]
fn controllers_of_every_kind_form_one_quorum() {
    for (name, ids) in [("brokers.yaml", 9000..9003), ("combined.yaml", 2000..2003)] {
        let all = rendered(&[&example(name)]);
        let objects: Vec<Value> = all
            .values()
            .flat_map(|text| serde_saphyr::from_multiple::<Value>(text).unwrap())
            .collect();
        let named = |kind: &str, name: &str| {
            let is_it = |o: &&Value| o["kind"] == kind && o["metadata"]["name"] == name;
            objects.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
        };
        let config =
            named("ConfigMap", "kafka-config")["data"]["server.properties"].as_str().unwrap();
        let quorum =
            config.lines().find_map(|l| l.strip_prefix("controller.quorum.bootstrap.servers="));
        let hosts: Vec<&str> = quorum.unwrap().split(',').collect();
        assert_eq!(hosts.len(), 3, "{config}");
        assert_eq!(named("ConfigMap", "kafka-in-use")["data"], Value::Null, "the cluster is new");
        let set = if name == "brokers.yaml" { "kafka-controller" } else { "kafka-logs" };
        let pod = &named("StatefulSet", set)["spec"]["template"]["spec"];
        let format = pod["initContainers"].as_array().unwrap().last().unwrap();
        let env = |name: &str| {
            let env = format["env"].as_array().unwrap().iter();
            env.clone().find(|env| env["name"] == name).unwrap()["value"].as_str().unwrap()
        };
        assert!(env("ROLES").ends_with("controller"));
        assert_eq!(env("CLUSTER_ID").len(), 22, "16 bytes in base64");
        // Kafka's own notation of a voter: ID@HOST:PORT:DIRECTORY.
        for ((voter, id), host) in env("FIRST_VOTERS").split(',').zip(ids).zip(hosts) {
            let rest =
                voter.strip_prefix(&format!("{id}@{host}:")).unwrap_or_else(|| panic!("{voter}"));
            assert_eq!(rest.len(), 22, "{voter}");
        }
    }
}

#[test]
#[ignore = "live"]
fn a_digest_takes_the_place_of_the_tag() {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    let digest = format!("sha256:{}", "0".repeat(64));
    fs::write(&values, format!("image: {{digest: \"{digest}\"}}")).unwrap();
    for (name, text) in rendered(&[&example("brokers.yaml"), &values]) {
        let lines = text.lines().map(str::trim);
        let images: Vec<&str> =
            lines.filter(|line| line.starts_with("image: topicmappr")).collect();
        let pinned = format!("image: topicmappr@{digest}");
        assert!(images.iter().all(|image| *image == pinned), "{name}: {images:?}");
    }
}

#[test]
#[ignore = "live"]
fn the_plain_manifests_are_what_the_chart_renders() {
    let folder = deploy().join("manifests");
    let rendered = shipped();
    if std::env::var_os("BLESS").is_some() {
        for (name, text) in &rendered {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let there = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> = there.map(|name| name.to_string_lossy().into_owned()).collect();
    let names: BTreeSet<String> = rendered.keys().cloned().collect();
    assert_eq!(there, names, "each manifest is the chart's");
    for (name, text) in rendered {
        let found = fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(found, text, "{name}: BLESS=1 writes it anew");
    }
}

/// Everything that Prometheus' operator watches: daemon, keep and brokers.
fn watched_by_prometheus() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    fs::write(
        &values,
        "keep: {enabled: true}\nserviceMonitor: {enabled: true, labels: {release: prometheus}}",
    )
    .unwrap();
    let mut all = rendered(&[&example("brokers.yaml"), &values]);
    ["autothrottle.yaml", "brokers.yaml", "keep.yaml"].map(|name| all.remove(name).unwrap()).into()
}

/// Each ServiceMonitor selects the right Services, and these have the scraped port.
fn everything_watched_has_a_service(kubernetes: &Kubernetes) {
    let found = kubernetes.run("ServiceMonitors and Services", |client| async move {
        let kind = GroupVersionKind::gvk("monitoring.coreos.com", "v1", "ServiceMonitor");
        let (kind, _) = pinned_kind(&client, &kind).await?;
        let monitors = Api::<DynamicObject>::namespaced_with(client.clone(), "kafka", &kind);
        let services = Api::<Service>::namespaced(client, "kafka");
        let all = ListParams::default();
        Ok((monitors.list(&all).await?.items, services.list(&all).await?.items))
    });
    let (monitors, services) = found.unwrap();
    let names: Vec<String> = monitors.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["autothrottle", "topicmappr-brokers", "topicmappr-keep"]);
    for monitor in &monitors {
        assert_eq!(monitor.labels()["release"], "prometheus");
        let spec = &monitor.data["spec"];
        let wanted = spec["selector"]["matchLabels"].as_object().unwrap();
        let port = spec["endpoints"][0]["port"].as_str().unwrap();
        let selected: Vec<&Service> = services
            .iter()
            .filter(|service| {
                let has = |(key, value): (&String, &Value)| {
                    service.labels().get(key).is_some_and(|own| own == value)
                };
                wanted.iter().all(has)
            })
            .collect();
        let scraped = selected.into_iter().filter(|service| {
            let mut ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
            ports.any(|own| own.name.as_deref() == Some(port))
        });
        let scraped: Vec<String> = scraped.map(ResourceExt::name_any).collect();
        let wanted: &[&str] = match monitor.name_any().as_str() {
            "autothrottle" => &["autothrottle"],
            "topicmappr-keep" => &["topicmappr-keep"],
            _ => &["kafka-events", "kafka-logs"],
        };
        assert_eq!(scraped, wanted, "{spec:#}");
    }
}

/// The NetworkPolicies for these values: the ports that each opens, by its name.
fn policies(values: &str) -> BTreeMap<String, Vec<Value>> {
    policies_of("zookeeper.yaml", values)
}

fn policies_of(base: &str, values: &str) -> BTreeMap<String, Vec<Value>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    fs::write(&file, values).unwrap();
    let all = rendered(&[&example(base), &file]);
    let objects = all.values().flat_map(|text| serde_saphyr::from_multiple::<Value>(text).unwrap());
    let policies = objects.filter(|object| object["kind"] == "NetworkPolicy");
    policies
        .map(|policy| {
            assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Ingress"]));
            let name = policy["metadata"]["name"].as_str().unwrap().to_owned();
            (name, policy["spec"]["ingress"].as_array().unwrap().clone())
        })
        .collect()
}

#[test]
#[ignore = "live"]
fn the_ports_of_probes_and_of_sidecars_are_closed_to_strangers() {
    let open = |rules: &[Value]| -> BTreeSet<u64> {
        let to_all = rules.iter().filter(|rule| rule["from"].is_null());
        let ports = to_all.flat_map(|rule| rule["ports"].as_array().unwrap());
        ports.map(|port| port["port"].as_u64().unwrap()).collect()
    };
    let daemon = "autothrottle: {enabled: true}";
    let shown = policies(&format!("{daemon}\nbrokers: {{autothrottle: true}}"));
    assert_eq!(open(&shown["topicmappr-brokers"]), [9092, 9094].into());
    assert_eq!(open(&shown["topicmappr-zookeeper"]), [2181].into());
    assert_eq!(open(&shown["autothrottle"]), [].into());
    let sidecars = shown["topicmappr-brokers"].iter().find(|rule| rule["ports"][0]["port"] == 8081);
    assert_eq!(sidecars.unwrap()["from"].as_array().unwrap().len(), 2);
    for base in ["brokers.yaml", "combined.yaml"] {
        let shown = policies_of(base, "{}");
        let own = shown.get("topicmappr-controllers").unwrap_or(&shown["topicmappr-brokers"]);
        let rule = own.iter().find(|rule| rule["ports"][0]["port"] == 9093).unwrap();
        assert!(rule["from"].is_array(), "{base}: {rule}");
    }
    let from = |values: &str| policies(values)["autothrottle"][0]["from"].as_array().unwrap().len();
    assert_eq!(from(daemon), 1);
    let scraped = format!("{daemon}\nserviceMonitor: {{enabled: true}}");
    assert_eq!(from(&scraped), 2);
    let scrapers = "networkPolicy: {scrapers: [{namespaceSelector: {}}, {podSelector: {}}]}";
    assert_eq!(from(&format!("{scraped}\n{scrapers}")), 3);
    assert_eq!(policies(&format!("{daemon}\nnetworkPolicy: {{enabled: false}}")), BTreeMap::new());
}

/// What no account may do, and what each account may do.
fn accounts_may_do_what_they_need_and_no_more(kubernetes: &Kubernetes) {
    let asks = [
        ("topicmappr-roll", "delete pods", "kafka-events-0", false),
        ("topicmappr-roll", "create pods/eviction", "kafka-events-0", true),
        ("topicmappr-roll", "update leases", "topicmappr-execute", true),
        ("topicmappr-roll", "update leases", "another", false),
        ("topicmappr-execute", "update leases", "topicmappr-execute", true),
        ("topicmappr-execute", "update leases", "another", false),
        ("topicmappr-keep", "update leases", "topicmappr-execute", true),
        ("topicmappr-keep", "update leases", "another", false),
        ("topicmappr-keep", "delete pods", "kafka-events-0", false),
        ("topicmappr-topics", "get configmaps", "topic-maps", true),
        ("topicmappr-topics", "get configmaps", "another", false),
        ("topicmappr-planning", "get configmaps", "another", false),
        ("topicmappr-planning", "get secrets", "autothrottle-token", false),
        ("kafka-broker", "update configmaps", "kafka-in-use", true),
        ("kafka-broker", "update configmaps", "another", false),
        // Restricted only by a label. A separate namespace keeps other ConfigMaps away.
        ("topicmappr-topics", "list configmaps", "", true),
    ];
    for (account, ask, name, may) in asks {
        assert_eq!(allowed(kubernetes, account, ask, name), may, "{account}: {ask} {name}");
    }
    // With its ConfigMaps named, and with the right to delete.
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    fs::write(&values, "{topics: {configMaps: [events]}, roll: {enabled: true, delete: true}}")
        .unwrap();
    let mut named = rendered(&[&values]);
    let topics = named.remove("topics.yaml").unwrap();
    assert!(topics.contains("--file=/topics/events") && !topics.contains("selector"), "{topics}");
    for text in [topics, named.remove("roll.yaml").unwrap()] {
        kubernetes.apply(&text).unwrap();
    }
    let after = [
        ("topicmappr-topics", "list configmaps", "", false),
        ("topicmappr-roll", "delete pods", "kafka-events-0", true),
    ];
    for (account, ask, name, may) in after {
        let changed = || (allowed(kubernetes, account, ask, name) == may).then_some(());
        until(format!("{account}: {ask}: {may}"), SOON, changed).unwrap();
    }
}

/// The answer of the API's own authorizer for an account.
fn allowed(kubernetes: &Kubernetes, account: &str, ask: &str, name: &str) -> bool {
    let (verb, what) = ask.split_once(' ').unwrap();
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    let group = if resource == "leases" { "coordination.k8s.io" } else { "" };
    let review = json!({"spec": {
        "user": format!("system:serviceaccount:kafka:{account}"),
        "resourceAttributes": {"namespace": "kafka", "verb": verb, "group": group,
            "resource": resource, "subresource": subresource, "name": name},
    }});
    let review: SubjectAccessReview = serde_json::from_value(review).unwrap();
    let answer = kubernetes.run("a review", |client| async move {
        Ok(Api::all(client).create(&PostParams::default(), &review).await?)
    });
    answer.unwrap().status.unwrap().allowed
}

/// Pod Security's strictest profile accepts the pods of every template, and each of our containers has limits.
fn every_pod_is_restricted(kubernetes: &Kubernetes) {
    kubernetes.service_account("restricted", "stranger").unwrap();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    kubernetes.apply(&namespace.to_string()).unwrap();
    let mut shipped = shipped();
    // It is a patch for an operator's own StatefulSet, so it has no pod of its own.
    shipped.remove("autothrottle-sidecar.yaml").unwrap();
    let mut texts: Vec<String> = shipped.into_values().collect();
    for name in EXAMPLES {
        texts.extend(rendered(&[&example(name)]).into_values());
        texts.extend(rendered(&[&example(name), &example("secure.yaml")]).into_values());
    }
    let objects = texts.iter().flat_map(|text| serde_saphyr::from_multiple::<Value>(text).unwrap());
    let mut pods = 0;
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let templates = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
        let Some(spec) = templates.iter().find_map(|path| object.pointer(path)) else { continue };
        let mut spec = spec.clone();
        spec["serviceAccountName"] = json!("stranger");
        let claims = object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
        for claim in claims.into_iter().flatten() {
            let volume = json!({"name": claim["metadata"]["name"], "emptyDir": {}});
            let mut volumes = spec["volumes"].as_array().cloned().unwrap_or_default();
            volumes.push(volume);
            spec["volumes"] = volumes.into();
        }
        for container in ["initContainers", "containers"] {
            for container in spec[container].as_array().into_iter().flatten() {
                let limit = &container["resources"]["limits"]["memory"];
                assert!(limit.is_string(), "no limit of {name}: {}", container["name"]);
            }
        }
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{name}-{pods}"), "namespace": "restricted"}, "spec": spec});
        kubernetes.apply(&pod.to_string()).unwrap_or_else(|why| panic!("{name}: {why}"));
        pods += 1;
    }
    assert!(pods >= 20, "{pods} templates");
    let bare = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "bare", "namespace": "restricted"},
        "spec": {"serviceAccountName": "stranger", "containers": [{"name": "a", "image": "a"}]}});
    let refused = kubernetes.apply(&bare.to_string()).unwrap_err().to_string();
    assert!(refused.contains("violates PodSecurity"), "the profile is in force: {refused}");
}

/// Every object of every example, each in a namespace of its own: StatefulSets of one name differ in what cannot be changed.
fn every_example_is_accepted(kubernetes: &Kubernetes) {
    for name in EXAMPLES {
        let namespace = name.trim_end_matches(".yaml");
        kubernetes.service_account(namespace, "stranger").unwrap();
        for (template, text) in rendered(&[&example(name)]) {
            for mut object in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
                if let Some(own) = object.pointer_mut("/metadata/namespace") {
                    *own = json!(namespace);
                }
                // A port of the nodes belongs to one Service.
                if let Some(port) = object.pointer_mut("/spec/ports/0") {
                    port.as_object_mut().unwrap().remove("nodePort");
                }
                let accepted = kubernetes.apply(&object.to_string());
                accepted.unwrap_or_else(|why| panic!("{name}, {template}: {why}"));
            }
        }
    }
}

/// Applied twice: the API server's version of an object must not contradict the manifest.
#[test]
#[ignore = "live"]
fn a_real_api_takes_every_object_and_the_brokers_are_as_safe_as_they_are_meant_to_be() {
    let kubernetes = Kubernetes::start().unwrap();
    for namespace in ["kafka", "shop"] {
        kubernetes.service_account(namespace, "stranger").unwrap();
    }
    kubernetes.add_service_monitors().unwrap();
    let mut shipped = shipped();
    // It is a patch for an operator's own StatefulSet; sidecars.rs applies it.
    shipped.remove("autothrottle-sidecar.yaml").unwrap();
    let mut texts: Vec<String> = shipped.into_values().collect();
    // With the daemon in each broker's pod.
    texts.extend(rendered(&[&example("zookeeper.yaml")]).remove("brokers.yaml"));
    texts.extend(watched_by_prometheus());
    for text in texts {
        kubernetes.apply(&text).unwrap();
        kubernetes.apply(&text).unwrap();
    }
    everything_watched_has_a_service(&kubernetes);
    accounts_may_do_what_they_need_and_no_more(&kubernetes);
    every_example_is_accepted(&kubernetes);
    every_pod_is_restricted(&kubernetes);
    let sets: Vec<Value> = kubernetes
        .run("the StatefulSets", |client| async move {
            let sets = Api::<StatefulSet>::namespaced(client, "kafka");
            let found = sets.list(&Default::default()).await?;
            Ok(found.items.iter().map(|set| serde_json::to_value(set).unwrap()).collect())
        })
        .unwrap();
    let names: Vec<&Value> = sets.iter().map(|set| &set["metadata"]["name"]).collect();
    assert_eq!(names, ["kafka", "kafka-controller", "kafka-events", "kafka-logs", "zookeeper"]);
    for set in &sets {
        let spec = &set["spec"];
        assert_eq!(spec["updateStrategy"]["type"], "OnDelete");
        assert_eq!(spec["podManagementPolicy"], "Parallel");
        let pod = &spec["template"]["spec"];
        assert!(pod["affinity"]["podAntiAffinity"].is_object(), "{pod:#}");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert!(pod["containers"][0][probe].is_object(), "{probe} of {pod:#}");
        }
        // No other process may cause its kill (issue 20, finding 12).
        let own = &pod["containers"][0]["ports"][0]["name"];
        for probe in ["startupProbe", "livenessProbe"] {
            assert_eq!(pod["containers"][0][probe]["tcpSocket"]["port"], *own, "{pod:#}");
        }
    }
    assert_eq!(sets[2]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 600);
}

/// Runs the command of the certificates' CronJob with its environment, without Kubernetes.
#[test]
#[ignore = "live"]
fn the_cronjob_of_certificates_finds_what_has_to_be_renewed_without_a_right_in_kubernetes() {
    let text = fs::read_to_string(deploy().join("manifests/certificates.yaml")).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let kinds: Vec<&Value> = objects.iter().map(|object| &object["kind"]).collect();
    assert_eq!(kinds, ["ServiceAccount", "CronJob"], "an account without rights");
    let pod = &objects[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false, "nor a token");
    assert_eq!(pod["serviceAccountName"], objects[0]["metadata"]["name"]);
    let container = &pod["containers"][0];
    assert_eq!(container["env"][0]["name"], "TOPICMAPPR_BOOTSTRAP_SERVER");
    let args: Vec<String> = serde_json::from_value(container["args"].clone()).unwrap();

    let cluster = Cluster::builder().brokers(1).racks([""; 0]).security(Security::Authenticated);
    let cluster = cluster.start().unwrap();
    let client = cluster.client(&Access::Plaintext);
    let job = |warn: &str| {
        let mut job = command();
        let args = args.iter().map(|arg| match arg.starts_with("--warn-before=") {
            true => format!("--warn-before={warn}"),
            false => arg.clone(),
        });
        job.args(args).args(["--ca", cluster.tls().join("ca.crt").to_str().unwrap()]);
        // As in a pod without a token: there is no Kubernetes API.
        job.env("TOPICMAPPR_BOOTSTRAP_SERVER", &client.bootstrap).env_remove("KUBECONFIG");
        Run::of(job).end()
    };
    job("1d").with(0);
    let due = job("36500d").with(5);
    assert!(due.stdout.contains("expires"), "{}", due.stdout);
}
