//! Finds out who opened a connection: a follower names itself in the header of its first request.

/// What the first bytes of a connection show.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// The fetcher of this broker.
    Follower(i32),
    /// Another caller: a client, a controller, a TLS handshake.
    Other,
    /// Too few bytes to tell.
    Unclear,
}

/// The bytes before the client id: size, API key, API version, correlation id, and the length of the id.
const HEAD: usize = 14;
/// The largest first request. A larger size means another protocol.
const MOST: u32 = 1 << 20;

/// Reads the request header fields that all versions share.
pub(super) fn caller(first: &[u8]) -> Caller {
    let Some(size) = first.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else {
        return Caller::Unclear;
    };
    if size > MOST {
        return Caller::Other;
    }
    let Some(length) = first.get(HEAD - 2..HEAD) else { return Caller::Unclear };
    // -1 means no id.
    let Ok(length) = usize::try_from(i16::from_be_bytes([length[0], length[1]])) else {
        return Caller::Other;
    };
    match first.get(HEAD..HEAD + length) {
        Some(id) => follower(id).map_or(Caller::Other, Caller::Follower),
        None => Caller::Unclear,
    }
}

/// `broker-1003-fetcher-0` gives broker 1003.
fn follower(client_id: &[u8]) -> Option<i32> {
    let id = str::from_utf8(client_id).ok()?.strip_prefix("broker-")?;
    id.split_once("-fetcher-")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_is_known_by_its_client_id() {
        let head = |size: u32, length: i16, id: &[u8]| {
            let start = [&size.to_be_bytes()[..], &[0, 1, 0, 13, 0, 0, 0, 7]].concat();
            [&start, &length.to_be_bytes()[..], id].concat()
        };
        let first = head(31, 21, b"broker-1003-fetcher-0");
        assert_eq!(caller(&first), Caller::Follower(1003));
        assert!((0..first.len()).all(|n| caller(&first[..n]) == Caller::Unclear));
        assert_eq!(caller(&head(17, 7, b"rdkafka")), Caller::Other);
        assert_eq!(caller(&head(10, -1, b"")), Caller::Other);
        assert_eq!(caller(&head(13, 3, b"\xff\xfe\xfd")), Caller::Other);
        assert_eq!(caller(b"\x16\x03\x01\x02\x00"), Caller::Other, "a TLS handshake");
    }
}
