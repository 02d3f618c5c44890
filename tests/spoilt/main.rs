//! Corrupted inputs of every kind. Each ends in an answer or in an error that names the fault. The program does not
//! panic or hang, does not use much memory, and leaves no file after an error. It obeys no terminal sequence in a file,
//! and shows no secret.
//!
//! Every build tries 100 inputs of each kind; `MAPPR_MUTATIONS` sets another number.

mod faults;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use topicmappr::{Environment, Streams};

/// Set in the child process whose memory is limited.
const LIMITED: &str = "MAPPR_TEST_LIMITED";
/// How much memory that process may map, in KiB, so that a mistake ends the process and not the machine.
const MAPPED: u32 = 2 << 20;
/// The highest peak of its resident memory, in KiB: 500 MiB.
const RESIDENT: u64 = 500 << 10;
const MUTATIONS: u64 = 100;
/// What one input may cost this process on its processors. A busy machine gives them late, but it adds nothing to this.
const LONGEST: Duration = Duration::from_secs(5);
/// After this long an input is not slow: it hangs, and would never return to be measured.
const HUNG: Duration = Duration::from_secs(60);
/// How many ticks of `/proc/self/stat` make a second, on every architecture that this runs on.
const TICKS: u64 = 100;
/// The input that runs now, and since when.
static RUNNING: Mutex<Option<(Instant, String)>> = Mutex::new(None);
/// No regex, no flag and no answer holds it by accident.
const SECRET: &str = "Tr0ub4dor&3";
/// The most replicas of one partition that a snapshot may hold.
const MOST_REPLICAS: u32 = 500;
const SNAPSHOT: &str = "fixtures/three-racks.json";

/// One kind of input: valid files, and the command lines that read them (`{}` is the file).
struct Kind {
    name: &'static str,
    ending: &'static str,
    sound: Vec<Vec<u8>>,
    commands: &'static [&'static str],
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(paths: &[&str]) -> Vec<Vec<u8>> {
    paths.iter().map(|path| fs::read(repository().join(path)).unwrap()).collect()
}

fn compressed(texts: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let one = |text: Vec<u8>| {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        to.write_all(&text).unwrap();
        to.finish().unwrap()
    };
    texts.into_iter().map(one).collect()
}

const SNAPSHOTS: [&str; 5] = [
    SNAPSHOT,
    "fixtures/reassigning.json",
    "fixtures/two-log-dirs.json",
    "fixtures/no-leader.json",
    "fixtures/failed-log-dir.json",
];
const OF_SNAPSHOTS: &[&str] = &[
    "rebuild --snapshot {} --topics .* --brokers -2 --out-file out.json",
    "rebalance --snapshot {} --topics .* --brokers -2 --out-file out.json",
    "rebuild --snapshot {} --topics .* --brokers -2 --force-rebuild --out-path .",
    "leaders --snapshot {} --topics .* --out-file out.json",
    "doctor --snapshot {}",
    "doctor --snapshot {} --output json",
    "snapshot --snapshot {} --out-file out.json",
];
const PROPERTIES: &str = "# A user's\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
    sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  username=\"alice\" \
    password=\"Tr0ub4dor&3\";\nssl.truststore.type=PEM\nssl.truststore.location=/no/ca.pem\n\
    request.timeout.ms=1000\nssl.endpoint.identification.algorithm=https\n";
const OTHER_PROPERTIES: &str = "bootstrap.servers=kafka:9092\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
    sasl.username=alice\nsasl.password=Tr0ub4dor&3\nssl.key.password:Tr0ub4dor&3\nclient.id = mappr\nacks=all\n";
const CONFIG: &str = "placement: count\nignore-warns: [no-rack, few-racks]\nsnapshot: fixtures/three-racks.json\n\
    prometheus-url: http://alice:Tr0ub4dor&3@127.0.0.1:1/\nexporter-url:\n  - http://u:Tr0ub4dor&3@{host}:1/metrics\n\
    replication: 2\ntolerance: 0.1\nbrokers: -2\ntopics: .*\n";

