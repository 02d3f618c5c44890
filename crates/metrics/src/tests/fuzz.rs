//! Twenty thousand corrupted answers of each kind: no panic, a short reason, and no more memory than the answer took.

use crate::exposition;
use crate::measured::BrokerMetrics;
use crate::numbers::{FoundNumbers, Number};
use crate::{Reading, datadog, prometheus};
use proptest::prelude::*;

const PAGE: &str = "# TYPE bytesin_total counter\nbytesin_total 2025640.0\nbytesin_total{topic=\"a\\\"b\\n\",} 1e6 1700000000000\n\
    p99{quantile=\"0.99\",request=\"Produce\"} NaN\nidle 8.5E10\n";
const VECTOR: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"a:1"},"value":[1700000000.5,"1.5"]},{"metric":{"topic":"t","partition":"0"},"value":[1,"NaN"]}]}}"#;
const SERIES: &str = r#"{"status":"ok","series":[{"scope":"host:i-1,service:kafka","tag_set":["host:i-1"],"pointlist":[[1700000000000.0,5.5],[1.0,null]]}],"error":""}"#;

/// One kind of corruption.
#[derive(Debug, Clone)]
enum Fault {
    Cut(prop::sample::Index),
    Put(prop::sample::Index, u8),
    Insert(prop::sample::Index, String),
    Remove(prop::sample::Index, usize),
    Double(prop::sample::Index, usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    let at = any::<prop::sample::Index>;
    let odd = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "null",
        "NaN",
        "+Inf",
        "-1",
        "1e999",
        "1e-999",
        "\n",
        "\u{0}",
        "é",
        ",",
        "=",
        " ",
        "99999999999999999999",
        "#",
        "\"\"",
    ]);
    prop_oneof![
        at().prop_map(Fault::Cut),
        (at(), any::<u8>()).prop_map(|(at, byte)| Fault::Put(at, byte)),
        (at(), odd).prop_map(|(at, text)| Fault::Insert(at, text.to_owned())),
        (at(), 1..40_usize).prop_map(|(at, count)| Fault::Remove(at, count)),
        (at(), 1..40_usize).prop_map(|(at, count)| Fault::Double(at, count)),
    ]
}

fn broken(sound: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(fault(), 1..6).prop_map(move |faults| {
        let mut bytes = sound.as_bytes().to_vec();
        for fault in faults {
            if bytes.is_empty() {
                break;
            }
            match fault {
                Fault::Cut(at) => bytes.truncate(at.index(bytes.len())),
                Fault::Put(at, byte) => {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                Fault::Insert(at, text) => {
                    let at = at.index(bytes.len());
                    bytes.splice(at..at, text.into_bytes());
                }
                Fault::Remove(at, count) => {
                    let at = at.index(bytes.len());
                    bytes.drain(at..bytes.len().min(at + count));
                }
                Fault::Double(at, count) => {
                    let at = at.index(bytes.len());
                    let piece = bytes[at..bytes.len().min(at + count)].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn broken_pages_end_in_samples_or_in_a_line(bytes in broken(PAGE)) {
        let page = String::from_utf8_lossy(&bytes);
        let mut numbers = FoundNumbers::new();
        let mut count = 0;
        for sample in exposition::samples(&page) {
            match sample {
                Ok(sample) => {
                    count += 1;
                    let held: usize = sample.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
                    prop_assert!(held <= page.len());
                    let number = Number::ALL[count % Number::ALL.len()];
                    numbers.insert(number, Reading::now(sample.value));
                }
                Err(reason) => {
                    prop_assert!(reason.starts_with("line ") && reason.len() < 60, "{}", reason);
                    break;
                }
            }
        }
        prop_assert!(count <= page.lines().count());
        let metrics = BrokerMetrics::of(&numbers);
        prop_assert!(metrics.request_handler_idle.is_none_or(|idle| idle.value <= mapper::Ratio::ONE));
    }

    #[test]
    fn broken_answers_of_prometheus_end_in_series_or_in_a_reason(bytes in broken(VECTOR)) {
        match prometheus::read(&bytes) {
            Ok(count) => prop_assert!(count <= bytes.len() / 10),
            Err(reason) => prop_assert!(!reason.is_empty() && reason.len() <= 200 + bytes.len()),
        }
    }

    #[test]
    fn broken_answers_of_datadog_end_in_series_or_in_a_reason(bytes in broken(SERIES)) {
        match datadog::read(&bytes) {
            Ok(count) => prop_assert!(count <= bytes.len() / 2),
            Err(reason) => prop_assert!(!reason.is_empty() && reason.len() <= 200 + bytes.len()),
        }
    }
}
