//! The disk of journals and ledgers is really full. Acknowledged lines are still there afterwards, and everything
//! starts again.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use testbed::{Mode, lone_port};

use crate::autothrottle::DAEMON;
use crate::binary::{self, Ended, Run, SOLE};
use crate::daemon::Daemon;
use crate::execution::throttles;
use crate::executors::{Situation, moved, situation};
use crate::traffic::Traffic;

/// The size of a kernel page. A smaller disk has no room at all.
const PAGE: usize = 4096;
/// The growth of the limit per run, in bytes: less than two lines.
const STEP: usize = 250;

/// A disk of 64 KiB, mounted here for the programs that run in its namespace. In a separate user namespace it needs no
/// root. Where a container forbids that, root mounts it without one.
struct Disk {
    keeper: Child,
    /// The namespaces in which it is visible.
    namespaces: &'static [&'static str],
    at: PathBuf,
}

impl Disk {
    fn mount(at: &str) -> Self {
        fs::create_dir(at).unwrap();
        let ways: [(&[&str], &[&str]); 2] = [
            (
                &["--user", "--map-root-user", "--mount"],
                &["--user", "--preserve-credentials", "--mount"],
            ),
            (&["--mount"], &["--mount"]),
        ];
        let mut why = String::new();
        for (made, namespaces) in ways {
            match keeper(made, at) {
                Ok(keeper) => return Self { keeper, namespaces, at: PathBuf::from(at) },
                Err(said) => why += &said,
            }
        }
        panic!("a tmpfs cannot be mounted in a namespace of our own (unshare, mount): {why}");
    }

