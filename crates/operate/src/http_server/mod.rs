//! HTTP servers of both programs, with limits on connections and time.
//!
//! In: a socket, routes, the server's names, and optional TLS. These limits always hold:
//!
//! - The number of connections is bounded, and idle ones are closed before new ones are refused.
//! - A peer that opens thousands of connections only displaces its own.
//! - A head, a body, a handshake and a connection have deadlines.
//! - A foreign page in a browser changes nothing.

mod guard;
mod page;
mod reply;
mod room;
mod tls;
mod token;

pub use guard::{ServerNames, host_name};
pub use page::{live_page, page};
pub use reply::{Reply, in_the_form_that_is_asked_for};
pub use tls::Tls;
pub use token::Token;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::Request;
use futures::{StreamExt, stream};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use room::{Place, Room};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The time limit for a request's head, and between two requests; then the connection is closed. curl and probes need
/// milliseconds.
const HEAD: Duration = Duration::from_secs(10);
/// The time limit for a request's body: half a megabyte over a slow network.
const BODY: Duration = Duration::from_secs(10);
/// The time limit for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The longest life of a connection; it ends after its current answer. So a client that does not read its answer
/// cannot hold a connection forever.
const AGE: Duration = Duration::from_secs(300);
/// The time limit for that last answer.
const GRACE: Duration = Duration::from_secs(10);
/// The largest head in bytes; a larger one is answered with 431. Browsers send about 2 KiB, plus cookies of other
/// servers on the same host.
const MOST_HEAD: usize = 16 << 10;
/// The read buffer of one connection, in bytes.
const MOST_BUFFER: usize = 32 << 10;
/// The largest body in bytes, unless a route sets another limit; a larger one is answered with 413. Only
/// announcements have a body.
const MOST_BODY: usize = 64 << 10;
/// The most connections waiting to be accepted: Linux' default limit. Thousands may arrive at once.
const BACKLOG: u32 = 4096;
/// The pause before the next accept if no file descriptor is free.
const NO_DESCRIPTOR: Duration = Duration::from_millis(50);

/// Opens a socket at the first of these addresses that is available.
///
/// # Errors
/// The error of the last address.
pub fn listen(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut problem = io::Error::new(io::ErrorKind::InvalidInput, "it has no address");
    for address in addresses {
        match listen_at(*address) {
            Ok(listener) => return Ok(listener),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until the future is dropped, which also ends every connection.
pub async fn serve(listener: TcpListener, routes: Router, names: ServerNames, tls: Option<Tls>) {
    let routes = routes.layer(DefaultBodyLimit::max(MOST_BODY));
    let routes = guard::guarded(routes, names, tls.is_some());
    let room = Room::for_this_process();
    let mut connections = JoinSet::new();
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                rest_after(&error, &room).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Some(place) = room.place(from.ip()) else {
            tracing::debug!(%from, "no room: every connection is at work");
            continue;
        };
        let crowded = place.took_anothers;
        connections.spawn(connection(stream, from, place, routes.clone(), tls.clone()));
        if crowded {
            // The evicted connection has to free its descriptor before the next accept.
            tokio::task::yield_now().await;
        }
    }
}

/// Handles an accept error. A connection that broke before it was accepted needs no pause. If descriptors ran out, an
/// idle connection is closed.
async fn rest_after(error: &io::Error, room: &Room) {
    let broken = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
    if !broken.contains(&error.kind()) {
        tracing::warn!(%error, "a connection cannot be accepted");
        room.evict_one();
        sleep(NO_DESCRIPTOR).await;
    }
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    place: Place,
    routes: Router,
    tls: Option<Tls>,
) {
    // Sends small answers without delay. If the socket does not support this, it still works.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return answer(stream, from, &place, routes).await;
    };
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE, tls.acceptor().accept(stream)) => shaken,
        () = place.is_lost() => return,
    };
    match shaken {
        Ok(Ok(stream)) => answer(stream, from, &place, routes).await,
        Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS"),
        Err(_) => tracing::debug!(%from, "no TLS in time"),
    }
}

/// Answers requests until the client closes, a deadline passes, or another connection needs the place.
async fn answer<S>(stream: S, from: SocketAddr, place: &Place, routes: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|request: Request<Incoming>| {
        let at_work = place.works();
        let mut request = request.map(in_time);
        request.extensions_mut().insert(guard::From(from));
        let answer = routes.call(request);
        async move {
            let answer = answer.await;
            drop(at_work);
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_header_size(MOST_HEAD)
        .max_buf_size(MOST_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return told(from, ended),
        () = place.is_lost() => return,
        () = sleep(AGE) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection.as_mut() => told(from, ended),
        () = place.is_lost() => {}
        () = sleep(GRACE) => {}
    }
}

fn told(from: SocketAddr, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%from, %error, "a connection ended");
    }
}

/// The body, with an error after the deadline: a plain end would pass for a complete body.
fn in_time(body: Incoming) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    let until = Instant::now() + BODY;
    let chunks = Some(Body::new(body).into_data_stream());
    Body::from_stream(stream::unfold(chunks, move |chunks| async move {
        let mut chunks = chunks?;
        match timeout_at(until, chunks.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(chunks))),
            Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    }))
}