fn kinds() -> Vec<Kind> {
    let planned = |line: &str| {
        let ran = run(line, None);
        assert_eq!(ran.code, 0, "{line}: {}", ran.said);
        let plan = fs::read("out.json").unwrap();
        fs::remove_file("out.json").unwrap();
        plan
    };
    let plans = vec![
        planned(
            "rebuild --snapshot fixtures/three-racks.json --topics .* --brokers -2 --force-rebuild --out-file out.json",
        ),
        planned(
            "rebalance --snapshot fixtures/mixed-sizes.json --topics .* --brokers -2 --ignore-warns --out-file out.json",
        ),
    ];
    vec![
        Kind {
            name: "snapshots",
            ending: "json",
            sound: files(&SNAPSHOTS),
            commands: OF_SNAPSHOTS,
        },
        Kind {
            name: "compressed snapshots",
            ending: "json.gz",
            sound: compressed(files(&SNAPSHOTS)),
            commands: OF_SNAPSHOTS,
        },
        Kind {
            name: "maps",
            ending: "yaml",
            sound: files(&["maps/production.yaml", "maps/with-rest.yaml", "maps/lines.maps"]),
            commands: &[
                "rebuild --snapshot fixtures/whole.json --maps {} --out-file out.json",
                "maps check --maps {}",
                "maps show --snapshot fixtures/whole.json --maps {}",
                "maps resolve --snapshot fixtures/whole.json --maps {} --output json",
            ],
        },
        Kind {
            name: "plans",
            ending: "json",
            sound: [plans, files(&["tests/scripts/bad/other-tools-map.json"])].concat(),
            commands: &[
                "plan check {} --snapshot fixtures/three-racks.json",
                "plan show {} --moves",
                "plan diff {} {}",
                "plan explain {} --snapshot fixtures/three-racks.json",
                "plan report {} --snapshot fixtures/three-racks.json --out-file out.json",
            ],
        },
        Kind {
            name: "topic definitions",
            ending: "yaml",
            sound: files(&[
                "tests/scripts/topic-files/events.yaml",
                "tests/scripts/topic-files/wrong.yaml",
            ]),
            commands: &[
                "topics diff --snapshot fixtures/whole.json --maps maps/production.yaml --file {}",
            ],
        },
        Kind {
            name: "flags in files",
            ending: "yaml",
            sound: vec![CONFIG.as_bytes().to_vec()],
            commands: &[
                "rebuild --config {} --out-file out.json",
                "metrics show --config {} --rate-over 0s --metrics-timeout 1s",
            ],
        },
        Kind {
            name: "properties",
            ending: "properties",
            sound: vec![PROPERTIES.as_bytes().to_vec(), OTHER_PROPERTIES.as_bytes().to_vec()],
            commands: &[
                "rebuild --bootstrap-server 127.0.0.1:1 --kafka-config {} --topics .* --brokers -1 --out-file out.json",
            ],
        },
    ]
}

struct Ran {
    code: u8,
    said: String,
    /// Processor time.
    took: Duration,
}

fn run(line: &str, file: Option<&str>) -> Ran {
    let words = std::iter::once("topicmappr").chain(line.split(' '));
    let args = words
        .map(|word| OsString::from(file.map_or(word.to_owned(), |file| word.replace("{}", file))));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams {
        stdin: &mut std::io::empty(),
        out: &mut out,
        err: &mut err,
        in_is_terminal: false,
        out_is_terminal: false,
        err_is_terminal: false,
    };
    *RUNNING.lock().unwrap() = Some((Instant::now(), line.to_owned()));
    let before = used();
    let status = topicmappr::run(args, &Environment(BTreeMap::new()), &mut streams);
    let took = used() - before;
    *RUNNING.lock().unwrap() = None;
    out.extend(err);
    Ran { code: status.code(), said: String::from_utf8_lossy(&out).into_owned(), took }
}

