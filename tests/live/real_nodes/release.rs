//! A release of the chart on real nodes, and what an operator runs beside it.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{Image, Nodes, Version, helm, until};

use crate::traffic::SOON;

const KAFKA_PLAN: &str = include_str!("../../../deploy/manifests/kafkaplan.yaml");
/// Brokers and controllers.
const SERVERS: &str = "app.kubernetes.io/component in (broker, controller)";
pub(super) const BROKERS: &str = "app.kubernetes.io/component=broker";
pub(super) const CONTROLLERS: &str = "app.kubernetes.io/component=controller";
const PASSWORD: &str = "Tr0ub4dor=&3";
/// The names of the certificate that all nodes share.
const NAMES: &str = "DNS:kafka-bootstrap.kafka.svc,DNS:*.kafka-events.kafka.svc,DNS:*.kafka-logs.kafka.svc,\
                     DNS:*.kafka-controller.kafka.svc";
/// Longer than any command here takes.
const LONG: Duration = Duration::from_secs(1_200);
/// Of the records that fill a topic.
const RECORD: usize = 50_000;
/// Of a Job's container.
const OWN_NAMES: &str = r#"[
    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
]"#;

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/helm/topicmappr")
}

fn openssl(folder: &Path, args: &str) {
    let ran = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{args}: {}", String::from_utf8_lossy(&ran.stderr));
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// How a Job ended, and what it printed.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) succeeded: bool,
    pub(super) printed: String,
}

/// Nodes with the images, the namespace `kafka` and the Secrets of docs/chart.md.
pub(super) struct Release {
    nodes: Nodes,
    folder: TempDir,
    addresses: Vec<Ipv4Addr>,
}

impl Release {
    pub(super) fn prepare(zones: &[(&str, &str)]) -> Self {
        let nodes = Nodes::start(zones).unwrap();
        nodes.load(&Image::kafka(Version::V4_3)).unwrap();
        nodes.load(&Image::ours()).unwrap();
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let metadata = json!({"name": "kafka", "labels": labels});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        nodes.kubernetes().apply(&namespace.to_string()).unwrap();
        // `helm install` would do that, and not for an object that is there.
        nodes.kubernetes().apply(KAFKA_PLAN).unwrap();
        let addresses = zones.iter().map(|(name, _)| nodes.address(name).unwrap()).collect();
        let release = Self { nodes, folder: tempfile::tempdir().unwrap(), addresses };
        let authority =
            format!("req -x509 {NEW_KEY} -days 2 -subj /CN=ca -keyout ca.key -out ca.crt");
        openssl(release.path(), &authority);
        release.renew_certificate();
        release.secret("kafka-users", json!({"topicmappr": PASSWORD}));
        let client =
            json!({"client.properties": release.client(), "ca.crt": release.read("ca.crt")});
        release.secret("kafka-client", client);
        release
    }

    pub(super) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The properties of every pod's client.
    pub(super) fn client(&self) -> String {
        format!(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
             username=\"topicmappr\" password=\"{PASSWORD}\";\n\
             ssl.truststore.type=PEM\nssl.truststore.location=/etc/kafka-client/ca.crt\n"
        )
    }

