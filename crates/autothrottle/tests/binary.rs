//! The process itself: streams and exit codes.

use std::process::{Command, Output, Stdio};

fn autothrottle(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autothrottle"));
    command.args(args).env_clear().stdin(Stdio::null()).output().expect("the binary runs")
}

fn refused(args: &[&str]) -> String {
    refused_with(2, args)
}

fn refused_with(code: i32, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = autothrottle(args);
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(code), "{said}");
    assert!(stdout.is_empty());
    assert!(said.lines().any(|line| line.starts_with("error: ")), "{said}");
    said
}

#[test]
fn help_and_version_are_no_failures_with_one_dash_or_two() {
    for flag in ["-version", "--version", "-h", "--help", "-help"] {
        let Output { status, stdout, .. } = autothrottle(&[flag]);
        assert_eq!(status.code(), Some(0), "{flag}");
        assert!(String::from_utf8_lossy(&stdout).contains("autothrottle"), "{flag}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let state = ["-state-file", path.to_str().unwrap()];
    let with = |more: &[&str]| refused(&[&state, more].concat());
    assert!(with(&["-max-tx-rate=100"]).contains("below 100 percent"));
    assert!(with(&["-min-rate", "0"]).contains("above 0"));
    assert!(with(&["-api-listen", "0.0.0.0:0"]).contains("--api-token-file"));
    assert!(with(&["-cap-map", "{\"a\":0}"]).contains("a: 0 MB/s"));
    assert!(with(&["--no-such-flag"]).contains("--no-such-flag"));
}

#[test]
fn a_login_in_a_mistyped_url_is_not_shown() {
    for args in [
        ["-exporter-url", "http*//u:Tr0ub4dor&3'@h"],
        ["-exporter-url", "http://u:Tr0ub4dor&3{host}:1"],
        ["-sidecar-peers", "http:/u:Tr0ub4dor&3@h:x"],
        ["-api-listen", "http*//u:Tr0ub4dor&3@h"],
        ["-config", "http*//u:Tr0ub4dor&3@h"],
    ] {
        let said = refused(&args);
        assert!(!said.contains("Tr0ub4dor"), "{said}");
    }
}

#[test]
fn who_cannot_look_for_the_topic_is_told_what_does_without() {
    let said = refused_with(3, &["-bootstrap-servers", "127.0.0.1:1", "-api-listen", "none"]);
    assert!(said.contains("__mappr_state") && said.contains("--state-file"), "{said}");
}

#[test]
fn who_cannot_ask_for_other_daemons_sets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let away = ["-bootstrap-servers", "127.0.0.1:1", "-api-listen", "none", "-once"];
    let state = ["-state-file", path.to_str().unwrap()];
    let Output { status, stderr, .. } = autothrottle(&[&away[..], &state].concat());
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("whether another daemon leads in this cluster is not known"), "{said}");
    let both = refused(&[&state[..], &["-zookeeper", "127.0.0.1:1"]].concat());
    assert!(both.contains("cannot be used with"), "{both}");
}

#[test]
fn one_daemon_at_a_time_has_a_state_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let file = std::fs::File::create(&path).unwrap();
    file.lock().unwrap();
    let state = ["--state-file", path.to_str().unwrap(), "--api-listen", "none"];
    let Output { status, stderr, .. } = autothrottle(&state);
    assert_eq!(status.code(), Some(7), "{}", String::from_utf8_lossy(&stderr));
}

/// Each of them was cut to nothing.
#[test]
fn a_file_that_is_no_state_file_is_named_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let state = ["--state-file", path.to_str().unwrap(), "--api-listen", "none"];
    for (text, seems) in [
        ("hunter2", "text"),
        ("{\"version\":1,\"partitions\":[]}", "a plan or a partition map"),
        ("{\"version\":1,\"at\":\"2026-11-22T15:43:22Z\",\"entry\":\"detached\"", "a journal"),
        ("{\"version\":1,\"at\":\"2026-11-22T15:43:22Z\",\"ledger\":\"held\"", "a ledger"),
    ] {
        std::fs::write(&path, text).unwrap();
        for more in [&["--dry-run"][..], &[]] {
            let said = refused(&[&state, more].concat());
            assert!(said.contains("token is not a state file: it seems to be"), "{said}");
            assert!(said.contains(seems) && !said.contains("hunter2"), "{said}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

/// A file that may not grow fails as a full disk does, at any byte.
#[test]
fn a_disk_without_room_for_the_first_line_is_named_and_leaves_a_sound_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    for room in ["0", "1", "50"] {
        let limited = "trap '' XFSZ; exec prlimit --fsize=\"$1\" \"$0\" --state-file \"$2\" --api-listen none";
        let daemon = env!("CARGO_BIN_EXE_autothrottle");
        let arguments = ["-c", limited, daemon, room, path.to_str().unwrap()];
        let Output { status, stderr, .. } = Command::new("sh").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&stderr).into_owned();
        assert_eq!(status.code(), Some(3), "{said}");
        assert!(said.contains("takes no more lines") && said.contains("keep the file"), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "", "what was torn is taken away");
    }
}

#[test]
fn a_password_in_a_url_is_in_no_log_line_and_in_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let state = ["--state-file", path.to_str().unwrap(), "--api-listen", "none", "-vv"];
    let url = "http://alice:Tr0ub4dor&3@127.0.0.1:1";
    for more in [
        vec!["--prometheus-url", url, "--bootstrap-servers", "127.0.0.1:1"],
        vec![
            "--exporter-url",
            "http://alice:Tr0ub4dor&3@{host}:1",
            "--bootstrap-servers",
            "127.0.0.1:1",
        ],
        vec!["--exporter-url", "http://alice:Tr0ub4dor&3@{port}:1"],
        vec!["--prometheus-url", "ftp://alice:Tr0ub4dor&3@h"],
        vec![
            "--api-key",
            "Tr0ub4dor&3",
            "--app-key",
            "Tr0ub4dor&3",
            "--datadog-url",
            "http://u:Tr0ub4dor&3@h",
        ],
    ] {
        let mut command = Command::new("timeout");
        command.arg("3").arg(env!("CARGO_BIN_EXE_autothrottle")).args(state).args(&more);
        let ran = command.env_clear().stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(!said.is_empty() && !said.contains("Tr0ub4dor"), "{more:?}: {said}");
    }
}
