//! Processes that end with the process that started them.
//!
//! There are two safeguards. Dropping a [`Process`] kills it, on return and on panic. A [`Warden`], a small separate
//! shell process, kills the rest when the starting process ends without dropping (SIGINT, SIGTERM, SIGKILL, or a
//! `static`).
//!
//! A death signal of the kernel (`PR_SET_PDEATHSIG`) does not work here. It fires when the *thread* that started the
//! server ends, and each test has its own thread.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::error::{Error, file};
use crate::wait::until;

const LAUNCH: &str = include_str!("sh/launch.sh");
const WARDEN: &str = include_str!("sh/warden.sh");

/// Kills everything that was started in a folder, and removes the folder, when this value is dropped or its process
/// ends.
#[derive(Debug)]
pub(crate) struct Warden {
    folder: PathBuf,
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Warden {
    /// Guards `folder`, which must exist.
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        Self::start(folder, Stdio::null())
    }

    /// The same for a folder with a script `afterwards`. It runs when the processes have been killed. The warden holds
    /// `lock` until everything has ended.
    pub(crate) fn holding(folder: &Path, lock: File) -> Result<Self, Error> {
        Self::start(folder, Stdio::from(lock))
    }

    fn start(folder: &Path, stdout: Stdio) -> Result<Self, Error> {
        file(File::create(folder.join("alive")), "create", folder)?;
        let mut child = shell(WARDEN)
            .arg(folder)
            // Not in the folder that it removes, and not in the terminal's group, which Ctrl-C reaches.
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::null())
            .spawn()
            .map_err(missing_shell)?;
        let pipe = child.stdin.take();
        Ok(Self { folder: folder.to_owned(), child, pipe })
    }

    /// Starts `command` in the subfolder `name`. Its output goes to `stdout.log` there.
    pub(crate) fn launch(&self, name: &str, command: &[OsString]) -> Result<Process, Error> {
        let folder = self.folder.join(name);
        file(fs::create_dir_all(&folder), "create", &folder)?;
        let log = folder.join("stdout.log");
        let log = file(File::options().create(true).append(true).open(&log), "open", &log)?;
        let errors = file(log.try_clone(), "open", &folder)?;
        let child = shell(LAUNCH)
            .arg(self.folder.join("alive"))
            .arg(folder.join("pid"))
            .args(command)
            .current_dir(&folder)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(missing_shell)?;
        Ok(Process { name: name.to_owned(), folder, child })
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // A failure here cannot be handled, and a panic in drop would hide the test's own.
        let _ = self.child.wait();
    }
}

/// A server that we started. Its pid cannot belong to another process: a child keeps its pid until it is waited for,
/// and that happens only here.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    folder: PathBuf,
    child: Child,
}

impl Process {
    /// Its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop cleanly, and waits for the end.
    pub(crate) fn terminate(&mut self, within: Duration) -> Result<(), Error> {
        if self.ended().is_none() {
            let pid = self.child.id().to_string();
            let mut kill = shell("kill -TERM \"$1\"");
            kill.arg(pid).stderr(Stdio::null()).status().map_err(missing_shell)?;
        }
        let what = format!("clean stop of {}", self.name);
        until(what, within, || self.ended())?;
        self.forget();
        Ok(())
    }

    /// Sends it a signal, by the name that `kill` accepts.
    pub(crate) fn signal(&self, name: &str) -> Result<(), Error> {
        let mut kill = shell("kill \"$1\" \"$2\"");
        let pid = self.child.id().to_string();
        kill.arg(name).arg(pid).status().map_err(missing_shell).map(drop)
    }

    /// Kills it at once, as a power cut does.
    pub(crate) fn kill(&mut self) {
        // An error means that it has ended already. `wait` is right in both cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.forget();
    }

    fn forget(&self) {
        let _ = fs::remove_file(self.folder.join("pid"));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `sh -c SCRIPT sh ARGS...`; the caller adds the arguments.
fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]);
    command
}

fn missing_shell(source: io::Error) -> Error {
    Error::Missing { program: "sh".into(), package: "dash", source }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn sleeper(warden: &Warden) -> Process {
        warden.launch("sleeper", &["sleep".into(), "600".into()]).unwrap()
    }

    fn alive(pid: &str) -> bool {
        // A zombie still has its folder in /proc, but no command line.
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"))
    }

    fn recorded_pid(folder: &Path) -> String {
        until("pid", SOON, || {
            let record = fs::read_to_string(folder.join("sleeper/pid")).ok()?;
            let pid = record.split_whitespace().next()?.to_owned();
            alive(&pid).then_some(pid)
        })
        .unwrap()
    }

    #[test]
    fn a_process_ends_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let warden = Warden::of(folder.path()).unwrap();
        let process = sleeper(&warden);
        let pid = recorded_pid(folder.path());
        drop(process);
        assert!(!alive(&pid));
    }

    #[test]
    fn a_process_ends_and_leaves_no_file_when_its_owner_forgets_it() {
        let folder = tempfile::tempdir().unwrap();
        let warden = Warden::of(folder.path()).unwrap();
        std::mem::forget(sleeper(&warden));
        let pid = recorded_pid(folder.path());
        drop(warden);
        until("end of the process", SOON, || (!alive(&pid)).then_some(())).unwrap();
        assert!(!folder.path().exists());
    }

    #[test]
    fn a_record_of_another_start_time_kills_nobody() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let warden = Warden::of(one.path()).unwrap();
        let _process = sleeper(&warden);
        let pid = recorded_pid(one.path());

        let other = Warden::of(two.path()).unwrap();
        fs::create_dir(two.path().join("sleeper")).unwrap();
        fs::write(two.path().join("sleeper/pid"), format!("{pid} 1\n")).unwrap();
        drop(other);
        assert!(alive(&pid));
        assert!(!two.path().exists());
    }

    /// Not a real test: the next test starts this process and kills it.
    #[test]
    fn owner_that_will_be_killed() {
        let Some(folder) = env::var_os("MAPPR_OWNER_FOLDER") else {
            return;
        };
        let warden = Warden::of(Path::new(&folder)).unwrap();
        let _process = sleeper(&warden);
        std::thread::sleep(SOON * 3);
    }

    fn dies_with_its_owner(signal: &str) {
        let folder = tempfile::tempdir().unwrap();
        // Background processes of a shell ignore SIGINT, and so do their children.
        let mut owner = Command::new("env")
            .arg("--default-signal=INT")
            .arg(env::current_exe().unwrap())
            .args(["--exact", "process::tests::owner_that_will_be_killed"])
            .env("MAPPR_OWNER_FOLDER", folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = recorded_pid(folder.path());
        let kill = shell("kill -\"$1\" \"$2\"").args([signal, &owner.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert!(owner.wait().unwrap().signal().is_some(), "it ended by itself");
        until("end of the process", SOON, || (!alive(&pid)).then_some(())).unwrap();
        until("end of the folder", SOON, || (!folder.path().exists()).then_some(())).unwrap();
    }

    #[test]
    fn a_process_ends_when_its_owner_is_killed() {
        dies_with_its_owner("KILL");
    }

    #[test]
    fn a_process_ends_when_its_owner_is_interrupted() {
        dies_with_its_owner("INT");
    }
}
