//! The `topicmappr` command: maps streams and status, no more.

use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;
use topicmappr::{Environment, Streams};

fn main() -> ExitCode {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let mut streams = Streams {
        in_is_terminal: stdin.is_terminal(),
        out_is_terminal: stdout.is_terminal(),
        err_is_terminal: stderr.is_terminal(),
        stdin: &mut stdin.lock(),
        out: &mut BufWriter::new(stdout.lock()),
        err: &mut stderr.lock(),
    };
    let environment = Environment::of_process();
    topicmappr::run(std::env::args_os(), &environment, &mut streams).into()
}
