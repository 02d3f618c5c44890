//! The process itself: streams, exit codes, and a reader that goes away.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn topicmappr(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_topicmappr"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    command.current_dir(root).args(args).env_clear().stdin(Stdio::null());
    command
}

const NO_SPACE: [&str; 7] =
    ["rebuild", "--snapshot", "fixtures/no-space.json", "--topics", ".*", "--brokers", "-1"];

#[test]
fn an_error_goes_to_stderr_and_its_code_to_the_shell() {
    let Output { status, stdout, stderr } = topicmappr(&NO_SPACE).output().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(stdout.is_empty());
    assert!(String::from_utf8_lossy(&stderr).starts_with("error: no plan:"));
}

#[test]
fn a_program_that_reads_json_reads_errors_on_stdout() {
    let mut command = topicmappr(&NO_SPACE);
    let Output { stdout, stderr, .. } = command.env("TOPICMAPPR_OUTPUT", "json").output().unwrap();
    assert!(stderr.is_empty());
    let document: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(document["error"]["code"], "no-plan");
    assert_eq!(document["error"]["evidence"]["shortage"][0]["rack"], "eu-1c");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = topicmappr(&["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
}

#[test]
fn help_is_no_failure_and_nothing_to_do_is() {
    assert_eq!(topicmappr(&["--help"]).output().unwrap().status.code(), Some(0));
    assert_eq!(topicmappr(&[]).output().unwrap().status.code(), Some(2));
}

#[test]
fn an_image_without_certificates_reads_metrics_all_the_same() {
    let page = "http://127.0.0.1:1/metrics";
    let snapshot = "fixtures/three-racks.json";
    let mut command =
        topicmappr(&["metrics", "show", "--snapshot", snapshot, "--exporter-url", page]);
    command.args(["--rate-over", "0s"]);
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env(variable, "/nonexistent");
    }
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert!(said.contains("Connection refused"), "it gets as far as the page: {said}");
    assert_eq!(status.code(), Some(3));
}

const SECRET: &str = "Tr0ub4dor&3";

/// Every command without commands below it, as its words; found by asking for help.
fn commands(words: &[String]) -> Vec<Vec<String>> {
    let mut asked: Vec<&str> = words.iter().map(String::as_str).collect();
    asked.push("--help");
    let help = String::from_utf8_lossy(&topicmappr(&asked).output().expect("it starts").stdout)
        .into_owned();
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, listed)| listed);
    let names = listed.lines().take_while(|line| line.starts_with("  "));
    let names: Vec<&str> = names
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    if names.is_empty() {
        return vec![words.to_vec()];
    }
    names.iter().flat_map(|name| commands(&[words, &[(*name).to_owned()]].concat())).collect()
}

/// Files and flags that hold the secret, whole and broken, where somebody may put it by mistake.
fn leaks(folder: &Path) -> Vec<Vec<String>> {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text.replace("SECRET", SECRET)).expect("a file is written");
        path.display().to_string()
    };
    let login = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=u\n";
    let properties = [
        format!("{login}sasl.password=SECRET"),
        format!("{login}sasl.passwordSECRET\nsasl.password=SECRET"),
        format!("{login}ssl.key.pem=SECRET\nsasl.jaas.config=M required password=SECRET x;"),
        "security.protocol=SASL_SSL\\\nsasl.password=SECRET".to_owned(),
        "security.protocol=SSL\nssl.key.location=-----BEGIN PRIVATE KEY-----SECRET".to_owned(),
        "SECRET\nSECRET=SECRET".to_owned(),
    ];
    let broker =
        ["--bootstrap-server".to_owned(), "127.0.0.1:1".to_owned(), "--kafka-config".to_owned()];
    let mut all: Vec<Vec<String>> = (0..)
        .zip(properties)
        .map(|(n, text)| [&broker[..], &[file(&format!("{n}.properties"), &text)]].concat())
        .collect();
    let snapshot = ["--snapshot".to_owned(), "fixtures/three-racks.json".to_owned()];
    for text in [
        "api-key: [SECRET",
        "SECRET",
        "snapshot: {a: SECRET}",
        "prometheus-url: http://u:SECRET@h:x/",
    ] {
        let path = file(&format!("{}.yaml", all.len()), text);
        all.push(vec!["--config".to_owned(), path]);
    }
    let tokens = file("token", "SECRET\nSECRET");
    let kubeconfig = file("kubeconfig", "users: [{name: u, user: {token: SECRET\n  SECRET");
    for [flag, value] in [
        ["--prometheus-url", "http://u:SECRET@127.0.0.1:1"],
        ["--prometheus-url", "ftp://u:SECRET@h"],
        ["--prometheus-url", "http*//u:SECRET@h"],
        ["--exporter-url", "http://u:SECRET@{port}:1"],
        ["--exporter-url", "http*//u:SECRET'@h"],
        ["--exporter-url", "http://u:SECRET{host}:1"],
        ["--exporter-url", "http://{hots}:1/?api_key=SECRET"],
        ["--exporter-url", "http://127.0.0.1:1/?match=up&token=SECRET"],
        ["--config", "http*//u:SECRET@h/flags.yaml"],
        ["--placement", "//u:SECRET@h"],
        ["--datadog-url", "http://u:SECRET@h"],
        ["--sidecar-peers", "http://u:SECRET@h:x"],
        ["--autothrottle", "http://u:SECRET@127.0.0.1:1"],
        ["--autothrottle", "http://u:SECRET@127.0.0.1:x"],
        ["--prometheus-token-file", &tokens],
        ["--autothrottle-token-file", &tokens],
        ["--api-key-file", &tokens],
        ["--kubeconfig", &kubeconfig],
    ] {
        let pair = [flag.to_owned(), value.replace("SECRET", SECRET)];
        all.push([&snapshot[..], &pair].concat());
    }
    all
}

#[test]
fn no_command_shows_a_secret_that_stands_in_a_file_or_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    let all = commands(&[]);
    assert!(all.len() > 30, "{all:?}");
    let leaks = leaks(folder.path());
    let check = |words: &[String]| {
        let mut command = Command::new("timeout");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        command.current_dir(root).arg("3").arg(env!("CARGO_BIN_EXE_topicmappr")).args(words);
        command
            .env_clear()
            .env("TOPICMAPPR_PROMETHEUS_URL", format!("http://u:{SECRET}@127.0.0.1:1"));
        for key in ["DD_API_KEY", "DD_APP_KEY"] {
            command.env(key, SECRET);
        }
        let ran = command.stdin(Stdio::null()).output().unwrap();
        let said = [ran.stdout, ran.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        assert!(!said.concat().contains(SECRET), "{words:?}: {}", said.concat());
    };
    // Every command with some of them, and each of them with some commands; with this variable, every one with each.
    let share = if std::env::var_os("MAPPR_MUTATIONS").is_some() { 1 } else { 5 };
    for (index, command) in all.iter().enumerate() {
        check(&[&command[..], &["--help".to_owned()]].concat());
        for leak in leaks.iter().skip(index % share).step_by(share) {
            check(&[&command[..], leak, &["-vvv".to_owned()]].concat());
        }
    }
    // Those that ask a metrics system, to the end.
    let show = ["metrics", "show", "--rate-over", "0s", "--metrics-timeout", "1s", "-vvv"];
    let show: Vec<String> = show.map(str::to_owned).into();
    leaks.iter().for_each(|leak| check(&[&show[..], leak].concat()));
}
