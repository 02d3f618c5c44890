//! Debian's programs, which `dist` uses instead of crates: they are there wherever its packages are made, and fast.

use std::error::Error;
use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

/// A program whose messages and order do not depend on the user's language.
pub(super) fn named(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// What a program prints. A failure has its messages.
pub(super) fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    Ok(String::from_utf8(filter(command, &[])?)?)
}

/// The same for bytes, with an input.
pub(super) fn filter(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |why: &dyn std::fmt::Display| format!("{program}: {why}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| failed(&why))?;
    let mut into = child.stdin.take().ok_or("no stdin")?;
    let out = thread::scope(|scope| {
        // A program that stops reading fails, and its status and messages say why.
        scope.spawn(move || drop(into.write_all(input)));
        child.wait_with_output()
    })?;
    if !out.status.success() {
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        return Err(failed(&format!("{}: {}", out.status, told.trim())).into());
    }
    Ok(out.stdout)
}
