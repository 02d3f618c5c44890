//! A wire to a server that a test can cut: connections stay open, but nothing arrives any more.
//!
//! Both ends see this as a partitioned network. Dropping it ends every connection.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a cut wire checks whether it has been mended.
const LOOK: Duration = Duration::from_millis(50);

/// A wire to one server, with its own port.
#[derive(Debug)]
pub struct Wire {
    state: Arc<State>,
    from: SocketAddr,
}

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    ended: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Wire {
    /// A wire to `port` of this machine.
    pub fn to(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (from, state) = (listener.local_addr()?, Arc::new(State::default()));
        let serving = Arc::clone(&state);
        thread::spawn(move || serving.serve(&listener, port));
        Ok(Self { state, from })
    }

    /// The port of its near end.
    pub fn port(&self) -> u16 {
        self.from.port()
    }

    /// Lets nothing pass from now on, in both directions, on old and new connections.
    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
    }

    /// Lets the waiting bytes pass again.
    pub fn mend(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        for stream in self.state.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The listener waits for a connection. This one wakes it, so that it ends.
        let _ = TcpStream::connect(self.from);
    }
}

impl State {
    fn serve(self: Arc<Self>, listener: &TcpListener, port: u16) {
        for caller in listener.incoming() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let there = TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
            let (Ok(caller), Ok(server)) = (caller, there) else { continue };
            for (from, to) in [(&caller, &server), (&server, &caller)] {
                let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                let state = Arc::clone(&self);
                thread::spawn(move || state.pass(from, to));
            }
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.extend([caller, server]);
        }
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            while self.cut.load(Ordering::SeqCst) && !self.ended.load(Ordering::SeqCst) {
                thread::sleep(LOOK);
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_a_wire_that_is_cut_and_nobody_hangs_up() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let wire = Wire::to(server.local_addr().unwrap().port()).unwrap();
        let mut caller = TcpStream::connect((Ipv4Addr::LOCALHOST, wire.port())).unwrap();
        let (mut there, _) = server.accept().unwrap();
        let mut one = [0; 1];
        caller.write_all(b"a").unwrap();
        there.read_exact(&mut one).unwrap();
        wire.cut();
        caller.write_all(b"b").unwrap();
        there.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let silent = there.read(&mut one).unwrap_err().kind();
        assert!(matches!(silent, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{silent}");
        wire.mend();
        there.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        there.read_exact(&mut one).unwrap();
        assert_eq!(&one, b"b");
    }
}
