//! A network card for each broker: a relay in front of its listeners with a limited rate.
//!
//! Loopback itself has no limit. Each broker advertises its relay's address, so clients and followers use the relay. A
//! broker's own fetches pass the relays of other brokers. These recognise the client id and charge the bytes to both
//! cards. The relays end with the cluster.

mod caller;
mod card;
mod pace;
mod pump;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};

pub use card::{Cap, Card, Passed};

/// The socket buffer size: small, because bytes in a kernel's buffer have passed their sender without a limit.
const BUFFER: u32 = 64 * 1024;
const BACKLOG: u32 = 128;

/// The cards of a cluster, by broker.
type Cards = BTreeMap<i32, Card>;

/// The relays of a cluster. Dropping it closes every connection.
#[derive(Debug)]
pub(crate) struct Relays {
    cards: Arc<Cards>,
    runtime: Option<Runtime>,
}

impl Relays {
    /// A card with this limit for each broker. Does not listen yet.
    pub(crate) fn of(brokers: impl Iterator<Item = i32>, cap: Cap) -> io::Result<Self> {
        let cards = brokers.map(|id| (id, Card::new(cap))).collect();
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).thread_name("relay").enable_all().build()?;
        Ok(Self { cards: Arc::new(cards), runtime: Some(runtime) })
    }

    /// Forwards connections at `at` to the broker, which listens on the same port of `behind`.
    pub(crate) fn open(&self, broker: i32, at: SocketAddrV4, behind: Ipv4Addr) -> io::Result<()> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let _inside = runtime.enter();
        let listener = listen(at)?;
        let cards = Arc::clone(&self.cards);
        runtime.spawn(serve(listener, cards, broker, SocketAddrV4::new(behind, at.port())));
        Ok(())
    }

    pub(crate) fn card(&self, broker: i32) -> Option<&Card> {
        self.cards.get(&broker)
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        // Waiting for the threads would panic in a test inside a runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Connections inherit the listener's buffers. Later changes have no effect on the TCP window.
fn listen(at: SocketAddrV4) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.bind(at.into())?;
    socket.listen(BACKLOG)
}

async fn serve(listener: TcpListener, cards: Arc<Cards>, broker: i32, to: SocketAddrV4) {
    while let Ok((caller, _)) = listener.accept().await {
        let cards = Arc::clone(&cards);
        tokio::spawn(async move {
            // If a broker is down or a client closes, both ends see it as without a relay.
            let _ = pump::connect(caller, to, broker, &cards).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener as Server, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 201);
    const BEHIND: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 201);
    const MEGABYTE: u64 = 1_000_000;

    /// A broker that reads this many bytes and then sends as many.
    fn behind(bytes: usize) -> u16 {
        let server = Server::bind((BEHIND, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        thread::spawn(move || {
            while let Ok((mut caller, _)) = server.accept() {
                thread::spawn(move || {
                    caller.read_exact(&mut vec![0; bytes]).unwrap();
                    caller.write_all(&vec![7; bytes]).unwrap();
                });
            }
        });
        port
    }

    /// A request header with this client id, and bytes after it.
    fn message(client: &str, bytes: usize) -> Vec<u8> {
        let mut message = u32::try_from(bytes - 4).unwrap().to_be_bytes().to_vec();
        message.extend([0, 18, 0, 3, 0, 0, 0, 1]);
        message.extend(u16::try_from(client.len()).unwrap().to_be_bytes());
        message.extend(client.as_bytes());
        message.resize(bytes, 7);
        message
    }

    /// How long the message takes to arrive, and a message of the same size to return.
    fn exchange(to: SocketAddrV4, message: &[u8]) -> (Duration, Duration) {
        let mut socket = TcpStream::connect(to).unwrap();
        let start = Instant::now();
        socket.write_all(message).unwrap();
        let mut first = [0; 1];
        socket.read_exact(&mut first).unwrap();
        let there = start.elapsed();
        let mut rest = vec![0; message.len() - 1];
        socket.read_exact(&mut rest).unwrap();
        socket.shutdown(Shutdown::Both).unwrap();
        assert!(rest.iter().all(|byte| *byte == 7));
        (there, start.elapsed() - there)
    }

    /// Never faster than the limit. A machine that is busy with other tests may be slower.
    fn takes(seen: Duration, seconds: f64) {
        let off = seen.as_secs_f64() / seconds;
        assert!((0.95..1.25).contains(&off), "{seen:?} in place of {seconds} s");
    }

    #[test]
    fn each_direction_keeps_its_own_cap_and_a_new_one_counts_at_once() {
        let size = 2 * MEGABYTE as usize;
        let port = behind(size);
        let cap = Cap { rx: Some(4 * MEGABYTE), tx: Some(2 * MEGABYTE) };
        let relays = Relays::of([1001].into_iter(), cap).unwrap();
        let at = SocketAddrV4::new(HERE, port);
        relays.open(1001, at, BEHIND).unwrap();

        let (there, back) = exchange(at, &message("client", size));
        takes(there, 0.5);
        takes(back, 1.0);
        let card = relays.card(1001).unwrap();
        let size = size as u64;
        let once = Passed { rx: size, tx: size, ..Passed::default() };
        assert_eq!(card.passed(), once);

        card.limit(Cap { rx: None, tx: Some(MEGABYTE) });
        let (there, back) = exchange(at, &message("client", size as usize));
        assert!(there < Duration::from_millis(250), "{there:?}");
        takes(back, 2.0);
    }

    #[test]
    fn connections_share_a_card() {
        let size = MEGABYTE as usize;
        let port = behind(size);
        let cap = Cap { rx: Some(4 * MEGABYTE), tx: None };
        let relays = Relays::of([1001].into_iter(), cap).unwrap();
        let at = SocketAddrV4::new(HERE, port);
        relays.open(1001, at, BEHIND).unwrap();
        let callers = [(); 4].map(|()| thread::spawn(move || exchange(at, &message("a", size)).0));
        let slowest = callers.into_iter().map(|caller| caller.join().unwrap()).max().unwrap();
        takes(slowest, 1.0);
    }

    #[test]
    fn a_fetch_is_charged_to_the_follower_as_well() {
        let size = MEGABYTE as usize;
        let port = behind(size);
        let relays = Relays::of([1001, 1002].into_iter(), Cap::default()).unwrap();
        let at = SocketAddrV4::new(HERE, port);
        relays.open(1001, at, BEHIND).unwrap();
        relays.card(1002).unwrap().limit(Cap { rx: Some(2 * MEGABYTE), tx: None });

        let (_, back) = exchange(at, &message("broker-1002-fetcher-0", size));
        takes(back, 0.5);
        let size = size as u64;
        let both = Passed { rx: size, tx: size, replication_rx: size, replication_tx: size };
        assert_eq!(relays.card(1001).unwrap().passed(), both);
        assert_eq!(relays.card(1002).unwrap().passed(), both);
    }
}
