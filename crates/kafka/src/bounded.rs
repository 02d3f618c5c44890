//! Decodes answers whose length fields cannot be trusted.
//!
//! kafka-protocol 0.18 reserves memory for all elements that an array claims, before it reads the first one. A length
//! of 2^31 in an answer of 31 bytes therefore ends the process, because a failed allocation cannot be caught. The codec
//! reads every length through the buffer. This buffer refuses a length that the rest of the answer cannot hold.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::protocol::buf::ByteBuf;
use kafka_protocol::protocol::{Decodable, Request};
use std::ops::Range;

/// Lengths up to this always pass. 65,536 of the codec's largest elements take 15 MB. If the answer does not hold them
/// all, decoding fails at the first missing one.
const SMALL: usize = 1 << 16;
/// The fewest bytes for one element of a longer array; topics and partitions take twenty. The codec's elements are at
/// most 25 times as large in memory.
const LEAST: usize = 8;

/// Decodes an answer, or returns the reason why it cannot. Memory use stays in proportion to the bytes that arrived.
pub(crate) fn decode<R: Request>(content: &Bytes, version: i16) -> Result<R::Response, String> {
    // A single config value may be long: a list of throttled replicas takes more than 65,536 bytes.
    let least = if R::KEY == DescribeConfigsRequest::KEY { 1 } else { LEAST };
    let mut wary = Wary { rest: content.clone(), least, doubt: None };
    let first = R::Response::decode(&mut wary, version);
    let refused = wary.doubt.filter(|doubt| doubt.left == wary.rest.len());
    match first {
        Ok(answer) if wary.doubt.is_none() => return Ok(answer),
        Ok(_) => {}
        Err(error) => return Err(refused.map_or_else(|| error.to_string(), Doubt::words)),
    }
    // The codec decoded everything without any of the doubtful numbers, so none of them is a length. The second pass
    // decodes the same bytes with the numbers as they are.
    R::Response::decode(&mut content.clone(), version).map_err(|error| error.to_string())
}

/// A number that is too large to be a length here. It may still be an id.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    number: i64,
    /// The number of bytes after it.
    left: usize,
}

impl Doubt {
    fn words(self) -> String {
        format!("a length of {} with only {} bytes left", self.number, self.left)
    }
}

/// The unread bytes of an answer.
struct Wary {
    rest: Bytes,
    least: usize,
    doubt: Option<Doubt>,
}

impl Wary {
    fn holds(&self, length: usize) -> bool {
        length <= SMALL || length.saturating_mul(self.least) <= self.rest.len()
    }

    fn doubt(&mut self, number: i64) {
        self.doubt = Some(Doubt { number, left: self.rest.len() });
    }

    /// The varint that begins here, as the codec reads it.
    fn number(&self) -> u32 {
        let mut number = 0;
        for (byte, place) in self.rest.iter().zip(0..5) {
            number |= u32::from(byte & 0x7f) << (place * 7);
            if *byte < 0x80 {
                break;
            }
        }
        number
    }
}

impl Buf for Wary {
    fn remaining(&self) -> usize {
        self.rest.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.rest.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.rest.advance(count);
    }

    /// A single byte is a varint, a part of one, or a boolean. Kafka's booleans are 0 and 1.
    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let number = self.number();
        if self.rest.first().is_some_and(|byte| *byte >= 0x80) && !self.holds(number as usize) {
            self.doubt(number.into());
            return Err(TryGetError { requested: number as usize, available: self.rest.len() });
        }
        self.rest.try_get_u8()
    }

    /// An array length in old versions, or any other number. A doubtful one becomes negative: the codec rejects that as
    /// an array length, and accepts it as anything else.
    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let number = self.rest.try_get_i32()?;
        if usize::try_from(number).is_ok_and(|length| !self.holds(length)) {
            self.doubt(number.into());
            return Ok(i32::MIN);
        }
        Ok(number)
    }
}

impl ByteBuf for Wary {
    fn peek_bytes(&mut self, range: Range<usize>) -> Bytes {
        self.rest.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.rest.split_to(size)
    }
}

#[cfg(test)]
pub(crate) mod tests;
