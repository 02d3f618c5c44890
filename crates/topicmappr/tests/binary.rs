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