    /// The same program with the disk visible. None of its files grows beyond the limit, and the error is the one of a
    /// full disk.
    fn seen_by(&self, program: &Command, limit: Option<usize>) -> Command {
        let limit = limit.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let heard = format!("trap '' XFSZ; exec prlimit --fsize={limit} \"$0\" \"$@\"");
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.keeper.id().to_string()]).args(self.namespaces);
        command.args(["--", "sh", "-c", &heard]);
        command.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Its path from our own namespace.
    fn file(&self, name: &str) -> PathBuf {
        let root = Path::new("/proc").join(self.keeper.id().to_string()).join("root");
        root.join(self.at.strip_prefix("/").unwrap()).join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn fill(&self) {
        let mut filler = File::create(self.file("filler")).unwrap();
        while filler.write_all(&[0; PAGE]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.file("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// A process that keeps the disk while it runs, or its error output.
fn keeper(namespaces: &[&str], at: &str) -> Result<Child, String> {
    let mount = "mount -t tmpfs -o size=64k tmpfs \"$0\" && echo mounted && exec sleep 3600";
    let mut keeper = Command::new("unshare")
        .args(namespaces)
        .args(["sh", "-c", mount, at])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut said).unwrap();
    if said == "mounted\n" {
        return Ok(keeper);
    }
    let _ = keeper.kill();
    keeper.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let _ = keeper.wait();
    Err(said)
}

/// Its complete lines.
fn whole(text: &str) -> &str {
    &text[..text.rfind('\n').map_or(0, |end| end + 1)]
}

fn execute(situation: &Situation, disk: &Disk, more: &[&str], limit: Option<usize>) -> Ended {
    let mut command = binary::command();
    command.args(situation.execute("disk/a", "100MB/s", &[&[SOLE], more].concat()));
    Run::of(disk.seen_by(&command, limit)).end()
}

/// First on a disk without any room, then with a little more in each run, until it succeeds.
fn an_execution_starts_again_wherever_the_disk_was_full(situation: &Situation, disk: &Disk) {
    let partitions = [(moved(), vec![1001])].into();
    let before = throttles(&situation.cluster, &partitions);
    disk.fill();
    let full = execute(situation, disk, &[], None).with(3);
    full.complaining_of("takes no more lines").complaining_of("make room on that disk");
    assert_eq!(Traffic::of(&situation.cluster).seen()[&moved()].replicas, [1001]);
    disk.free();

    let texts = || ["a.journal", "a.ledger"].map(|name| disk.text(name));
    let (mut then, mut failures) = (texts(), 0);
    for more in 1..40 {
        let longest = then.iter().map(String::len).max().unwrap();
        let ended = execute(situation, disk, &["--resume"], Some(longest + more * STEP));
        let now = texts();
        for (then, now) in then.iter().zip(&now) {
            assert!(now.starts_with(whole(then)), "lines are gone:\n{then}\n---\n{now}");
        }
        then = now;
        if ended.code == Some(0) {
            break;
        }
        ended.with(3).complaining_of("takes no more lines");
        failures += 1;
    }
    eprintln!("{failures} runs ended where the disk was full");
    assert!(failures > 2, "no disk was full:\n{}\n{}", then[0], then[1]);
    execute(situation, disk, &["--resume"], None).with(0);
    assert_eq!(Traffic::of(&situation.cluster).seen()[&moved()].replicas, [1002]);
    assert_eq!(throttles(&situation.cluster, &partitions), before);
}

fn start(situation: &Situation, disk: &Disk) -> Daemon {
    let (bootstrap, port) = (situation.cluster.bootstrap(), lone_port().unwrap());
    let (listen, state) = (format!("127.0.0.1:{port}"), situation.at("disk/daemon.state"));
    let mut command = binary::daemon();
    command.args(["--bootstrap-servers", &bootstrap, "--api-listen", &listen]);
    command.args(["--state-file", &state]).args(DAEMON);
    let log = PathBuf::from(situation.at("autothrottle.log"));
    let run = Run::logging(disk.seen_by(&command, None), &log);
    Daemon::once_ready(run, port, log, None)
}

/// Sets one rate after the other until the disk is full. Returns the last accepted one.
fn ask_until_it_is_full(daemon: &Daemon) -> Option<u32> {
    let mut taken = None;
    for rate in 1..200 {
        let (status, said) =
            daemon.try_ask("POST", &format!("/throttle/1002?rate={rate}")).unwrap();
        if status != 200 {
            assert_eq!(status, 503, "{said}");
            assert!(said.contains("nothing was changed") && said.contains("No space"), "{said}");
            return taken;
        }
        taken = Some(rate);
    }
    panic!("the disk is never full: {}", daemon.said());
}

fn a_daemon_keeps_what_it_has_acknowledged(situation: &Situation, disk: &Disk) {
    let daemon = start(situation, disk);
    disk.fill();
    let stands = |daemon: &Daemon, taken: Option<u32>| {
        let told = daemon.ask("GET", "/throttle/1002");
        let expected =
            taken.map_or("no throttle override".to_owned(), |rate| format!("{rate}MB/s"));
        assert!(told.contains(&expected), "{told}\n{}", daemon.said());
    };
    let taken = ask_until_it_is_full(&daemon);
    assert!(taken.is_some(), "the first page has room for more than one line");
    stands(&daemon, taken);
    assert_eq!(daemon.try_ask("POST", "/throttle/1002?rate=7").unwrap().0, 503);
    disk.free();
    // It continues by itself, and the torn line leaves no trace.
    daemon.ask("POST", "/throttle/1002?rate=555");
    disk.fill();
    let taken = ask_until_it_is_full(&daemon).or(Some(555));
    daemon.kill();
    disk.free();
    let daemon = start(situation, disk);
    stands(&daemon, taken);
    daemon.ask("POST", "/throttle/remove/1002");
    assert_eq!(daemon.leave().0, Some(143));
}

#[test]
#[ignore = "live"]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let situation = situation(Mode::KRaft);
    let disk = Disk::mount(&situation.at("disk"));
    an_execution_starts_again_wherever_the_disk_was_full(&situation, &disk);
    a_daemon_keeps_what_it_has_acknowledged(&situation, &disk);
}
