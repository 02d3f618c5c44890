//! The default names of numbers on exporters' pages.
//!
//! In order of preference: the JMX exporter with its rules for Kafka, the JMX exporter without rules, and node
//! exporter's counters of the machine's network cards.

use crate::numbers::Number;
use crate::selector::Selector;
use std::collections::BTreeMap;

/// Only physical network cards. Bridges, tunnels and bonds over them would count the same bytes twice.
const CARDS: &str = r#"device!~"lo|veth.*|docker.*|br-.*|virbr.*|cali.*|cni.*|cilium.*|flannel.*|lxc.*|ovs.*|tun.*|tap.*|bond.*|dummy.*|kube-.*|nodelocaldns|.*\\..*""#;

/// Kafka's counter with that name for all topics. The counters of single topics have a label `topic`.
fn of_all_topics(short: &str) -> [String; 3] {
    of_topics(short, r#"topic="""#)
}

fn of_topics(short: &str, which: &str) -> [String; 3] {
    [
        format!("rate(kafka_server_brokertopicmetrics_{short}_total{{{which}}})"),
        format!("rate(kafka_server_brokertopicmetrics_{short}persec_count{{{which}}})"),
        format!(
            r#"rate(kafka_server_brokertopicmetrics_count{{name=~"(?i){short}PerSec",{which}}})"#
        ),
    ]
}

fn p99(request: &str) -> [String; 2] {
    [
        format!(
            r#"kafka_network_requestmetrics_totaltimems{{request="{request}",quantile="0.99"}}"#
        ),
        format!(
            r#"kafka_network_requestmetrics_99thpercentile{{name="TotalTimeMs",request="{request}"}}"#
        ),
    ]
}

/// All defaults. Free storage has none, because the broker's data directory is not known.
pub(super) fn selectors() -> BTreeMap<Number, Vec<Selector>> {
    let network = |way: &str| vec![format!("rate(node_network_{way}_bytes_total{{{CARDS}}})")];
    // The meter counts idle nanoseconds, so its growth per second is the idle share of that second.
    let idle = [
        "rate(kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_count_total) * 1e-9",
        "rate(kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_count) * 1e-9",
        r#"rate(kafka_server_kafkarequesthandlerpool_count{name="RequestHandlerAvgIdlePercent"}) * 1e-9"#,
        r#"kafka_server_kafkarequesthandlerpool_oneminuterate{name="RequestHandlerAvgIdlePercent"}"#,
        "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
    ];
    // Node exporter also has the second one, of its own process. Where both pages are read, its little CPU is counted, too.
    let cpu = [
        "rate(java_lang_operatingsystem_processcputime) * 1e-9",
        "rate(process_cpu_seconds_total)",
    ];
    let cores = "java_lang_operatingsystem_availableprocessors".to_owned();
    let sizes = ["kafka_log_log_size", r#"kafka_log_log_value{name="Size"}"#];
    let all = [
        (Number::Tx, network("transmit")),
        (Number::Rx, network("receive")),
        (Number::ClientOut, of_all_topics("bytesout").to_vec()),
        (Number::ClientIn, of_all_topics("bytesin").to_vec()),
        (Number::ReplicationOut, of_all_topics("replicationbytesout").to_vec()),
        (Number::ReplicationIn, of_all_topics("replicationbytesin").to_vec()),
        (Number::P99ProduceMs, p99("Produce").to_vec()),
        (Number::P99FetchMs, p99("FetchConsumer").to_vec()),
        (Number::RequestHandlerIdle, idle.map(str::to_owned).to_vec()),
        (Number::Cpu, cpu.map(str::to_owned).to_vec()),
        (Number::CpuTotal, vec![cores]),
        (Number::TopicOut, of_topics("bytesout", r#"topic!="""#).to_vec()),
        (Number::PartitionSize, sizes.map(str::to_owned).to_vec()),
    ];
    all.into_iter().map(|(number, texts)| (number, parsed(&texts))).collect()
}

fn parsed(texts: &[String]) -> Vec<Selector> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_selector() {
        let ranks: Vec<usize> = selectors().values().map(Vec::len).collect();
        assert_eq!(ranks, [1, 1, 3, 3, 3, 3, 2, 2, 5, 2, 1, 2, 3]);
    }
}
