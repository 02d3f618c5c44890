//! One connection through a relay, in both directions, at the rate of its cards.

use std::io;
use std::net::SocketAddrV4;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep_until;

use super::caller::{Caller, caller};
use super::card::{Card, Way};
use super::{BUFFER, Cards};

/// The cards between two ends, and the direction of a stream through the first one.
struct Toll<'a> {
    broker: &'a Card,
    follower: Option<&'a Card>,
    way: Way,
}

impl Toll<'_> {
    fn piece(&self) -> usize {
        let own = self.broker.piece(self.way);
        self.follower.map_or(own, |card| own.min(card.piece(self.way.back())))
    }

    /// Waits until these bytes have passed both cards.
    async fn pay(&self, bytes: usize) {
        let replication = self.follower.is_some();
        let own = self.broker.admit(self.way, bytes, replication);
        let other = self.follower.map(|card| card.admit(self.way.back(), bytes, replication));
        sleep_until(own.max(other.unwrap_or(own)).into()).await;
    }
}

/// Forwards bytes until one end closes.
pub(super) async fn connect(
    mut client: TcpStream,
    to: SocketAddrV4,
    broker: i32,
    cards: &Cards,
) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    let mut server = socket.connect(to.into()).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (first, from) = introduction(&mut client).await?;
    let Some(card) = cards.get(&broker) else { return Ok(()) };
    let follower = match from {
        Caller::Follower(id) => cards.get(&id),
        Caller::Other | Caller::Unclear => None,
    };
    let toll = |way| Toll { broker: card, follower, way };
    let (ask, answer) = (toll(Way::In), toll(Way::Out));
    ask.pay(first.len()).await;
    server.write_all(&first).await?;
    let (client_reads, client_writes) = client.split();
    let (server_reads, server_writes) = server.split();
    tokio::try_join!(
        pump(client_reads, server_writes, &ask),
        pump(server_reads, client_writes, &answer),
    )?;
    Ok(())
}

/// Reads the first bytes, as many as are needed to identify the caller.
async fn introduction(client: &mut TcpStream) -> io::Result<(Vec<u8>, Caller)> {
    let mut first = Vec::with_capacity(1024);
    loop {
        let read = client.read_buf(&mut first).await?;
        let from = caller(&first);
        if read == 0 || from != Caller::Unclear {
            return Ok((first, from));
        }
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    toll: &Toll<'_>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let piece = toll.piece();
        let read = from.read(&mut buffer[..piece]).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        toll.pay(read).await;
        to.write_all(&buffer[..read]).await?;
    }
}
