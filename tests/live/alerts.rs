//! The chart's alerts and its dashboard, by Prometheus' own tool: alerts fire when they should, and every panel asks for metrics
//! that the programs have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use testbed::{Cluster, prometheus, until};

use crate::binary::json as json_of;
use crate::browser::Browser;
use crate::chart::rendered;
use crate::traffic::SOON;

/// A plan waits for two hours, replicas stall for twenty minutes, and keep does not look for an hour, in which no plan is
/// carried out.
const CASES: &str = r#"
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'topicmappr_keep_proposals{need="drift", state="ForApproval", instance="a"}', values: '1x120'}
      - {series: 'topicmappr_keep_proposals{need="lost-broker 3", state="Young", instance="a"}', values: '1x120'}
      - {series: 'topicmappr_keep_proposals{need="certificates", state="ByHand", instance="a"}', values: '0x5 1x5'}
      - {series: 'topicmappr_execution_stalled_replicas{instance="b"}', values: '2x20 0x100'}
      - {series: 'topicmappr_keep_looked_timestamp_seconds{instance="a"}', values: '0x120'}
      - {series: 'topicmappr_keep_looked_timestamp_seconds{instance="b"}', values: '0x120'}
      - {series: 'topicmappr_execution_plan_bytes{instance="b"}', values: '9x120'}
      - {series: 'autothrottle_failing_rounds{instance="c"}', values: '0x10 1x110'}
      - {series: 'autothrottle_stray_configs{instance="c"}', values: '0x120'}
    alert_rule_test:
      - eval_time: 59m
        alertname: KafkaPlanWaits
      - eval_time: 61m
        alertname: KafkaPlanWaits
        exp_alerts:
          - exp_labels: {need: drift, state: ForApproval, instance: a}
            exp_annotations: {summary: "A plan for drift waits for an approval: topicmappr plans list"}
      - eval_time: 5m
        alertname: KafkaNeedsOperator
      - eval_time: 7m
        alertname: KafkaNeedsOperator
        exp_alerts:
          - exp_labels: {need: certificates, state: ByHand, instance: a}
            exp_annotations: {summary: "certificates: the log of keep says what has to be done by hand"}
      - eval_time: 18m
        alertname: KafkaPlanStalls
        exp_alerts:
          - exp_labels: {instance: b}
            exp_annotations: {summary: Replicas of the plan that is carried out receive nothing}
      - eval_time: 30m
        alertname: KafkaPlanStalls
      - eval_time: 31m
        alertname: KeepDoesNotLook
        exp_alerts:
          - exp_labels: {instance: a}
            exp_annotations: {summary: keep has not looked at Kafka for half an hour}
      - eval_time: 15m
        alertname: AutothrottleFails
      - eval_time: 30m
        alertname: AutothrottleFails
        exp_alerts:
          - exp_labels: {instance: c}
            exp_annotations: {summary: "autothrottle decides no rates: its log says why"}
      - eval_time: 110m
        alertname: ThrottleNotAsWanted
"#;

fn chart() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/helm/topicmappr")
}

/// The queries of a dashboard's panels.
fn queries(dashboard: &Value) -> Vec<String> {
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(|target| target["expr"].as_str().unwrap().to_owned())
    });
    targets.collect()
}

/// Prometheus' tool, which is beside it.
fn promtool(args: &[&str], folder: &Path) -> String {
    let program = prometheus::program().unwrap().with_file_name("promtool");
    let ended = Command::new(&program).args(args).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{}: {said}", program.display());
    said.into_owned()
}

#[test]
#[ignore = "live"]
fn alerts_fire_when_they_should_and_each_panel_asks_for_metrics_that_exist() {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    fs::write(&values, "serviceMonitor: {rules: true, dashboard: true}").unwrap();
    let text = rendered(&[&values]).remove("prometheus.yaml").unwrap();
    let documents: Vec<Value> =
        text.split("\n---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    let [rule, dashboard] = documents.as_slice() else { panic!("{text}") };
    // JSON is YAML.
    fs::write(folder.path().join("rules.yaml"), rule["spec"].to_string()).unwrap();
    fs::write(folder.path().join("cases.yaml"), CASES).unwrap();
    promtool(&["test", "rules", "cases.yaml"], folder.path());

    let panels = dashboard["data"]["topicmappr.json"].as_str().unwrap();
    let panels: Value = serde_json::from_str(panels).unwrap();
    let asked = queries(&panels);
    assert!(asked.len() >= 10, "{asked:?}");
    let rule =
        |(at, expr): (usize, &String)| json!({"record": format!("panel_{at}"), "expr": expr});
    let rules: Vec<Value> = asked.iter().enumerate().map(rule).collect();
    let group = json!({"groups": [{"name": "panels", "rules": rules}]});
    fs::write(folder.path().join("panels.yaml"), group.to_string()).unwrap();
    promtool(&["check", "rules", "panels.yaml"], folder.path());
    let known = known_metrics();
    for expr in &asked {
        let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ours =
            words.filter(|it| it.starts_with("topicmappr_") || it.starts_with("autothrottle_"));
        for metric in ours {
            assert!(known.contains(metric), "{metric} of {expr}");
        }
    }
}

/// A real Prometheus with the chart's rules, which scrapes `keep` from now on.
pub(crate) fn prometheus_of_keep(cluster: &Cluster, listen: &str) -> String {
    let rules = fs::read_to_string(chart().join("rules.yaml")).unwrap();
    cluster.start_prometheus_of(listen, &rules).unwrap()
}

/// While `keep` carries a plan out, Prometheus has an answer to each of the dashboard's queries about it, and shows its alerts.
pub(crate) fn prometheus_draws_the_dashboard(prometheus: &str) {
    let panels = json_of(&chart().join("dashboard.json"));
    let all = queries(&panels).into_iter().filter(|expr| expr.contains("topicmappr_"));
    let all: Vec<String> = all.collect();
    assert!(all.len() >= 7, "{all:?}");
    let mut page = Browser::open(&format!("{prometheus}/classic/alerts"), (1200, 900), "light");
    page.await_words("KafkaPlanStalls");
    // Each graph is of the last minute.
    let answer = "{ const at = Date.now() / 1000; \
                  const range = `start=${at - 60}&end=${at}&step=1`; \
                  fetch(`/api/v1/query_range?query=${encodeURIComponent(EXPR)}&${range}`)\
                  .then(it => it.json()).then(it => it.data.result.length) }";
    for expr in &all {
        let answer = answer.replace("EXPR", &json!(expr).to_string());
        let told = || page.run(&answer).as_u64().filter(|series| *series > 0);
        until(expr.as_str(), SOON, told).unwrap();
    }
    let moves = json!(all.iter().find(|expr| expr.contains("_moves")).expect("a panel of moves"));
    let graph = "/classic/graph?g0.tab=0&g0.range_input=30s&g0.expr=";
    page.run(&format!("location = '{graph}' + encodeURIComponent({moves})"));
    page.await_words("{state=\"done\"}");
    page.picture_for_docs("keep-prometheus.png");
}

/// What the pages on `keep` and on `autothrottle` say that there is.
fn known_metrics() -> String {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
    ["keep.md", "autothrottle.md"].map(|page| fs::read_to_string(docs.join(page)).unwrap()).concat()
}