    pub(super) fn secret(&self, name: &str, data: Value) {
        let metadata = json!({"name": name, "namespace": "kafka"});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data});
        self.nodes.kubernetes().apply(&secret.to_string()).unwrap();
    }

    /// Puts a new certificate of the same authority into the Secret, for brokers and for clients outside.
    pub(super) fn renew_certificate(&self) {
        let folder = self.path();
        openssl(
            folder,
            &format!("req -new {NEW_KEY} -subj /CN=kafka -keyout tls.key -out tls.csr"),
        );
        let outside: String = self.addresses.iter().map(|ip| format!(",IP:{ip}")).collect();
        let names =
            format!("subjectAltName={NAMES}{outside}\nextendedKeyUsage=serverAuth,clientAuth\n");
        fs::write(folder.join("names"), names).unwrap();
        let sign = "x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2";
        openssl(folder, &format!("{sign} -extfile names -out tls.crt"));
        let [key, certificate, ca] = ["tls.key", "tls.crt", "ca.crt"].map(|name| self.read(name));
        let both = format!("{key}{certificate}");
        let data =
            json!({"tls.key": key, "tls.crt": certificate, "ca.crt": ca, "tls-combined.pem": both});
        self.secret("kafka-tls", data);
    }

    /// What `helm upgrade` would do: the two examples, and these values.
    pub(super) fn apply(&self, values: &str) {
        let files = self.values(values);
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let text = helm::template(&chart(), &files).unwrap();
        self.nodes.kubernetes().apply(&text).unwrap();
    }

    /// Helm itself: `helm install`, or another of its commands, with the two examples and these values.
    pub(super) fn helm(&self, what: &str, values: &str) {
        let mut helm = helm::command().unwrap();
        helm.args([what, "topicmappr"]).arg(chart()).args(["--namespace", "kafka", "--kubeconfig"]);
        helm.arg(self.nodes.kubeconfig());
        for file in self.values(values) {
            helm.arg("--values").arg(file);
        }
        for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            helm.env(home, self.path().join("helm"));
        }
        let ran = helm.output().unwrap();
        let said = [ran.stdout, ran.stderr].map(|out| String::from_utf8_lossy(&out).into_owned());
        assert!(ran.status.success(), "helm {what}: {}\n{}", said[0], said[1]);
        println!("== helm {what}\n{}", said[0]);
    }

    fn values(&self, own: &str) -> [PathBuf; 3] {
        let path = self.path().join("values.yaml");
        fs::write(&path, own).unwrap();
        let [small, secure] =
            ["small.yaml", "secure.yaml"].map(|name| chart().join("examples").join(name));
        [small, secure, path]
    }

    /// Waits until so many brokers and controllers are ready.
    pub(super) fn is_ready(&self, servers: usize) {
        let ready = self.nodes.kubernetes().ready_pods("kafka", SERVERS, servers);
        ready.unwrap_or_else(|why| panic!("{why}\n{}", last_words(&self.nodes)));
    }

    /// Runs a CronJob's pod now, and returns what it printed.
    pub(super) fn run_now(&self, cronjob: &str) -> String {
        let wanted = cronjob.to_owned();
        let found = self.nodes.kubernetes().run("the CronJob", |client| async move {
            Ok(Api::<CronJob>::namespaced(client, "kafka").get(&wanted).await?)
        });
        let template = found.unwrap().spec.unwrap().job_template.spec;
        let name = format!("{cronjob}-now");
        let metadata = json!({"name": name, "namespace": "kafka"});
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template});
        let Ran { succeeded, printed } = self.job(&name, &job.to_string());
        assert!(succeeded, "{name}: {printed}");
        printed
    }

    /// Creates a Job, and waits for its end.
    pub(super) fn job(&self, name: &str, text: &str) -> Ran {
        let kubernetes = self.nodes.kubernetes();
        kubernetes.apply(text).unwrap();
        let ended = || {
            let wanted = name.to_owned();
            let found = kubernetes.run("the Job", |client| async move {
                Ok(Api::<Job>::namespaced(client, "kafka").get(&wanted).await?)
            });
            let conditions = found.unwrap().status?.conditions?;
            let is =
                |kind: &str| conditions.iter().any(|it| it.type_ == kind && it.status == "True");
            is("Complete").then_some(true).or(is("Failed").then_some(false))
        };
        let succeeded = until(format!("end of {name}"), LONG, ended);
        let printed = self.printed_by(name);
        let succeeded = succeeded.unwrap_or_else(|why| panic!("{why}\n{printed}"));
        println!("== {name}\n{printed}");
        Ran { succeeded, printed }
    }

    /// What the last pod of a Job printed.
    fn printed_by(&self, job: &str) -> String {
        let labels = format!("batch.kubernetes.io/job-name={job}");
        let pods = self.nodes.kubernetes().run("pods of the Job", |client| async move {
            let labels = ListParams::default().labels(&labels);
            Ok(Api::<Pod>::namespaced(client, "kafka").list(&labels).await?.items)
        });
        let last = pods.unwrap().into_iter().max_by_key(Pod::creation_timestamp);
        let log = last.map(|pod| self.nodes.logs("kafka", &pod.name_any(), ""));
        log.transpose().unwrap_or_default().unwrap_or_default()
    }

    /// Runs a command in a pod, as one of the chart's service accounts. The ConfigMap `plan` is in `/plan`, if there is one.
    pub(super) fn run(&self, name: &str, account: &str, args: &[&str]) -> Ran {
        let container = json!({"image": Image::ours().name(), "args": args, "env": [
            {"name": "TOPICMAPPR_BOOTSTRAP_SERVER", "value": "kafka-bootstrap.kafka.svc:9092"},
            {"name": "TOPICMAPPR_KAFKA_CONFIG", "value": "/etc/kafka-client/client.properties"},
        ]});
        self.container(name, account, container)
    }

    /// Runs one of Kafka's own tools in a pod.
    pub(super) fn kafka_tool(&self, name: &str, script: &str) -> Ran {
        let container = json!({
            "image": Image::kafka(Version::V4_3).name(), "command": ["/bin/sh", "-ec", script],
            "env": [{"name": "LOG_DIR", "value": "/work"}],
        });
        self.container(name, "default", container)
    }

    fn container(&self, name: &str, account: &str, mut container: Value) -> Ran {
        let own: Vec<Value> = serde_json::from_str(OWN_NAMES).unwrap();
        container["env"].as_array_mut().unwrap().extend(own);
        container["name"] = "run".into();
        container["securityContext"] =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        container["workingDir"] = "/work".into();
        container["volumeMounts"] = json!([
            {"name": "kafka-client", "mountPath": "/etc/kafka-client", "readOnly": true},
            {"name": "certificate", "mountPath": "/etc/kafka-tls", "readOnly": true},
            {"name": "work", "mountPath": "/work"},
            {"name": "plan", "mountPath": "/plan", "readOnly": true},
        ]);
        let pod = json!({
            "serviceAccountName": account, "restartPolicy": "Never", "containers": [container],
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [
                {"name": "kafka-client", "secret": {"secretName": "kafka-client"}},
                {"name": "certificate", "secret": {
                    "secretName": "kafka-tls", "items": [{"key": "tls.crt", "path": "tls.crt"}],
                }},
                {"name": "work", "emptyDir": {}},
                {"name": "plan", "configMap": {"name": "plan", "optional": true}},
            ],
        });
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "kafka"},
            "spec": {"backoffLimit": 0, "template": {"spec": pod}},
        });
        self.job(name, &job.to_string())
    }

    /// The brokers' pods, by name.
    pub(super) fn brokers(&self) -> BTreeMap<String, Pod> {
        let found = self.nodes.kubernetes().run("the brokers", |client| async move {
            let labels = ListParams::default().labels(BROKERS);
            Ok(Api::<Pod>::namespaced(client, "kafka").list(&labels).await?.items)
        });
        found.unwrap().into_iter().map(|pod| (pod.name_any(), pod)).collect()
    }

    /// A client outside of the cluster: it reaches each broker by a port of its node.
    pub(super) fn outside(&self, first_port: u16) -> ClientConfig {
        let brokers = self.brokers();
        let of = |(at, pod): (u16, &Pod)| {
            let host = pod.status.as_ref()?.host_ip.clone()?;
            Some(format!("{host}:{}", first_port + at))
        };
        let addresses: Vec<String> = (0..).zip(brokers.values()).filter_map(of).collect();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", addresses.join(","))
            .set("security.protocol", "SASL_SSL")
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", "topicmappr")
            .set("sasl.password", PASSWORD)
            .set("ssl.ca.location", self.path().join("ca.crt").display().to_string());
        config
    }
}

