//! What requests to token endpoints and to AWS have in common: forms, answers and files of a limited size.

use reqwest::{RequestBuilder, StatusCode, Url};
use std::io::Read;
use std::path::Path;

/// The largest token, and the largest answer of a token endpoint, in bytes; as in Kafka.
const MAX_BYTES: usize = 1 << 20;

/// Sends a request, and reads the whole answer. No error has the URL: a query may hold keys.
pub(crate) async fn answer(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), String> {
    let mut answer = request.send().await.map_err(|error| cause(&error.without_url()))?;
    let mut body = Vec::new();
    while let Some(more) = answer.chunk().await.map_err(|error| cause(&error.without_url()))? {
        body.extend_from_slice(&more);
        if body.len() > MAX_BYTES {
            return Err(format!("its answer has more than {MAX_BYTES} bytes"));
        }
    }
    Ok((answer.status(), body))
}

/// Pairs as `application/x-www-form-urlencoded`.
pub(crate) fn form<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<String, String> {
    let url = Url::parse_with_params("http://form", pairs).map_err(|error| error.to_string())?;
    Ok(url.query().unwrap_or_default().to_owned())
}

/// The innermost error: reqwest's own says little.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

pub(crate) fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    file.take(limit).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}
