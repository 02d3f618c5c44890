//! The `autothrottle` command: maps streams and status, no more.

use console::Environment;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    console::end_on_panic();
    let environment = Environment::of_process();
    let (mut out, mut err) = (io::stdout().lock(), io::stderr());
    autothrottle::run(std::env::args_os(), &environment, &mut out, &mut err).into()
}