/// The most processor time that one of the inputs took.
fn attack(kind: &Kind, count: u64) -> Duration {
    let mut random = StdRng::seed_from_u64(20_261_122);
    let file = format!("spoilt.{}", kind.ending);
    let mut slowest = Duration::ZERO;
    for round in 0..count {
        let sound = &kind.sound[random.random_range(0..kind.sound.len())];
        let spoilt = faults::spoil(sound, &mut random);
        fs::write(&file, &spoilt).unwrap();
        let line = kind.commands[random.random_range(0..kind.commands.len())];
        let before = names();
        let caught = std::panic::catch_unwind(|| run(line, Some(&file)));
        let about = || {
            fs::write("/tmp/mappr-spoilt-input", &spoilt).unwrap();
            format!("{}, input {round} (in /tmp/mappr-spoilt-input): {line}", kind.name)
        };
        let Ok(ran) = caught else { panic!("{}", about()) };
        slowest = slowest.max(ran.took);
        assert!(ran.took < LONGEST, "{}: {:?}", about(), ran.took);
        let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        assert!(!ran.said.contains(obeyed), "{}: {:?}", about(), ran.said);
        let hidden = is_astray(&spoilt) || !ran.said.contains(SECRET);
        assert!(hidden, "{}: {}", about(), ran.said);
        let after = names();
        if ran.code > 1 {
            assert_eq!(before, after, "{}: {}", about(), ran.said);
        }
        for new in after.iter().filter(|name| !before.contains(name)) {
            fs::remove_file(new).unwrap();
        }
    }
    slowest
}

/// Whether a fault moved the secret from its URL into the path of a snapshot. An error names such a path, and no program
/// could know what part of it is a secret.
fn is_astray(spoilt: &[u8]) -> bool {
    let text = String::from_utf8_lossy(spoilt);
    text.lines().any(|line| line.starts_with("snapshot:") && line.contains(SECRET))
}

/// A snapshot of `brokers` brokers in racks of this name, with one partition on all of them.
fn snapshot(brokers: u32, rack: &str, topics: &[&str]) -> String {
    let broker = |id| serde_json::json!({ "id": id, "rack": format!("{rack}{}", id % 3) });
    let all: Vec<u32> = (1..=brokers).collect();
    let topic = |name: &&str| serde_json::json!({ "name": name, "partitions": [{ "id": 0, "replicas": all, "isr": all, "size_bytes": 1 }] });
    let brokers: Vec<_> = (1..=brokers + 1).map(broker).collect();
    let topics: Vec<_> = topics.iter().map(topic).collect();
    serde_json::json!({ "version": 1, "brokers": brokers, "topics": topics }).to_string()
}

