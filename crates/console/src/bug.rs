//! What a bug does to the process.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::io::{self, Write};
use std::panic;
use std::process;

const ADVICE: &str = "This is a bug: please report the lines above. All is as after kill -9: run the command again, an execution with --resume.";

/// Makes a panic of any thread end the process by SIGABRT, after stderr has said where it was. Otherwise the panic would end only its
/// task, and the others would work on without it: without the one that renews a lease, or follows the cluster.
///
/// No core is dumped, since it would contain secrets.
pub fn end_on_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        tell(panic);
        // Whatever fails here, the process has to end.
        let _ = writeln!(io::stderr(), "{ADVICE}");
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;
    use std::{env, thread};

    const CHILD: &str = "MAPPR_CONSOLE_TEST_PANICS";
    /// As in signal(7).
    const SIGABRT: i32 = 6;

    #[test]
    fn the_process_ends_with_the_thread() {
        if env::var_os(CHILD).is_some() {
            end_on_panic();
            let panicked = thread::spawn(|| panic!("of one thread")).join();
            unreachable!("still here: {panicked:?}");
        }
        let test = "bug::tests::the_process_ends_with_the_thread";
        let ended = Command::new(env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();

        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(
            (ended.status.signal(), ended.status.core_dumped()),
            (Some(SIGABRT), false),
            "{told}"
        );
        let place = told.find("of one thread").expect(&told);
        assert!(told[place..].contains(ADVICE), "{told}");
        assert!(!told.contains("still here"), "{told}");
    }
}
