//! The `topicmappr` command: maps streams and status, no more.

use std::hint::black_box;
use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;
use topicmappr::{Environment, Streams};

/// In bytes.
const KEPT: usize = 8 << 20;

fn main() -> ExitCode {
    console::end_on_panic();
    keep_what_is_freed();
    #[cfg(feature = "live")]
    if let Err(error) = operate::execution::end_first_process_by_signals() {
        use std::io::Write;
        // Without stderr, the exit status has to do.
        let _ = writeln!(io::stderr(), "error: {error}");
        return operate::Status::Outside.into();
    }
    let (stdin, stdout, mut stderr) = (io::stdin(), io::stdout(), io::stderr());
    let mut streams = Streams {
        in_is_terminal: stdin.is_terminal(),
        out_is_terminal: stdout.is_terminal(),
        err_is_terminal: stderr.is_terminal(),
        stdin: &mut stdin.lock(),
        out: &mut BufWriter::new(stdout.lock()),
        // Not locked: other threads log to it.
        err: &mut stderr,
    };
    let environment = Environment::of_process();
    topicmappr::run(std::env::args_os(), &environment, &mut streams).into()
}

/// A block that is freed teaches glibc's allocator that blocks of its size come and go (mallopt(3), `M_MMAP_THRESHOLD`): it keeps
/// smaller ones for the next instead of giving them back to a kernel that then clears every page anew. The block itself is
/// never touched.
fn keep_what_is_freed() {
    drop(black_box(Vec::<u8>::with_capacity(KEPT)));
}
