//! How a client finds a first broker that answers.

use crate::connection::Connection;
use crate::dialer::Dialer;
use crate::error::Error;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;
use tokio::select;
use tokio::time::timeout;

/// How long to wait for a silent bootstrap address before trying the next one.
const STAGGER: Duration = Duration::from_millis(500);
/// The addresses are tried a second time after this part of the time that a connection may take.
const AGAIN_AFTER: u32 = 3;

/// The first connection to a bootstrap address that works. If none has answered after a while, tries them a second time
/// beside the first: an address may be that of a Service, which leads each connection to another broker, and one of them
/// may just have died.
pub(crate) async fn first_to_answer(dialer: &Dialer) -> Result<Connection, Error> {
    let mut first = pin!(one_after_another(dialer));
    if let Ok(ended) = timeout(dialer.settings.setup_timeout / AGAIN_AFTER, &mut first).await {
        return ended;
    }
    let mut second = pin!(one_after_another(dialer));
    select! {
        ended = &mut first => ended,
        Ok(connection) = &mut second => Ok(connection),
    }
}

/// Tries the bootstrap addresses in turn and returns the first connection that works. Starts the next attempt as soon
/// as one fails or is slow.
async fn one_after_another(dialer: &Dialer) -> Result<Connection, Error> {
    let mut waiting = dialer.settings.bootstrap.iter();
    let mut attempts = FuturesUnordered::new();
    let mut unreached = BTreeMap::new();
    let mut silent = None;
    loop {
        attempts.extend(waiting.next().map(|address| dialer.open(address)));
        let Ok(ended) = timeout(STAGGER, attempts.next()).await else { continue };
        match ended {
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(Error::Unreachable { failures })) => unreached.extend(failures),
            Some(Err(error @ (Error::Timeout { .. } | Error::Closed { .. }))) => {
                silent.get_or_insert(error);
            }
            // Another address of the same cluster would give the same error.
            Some(Err(error)) => return Err(error),
            None => return Err(silent.unwrap_or(Error::Unreachable { failures: unreached })),
        }
    }
}
