use super::*;
use bytes::BytesMut;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, Message, StrBytes};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::process::Command;
use std::time::Duration;

/// Set in the child process whose memory is limited.
const LIMITED: &str = "MAPPR_TEST_LIMITED";
/// How much memory that process may map, in KiB: 500 MiB.
const MEMORY: u32 = 500 << 10;
/// What one answer may cost in processor time.
const LONGEST: Duration = Duration::from_secs(5);
/// How many answers of each API are mutated; `MAPPR_MUTATIONS` overrides it.
const MUTATIONS: u64 = 1000;

pub(crate) fn mutations(usual: u64) -> u64 {
    std::env::var("MAPPR_MUTATIONS").map_or(usual, |text| text.parse().unwrap())
}

/// An endless answer. It invents and records whatever the codec reads. Arrays get up to three elements.
struct Invented<'a> {
    random: &'a mut StdRng,
    noted: Vec<u8>,
}

impl Invented<'_> {
    fn byte(&mut self) -> u8 {
        // Rarely zero. As a length, zero means null, which most fields do not accept.
        let byte = if self.random.random_ratio(1, 20) { 0 } else { self.random.random_range(1..4) };
        self.noted.push(byte);
        byte
    }
}

impl Buf for Invented<'_> {
    fn remaining(&self) -> usize {
        usize::MAX
    }

    fn chunk(&self) -> &[u8] {
        &[]
    }

    fn advance(&mut self, _: usize) {}

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        Ok(self.byte())
    }

    fn try_get_i8(&mut self) -> Result<i8, TryGetError> {
        Ok(self.byte().cast_signed())
    }

    fn try_get_i16(&mut self) -> Result<i16, TryGetError> {
        self.noted.push(0);
        Ok(self.byte().into())
    }

    fn try_get_u16(&mut self) -> Result<u16, TryGetError> {
        self.noted.push(0);
        Ok(self.byte().into())
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        self.noted.extend([0; 3]);
        Ok(self.byte().into())
    }

    fn try_get_i64(&mut self) -> Result<i64, TryGetError> {
        self.noted.extend([0; 7]);
        Ok(self.byte().into())
    }

    fn try_copy_to_slice(&mut self, to: &mut [u8]) -> Result<(), TryGetError> {
        to.fill_with(|| self.byte());
        Ok(())
    }
}

impl ByteBuf for Invented<'_> {
    fn peek_bytes(&mut self, _: Range<usize>) -> Bytes {
        unreachable!("the codec peeks only at headers")
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        let text: Bytes = (0..size).map(|_| b'a' + self.random.random_range(0..4)).collect();
        self.noted.extend_from_slice(&text);
        text
    }
}

/// An answer that the codec can read completely, with its version.
fn invented<R: Request>(random: &mut StdRng) -> (Bytes, i16) {
    let range = <R::Response as Message>::VERSIONS;
    let version = random.random_range(range.min..=range.max);
    loop {
        let mut from = Invented { random, noted: Vec::new() };
        if R::Response::decode(&mut from, version).is_ok() {
            return (Bytes::from(from.noted), version);
        }
    }
}

/// Corrupts an answer: huge lengths of both kinds, flipped bits, other bytes, missing pieces, repeated pieces, or an
/// early end.
pub(crate) fn spoilt(answer: &[u8], random: &mut StdRng) -> Bytes {
    let mut bytes = answer.to_vec();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=bytes.len());
        let length = random.random_range(0..=bytes.len() - at);
        match random.random_range(0..7) {
            0 => overwrite(&mut bytes, at, &random.random_range(1..i32::MAX).to_be_bytes()),
            1 => overwrite(&mut bytes, at, &[0xff, 0xff, 0xff, 0xff, random.random_range(1..16)]),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            3 if at < bytes.len() => bytes[at] = random.random(),
            4 => drop(bytes.drain(at..at + length)),
            5 => {
                let piece = bytes[at..at + length].to_vec();
                let to = random.random_range(0..=bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes.truncate(at),
        }
    }
    Bytes::from(bytes)
}

fn overwrite(bytes: &mut Vec<u8>, at: usize, with: &[u8]) {
    let end = bytes.len().min(at + with.len());
    bytes.splice(at..end, with.iter().copied());
}