/// Writes so many bytes, spread over the partitions of a topic.
pub(super) fn fill(config: &ClientConfig, topic: &str, partitions: usize, bytes: usize) {
    let producer: BaseProducer = config.create().unwrap();
    let payload: Vec<u8> = (0..RECORD).map(|at| (at * 7919 % 251) as u8).collect();
    for at in 0..bytes / RECORD {
        let record = BaseRecord::<(), [u8]>::to(topic).partition((at % partitions) as i32);
        let mut record = Some(record.payload(&payload));
        while let Some(again) = record.take() {
            record = producer.send(again).err().map(|(_, again)| again);
            producer.poll(Duration::from_millis(1));
        }
    }
    producer.flush(SOON).unwrap();
}

/// Deletes a pod of these, and waits until its successor has taken its place.
pub(super) fn restart(nodes: &Nodes, labels: &str, pod: &Pod) {
    let (name, old) = (pod.name_any(), pod.uid());
    let deleted = nodes.kubernetes().run("a pod to go", |client| async move {
        let pods = Api::<Pod>::namespaced(client, "kafka");
        pods.delete(&name, &DeleteParams::default()).await?;
        Ok(())
    });
    deleted.unwrap();
    let name = pod.name_any();
    let successor = nodes.kubernetes().pods("its successor", "kafka", labels, move |pods| {
        pods.iter().any(|pod| pod.name_any() == name && pod.uid() != old).then_some(())
    });
    successor.unwrap();
}

/// The ends of the logs of all servers, for a failure.
pub(super) fn last_words(nodes: &Nodes) -> String {
    let pods = nodes.kubernetes().run("the servers", |client| async move {
        Ok(Api::<Pod>::namespaced(client, "kafka").list(&Default::default()).await?.items)
    });
    let mut text = String::new();
    for pod in pods.unwrap() {
        let spec = pod.spec.clone().unwrap_or_default();
        let all = spec.init_containers.into_iter().flatten().chain(spec.containers);
        for container in all {
            let log = nodes.logs("kafka", &pod.name_any(), &container.name).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(12)..].join("\n");
            text += &format!("== {} {}\n{last}\n", pod.name_any(), container.name);
        }
    }
    text
}