/// The inputs of an audit. Each once used too much memory, time or disk, or reached the terminal.
fn audited() {
    let rebuild =
        "rebuild --snapshot {} --topics .* --brokers -1 --force-rebuild --out-file out.json";
    let refused = |text: &str, line: &str, why: &str| {
        fs::write("input", text).unwrap();
        let ran = run(line, Some("input"));
        assert!(ran.code == 2 && ran.said.contains(why), "{line}: {}", ran.said);
        assert!(ran.took < LONGEST && !Path::new("out.json").exists(), "{line}: {:?}", ran.took);
    };
    refused(&snapshot(3000, "r", &["a"]), rebuild, "lists 3000 replicas in one list, more than");
    let two = snapshot(3, "r", &["a/b", "a_b"]);
    refused(
        &two,
        "rebuild --snapshot {} --topics .* --brokers -1 --out-path .",
        "\"a/b\" is no name of a topic",
    );
    let most = fs::write("input", snapshot(MOST_REPLICAS, "r", &["a"]))
        .map(|()| run(rebuild, Some("input")));
    assert!(most.is_ok_and(|ran| ran.took < LONGEST));
    let _ = fs::remove_file("out.json");
    fs::write("input", snapshot(3, "\u{1b}[2Jr", &["a"])).unwrap();
    for line in
        [rebuild, "doctor --snapshot {}", "rebuild --snapshot {} --topics \u{1b}[2J --brokers -1"]
    {
        let ran = run(line, Some("input"));
        assert!(!ran.said.contains('\u{1b}'), "{line}: {}", ran.said);
    }
    let ran = run("rebuild --placement \u{1b}[2J\u{9b}x", None);
    let shown = ran.said.contains("\\u009bx") && !ran.said.contains(['\u{1b}', '\u{9b}']);
    assert!(ran.code == 2 && shown, "{}", ran.said);
    let maps: String =
        (0..500).map(|n| format!("m{n}: \"t{n}-(\\w{{3}}){{5}}\" => [1001]\n")).collect();
    fs::write("large.maps", maps).unwrap();
    let ran = run("maps show --snapshot fixtures/three-racks.json --maps {}", Some("large.maps"));
    eprintln!(
        "500 large patterns: {:?}, peak {} KiB: {}",
        ran.took,
        peak(),
        ran.said.lines().next().unwrap_or("")
    );
    let zero = run("doctor --snapshot {}", Some("/dev/zero"));
    assert!(zero.code == 2 && zero.said.contains("it is no text"), "{}", zero.said);
}

fn names() -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(".").unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

/// The peak memory of this process, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The processor time of this process so far, in all its threads.
fn used() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program, in brackets, may hold spaces. The state follows it as the third field.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let [user, system] = [14, 15].map(|field| fields[field - 3].parse::<u64>().unwrap());
    Duration::from_millis((user + system) * 1000 / TICKS)
}

/// Ends this process when an input hangs, with or without the use of a processor.
fn watch() {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let running = RUNNING.lock().unwrap().clone();
            if let Some((_, line)) = running.filter(|(since, _)| since.elapsed() > HUNG) {
                eprintln!("hangs for {HUNG:?}, in {:?}: {line}", std::env::current_dir());
                std::process::exit(1);
            }
        }
    });
}

fn attack_all() {
    watch();
    let folder = tempfile::tempdir().unwrap();
    for name in ["fixtures", "maps", "tests"] {
        std::os::unix::fs::symlink(repository().join(name), folder.path().join(name)).unwrap();
    }
    std::env::set_current_dir(folder.path()).unwrap();
    let count = std::env::var("MAPPR_MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    audited();
    // One kind alone, for campaigns: they take minutes each.
    let only = std::env::var("MAPPR_MUTATED").ok();
    let chosen = |kind: &Kind| only.as_deref().is_none_or(|name| name == kind.name);
    for kind in kinds().into_iter().filter(chosen) {
        let begun = Instant::now();
        let slowest = attack(&kind, count);
        eprintln!(
            "{}: {count} in {:.1} s, the slowest {slowest:?}, peak {} KiB",
            kind.name,
            begun.elapsed().as_secs_f64(),
            peak()
        );
        assert!(peak() < RESIDENT, "{}: {} KiB", kind.name, peak());
    }
}

#[test]
fn no_spoilt_input_does_harm() {
    if std::env::var_os(LIMITED).is_some() {
        return attack_all();
    }
    // A spoilt address may belong to a stranger, so there is no network at all. To make such a namespace needs root.
    let limited = format!(
        "ulimit -v {MAPPED}; if unshare --net true; then exec unshare --net \"$0\" \"$@\"; fi; exec \"$0\" \"$@\""
    );
    let run = Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "no_spoilt_input_does_harm", "--nocapture", "--test-threads=1"])
        .envs([(LIMITED, "1"), ("RUST_BACKTRACE", "0")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    let said = &said[said.floor_char_boundary(said.len().saturating_sub(4000))..];
    eprintln!("{said}");
    assert!(run.status.success(), "{}: {said}", run.status);
}
