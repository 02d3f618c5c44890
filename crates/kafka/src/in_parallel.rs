//! Requests to many brokers at the same time.

use futures::{StreamExt, stream};

/// How many requests are under way at the same time.
const AT_ONCE: usize = 32;

/// Carries out all requests, 32 at a time. The answers are in the order in which they came.
pub async fn in_parallel<F: Future>(requests: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    stream::iter(requests).buffer_unordered(AT_ONCE).collect().await
}
