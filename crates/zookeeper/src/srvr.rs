//! `srvr`: the mode that one ZooKeeper server reports. Allowed by default (`4lw.commands.whitelist`), and needs no
//! session.

use crate::access::ZooKeeperAccess;
use crate::socket;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// The mode of the server at this address, in its own words: `leader`, `follower`, `observer` or `standalone`. If the
/// server serves no clients, its own message instead.
///
/// # Errors
/// If it does not answer within `patience`, or closes the connection without an answer.
pub async fn server_mode(
    address: &str,
    access: &ZooKeeperAccess,
    patience: Duration,
) -> io::Result<String> {
    let answer = timeout(patience, ask(address, access)).await;
    let answer = answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
    match mode.or_else(|| answer.lines().find(|line| !line.trim().is_empty())) {
        Some(said) => Ok(said.trim().to_owned()),
        None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it hangs up without a word")),
    }
}

async fn ask(address: &str, access: &ZooKeeperAccess) -> io::Result<String> {
    let mut socket = socket::connect(address, access).await?;
    socket::ask(&mut *socket, b"srvr").await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn told(answer: &'static str) -> io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut word = [0; 4];
            socket.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"srvr");
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        let mode = server_mode(&address, &ZooKeeperAccess::default(), Duration::from_secs(5)).await;
        server.await.unwrap();
        mode
    }

    #[tokio::test]
    async fn a_server_tells_its_mode_or_why_it_has_none() {
        let serving =
            "Zookeeper version: 3.8.4\nLatency min/avg/max: 0/0/0\nMode: follower\nNode count: 5\n";
        assert_eq!(told(serving).await.unwrap(), "follower");
        let alone = "This ZooKeeper instance is not currently serving requests\n";
        assert_eq!(
            told(alone).await.unwrap(),
            "This ZooKeeper instance is not currently serving requests"
        );
        assert!(told("").await.is_err());
    }
}