/// The processor time of this thread so far. A busy machine does not change it.
fn used() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Sound answers are read as the codec reads them, and spoilt ones are read or refused.
fn attack<R: Request>()
where
    R::Response: PartialEq + std::fmt::Debug,
{
    let mut random = StdRng::seed_from_u64(R::KEY.cast_unsigned().into());
    for _ in 0..mutations(MUTATIONS) {
        let (answer, version) = invented::<R>(&mut random);
        let read = R::Response::decode(&mut answer.clone(), version).unwrap();
        assert_eq!(decode::<R>(&answer, version).unwrap(), read);
        let spoilt = spoilt(&answer, &mut random);
        let before = used();
        drop(decode::<R>(&spoilt, version));
        assert!(used() - before < LONGEST, "{spoilt:?}");
    }
}

fn attack_all() {
    attack::<AlterPartitionReassignmentsRequest>();
    attack::<AlterReplicaLogDirsRequest>();
    attack::<ApiVersionsRequest>();
    attack::<CreatePartitionsRequest>();
    attack::<CreateTopicsRequest>();
    attack::<DeleteTopicsRequest>();
    attack::<DescribeClusterRequest>();
    attack::<DescribeConfigsRequest>();
    attack::<DescribeLogDirsRequest>();
    attack::<DescribeQuorumRequest>();
    attack::<DescribeTopicPartitionsRequest>();
    attack::<ElectLeadersRequest>();
    attack::<IncrementalAlterConfigsRequest>();
    attack::<ListOffsetsRequest>();
    attack::<ListPartitionReassignmentsRequest>();
    attack::<MetadataRequest>();
    attack::<SaslAuthenticateRequest>();
    attack::<SaslHandshakeRequest>();
    attack::<UnregisterBrokerRequest>();
}

/// Runs a test of this binary again in a process that may map only 500 MiB.
fn within_limits(test: &str) {
    let limited = format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"");
    let run = Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}: {said}", run.status);
    assert!(String::from_utf8_lossy(&run.stdout).contains("1 passed"), "{said}");
}

#[test]
fn no_spoilt_answer_ends_the_process_or_takes_much_memory() {
    match std::env::var_os(LIMITED) {
        Some(_) => attack_all(),
        None => {
            within_limits("bounded::tests::no_spoilt_answer_ends_the_process_or_takes_much_memory")
        }
    }
}

#[test]
fn a_length_that_the_answer_cannot_hold_is_refused() {
    // Version 0: an error code, and 2^31 - 1 elements in the next nine bytes.
    let mut old = vec![0, 0, 0x7f, 0xff, 0xff, 0xff];
    old.extend([0; 9]);
    let refused = decode::<ApiVersionsRequest>(&Bytes::from(old), 0).unwrap_err();
    assert_eq!(refused, "a length of 2147483647 with only 9 bytes left");
    let mut new = vec![0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f];
    new.extend([0; 9]);
    let refused = decode::<ApiVersionsRequest>(&Bytes::from(new), 3).unwrap_err();
    assert_eq!(refused, "a length of 4294967295 with only 14 bytes left");
}

#[test]
fn a_large_number_that_is_no_length_is_read() {
    for version in [8, 12] {
        let broker = metadata_response::MetadataResponseBroker::default()
            .with_node_id(BrokerId(i32::MAX))
            .with_host(StrBytes::from_static_str("kafka"));
        let answer = MetadataResponse::default()
            .with_controller_id(BrokerId(i32::MAX))
            .with_brokers(vec![broker]);
        let mut bytes = BytesMut::new();
        answer.encode(&mut bytes, version).unwrap();
        let read = decode::<MetadataRequest>(&bytes.freeze(), version).unwrap();
        assert_eq!(read, answer, "{version}");
    }
}

#[test]
fn a_long_config_value_and_a_long_list_of_topics_are_read() {
    let value = StrBytes::from_string("1000:1001,".repeat(100_000));
    let entry =
        describe_configs_response::DescribeConfigsResourceResult::default().with_value(Some(value));
    let result =
        describe_configs_response::DescribeConfigsResult::default().with_configs(vec![entry]);
    let answer = DescribeConfigsResponse::default().with_results(vec![result]);
    let mut bytes = BytesMut::new();
    answer.encode(&mut bytes, 4).unwrap();
    assert_eq!(decode::<DescribeConfigsRequest>(&bytes.freeze(), 4).unwrap(), answer);

    let topic = list_partition_reassignments_response::OngoingTopicReassignment::default();
    let name = |n: usize| TopicName(StrBytes::from_string(format!("topic-{n}")));
    let topics = (0..SMALL + 1).map(|n| topic.clone().with_name(name(n))).collect();
    let answer = ListPartitionReassignmentsResponse::default().with_topics(topics);
    let mut bytes = BytesMut::new();
    answer.encode(&mut bytes, 0).unwrap();
    let read = decode::<ListPartitionReassignmentsRequest>(&bytes.freeze(), 0).unwrap();
    assert!(read == answer);
}
