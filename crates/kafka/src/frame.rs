//! Frames: the layout of requests and answers on the wire.
//!
//! A frame is its length (four bytes, big-endian, signed), then a header with a correlation id, then a body.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer,
};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Why a frame could not be read.
#[derive(Debug)]
pub(crate) enum NoFrame {
    /// The peer or the operating system closed the connection.
    Closed(Option<io::Error>),
    /// The length is negative, too small for an answer, or above the limit.
    Length(i32),
}

/// Encodes a request, with its length in front.
pub(crate) fn encode<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: &str,
) -> Result<Bytes, String> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_string(client_id.to_owned())));
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    encode_request_header_into_buffer(&mut frame, &header).map_err(|error| error.to_string())?;
    request.encode(&mut frame, version).map_err(|error| error.to_string())?;
    let length = i32::try_from(frame.len() - 4).map_err(|_| "a request above 2 GiB".to_owned())?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame.freeze())
}

/// Reads one frame's content. Memory grows with the bytes that arrive, not with the claimed length.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    limit: u32,
) -> Result<Bytes, NoFrame> {
    let closed = |error: io::Error| {
        NoFrame::Closed((error.kind() != io::ErrorKind::UnexpectedEof).then_some(error))
    };
    let announced = stream.read_i32().await.map_err(closed)?;
    let length = u32::try_from(announced).ok().filter(|length| (4..=limit).contains(length));
    let length = u64::from(length.ok_or(NoFrame::Length(announced))?);
    let mut content = Vec::new();
    stream.take(length).read_to_end(&mut content).await.map_err(closed)?;
    if content.len() as u64 == length {
        Ok(Bytes::from(content))
    } else {
        Err(NoFrame::Closed(None))
    }
}

/// Removes the header from an answer and returns its correlation id.
pub(crate) fn correlation_id<R: Request>(content: &mut Bytes, version: i16) -> Result<i32, String> {
    let header = <R::Response as HeaderVersion>::header_version(version);
    ResponseHeader::decode(content, header)
        .map(|header| header.correlation_id)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::MetadataRequest;

    #[tokio::test]
    async fn a_whole_frame_is_read_and_no_byte_more() {
        let mut wire: &[u8] = &[0, 0, 0, 5, 1, 2, 3, 4, 5, 6];
        assert_eq!(read(&mut wire, 100).await.unwrap(), Bytes::from_static(&[1, 2, 3, 4, 5]));
        assert_eq!(wire, [6]);
    }

    #[tokio::test]
    async fn a_length_beyond_the_limit_or_below_a_header_is_refused_unread() {
        for (head, length) in [([0, 0, 0, 101], 101), ([255, 255, 255, 255], -1), ([0, 0, 0, 3], 3)]
        {
            let mut wire: &[u8] = &head;
            assert!(matches!(read(&mut wire, 100).await, Err(NoFrame::Length(l)) if l == length));
        }
    }

    #[tokio::test]
    async fn a_frame_cut_short_counts_as_closed() {
        for mut wire in [&[0_u8, 0][..], &[0, 0, 0, 9, 1]] {
            assert!(matches!(read(&mut wire, 100).await, Err(NoFrame::Closed(None))));
        }
    }

    #[test]
    fn the_length_in_front_counts_what_follows_it() {
        let frame = encode(&MetadataRequest::default(), 12, 7, "me").unwrap();
        let length = i32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
        assert_eq!(usize::try_from(length).unwrap(), frame.len() - 4);
    }
}
