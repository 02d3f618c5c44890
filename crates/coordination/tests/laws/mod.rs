//! Laws that each store of records passes. One process leads; its records are read by all; a process that has lost its
//! lead writes nothing more.

use coordination::{Error, Holder, Lead, Records, Store, Wait};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a store may take to notice a change.
const SOON: Duration = Duration::from_secs(180);

/// How a second process gets the lead while the first one believes that it leads.
pub(crate) type Steal<'a> = &'a (dyn Fn() + Sync);

pub(crate) fn records<const N: usize>(all: [(&str, &str); N]) -> Records {
    all.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
}

fn holder(name: &str) -> Holder {
    Holder::new(name, name)
}

pub(crate) async fn lead(store: &Store, name: &str) -> Result<Lead, Error> {
    store.lead(holder(name), Wait::ForTheDead, |_| ()).await
}

/// The first answer of `look`, which is asked again and again for a while.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: not within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) async fn laws(store: &Store, steal: Steal<'_>) {
    let nothing = store.seen().await.unwrap();
    assert_eq!((nothing.holder, nothing.records), (None, Records::new()));
    assert_eq!(store.leader().await.unwrap(), None);

    // One process leads, and others are told who.
    let mut first = lead(store, "first").await.unwrap();
    let refused = lead(store, "second").await.unwrap_err();
    assert!(
        matches!(&refused, Error::Held { holder, .. } if holder.contains("first")),
        "{refused}"
    );
    first.check().await.unwrap();
    assert!(store.leader().await.unwrap().unwrap().contains("first"));

    // All processes read its records, whole, as it wrote them last.
    assert_eq!(*first.read().await.unwrap(), Records::new());
    let two = records([("ledger:topic:a.b:k", r#"{"version":1}"#), ("override", r#"{"x":"]"}"#)]);
    first.write(&two).await.unwrap();
    let seen = store.seen().await.unwrap();
    assert_eq!(seen.records, two);
    assert!(seen.holder.unwrap().contains("first"));
    let one = records([("override", r#"{"x":"y"}"#), ("owner", "{}")]);
    first.write(&one).await.unwrap();
    assert_eq!(store.seen().await.unwrap().records, one);

    // A process that waits hears who leads, and leads soon after the release.
    let (heard, mut told) = (Notify::new(), Vec::new());
    let tell = |name: &str| {
        told.push(name.to_owned());
        heard.notify_one();
    };
    let waits = store.lead(holder("second"), Wait::Forever, tell);
    let gives_back = async {
        heard.notified().await;
        first.release().await;
        Instant::now()
    };
    let (second, released) = tokio::join!(waits, gives_back);
    let mut second = second.unwrap();
    assert!(released.elapsed() < Duration::from_secs(8), "it need not wait for a dead one");
    assert!(told.iter().all(|name| name.contains("first")), "{told:?}");
    assert_eq!(*second.read().await.unwrap(), one, "it continues with the same records");
    second.write(&two).await.unwrap();

    // A process that is replaced without its knowledge writes nothing more, and does not lead again.
    // On a thread without a runtime: it may begin one.
    std::thread::scope(|scope| scope.spawn(steal).join().unwrap());
    let mut third = lead(store, "second").await.unwrap();
    assert_eq!(*third.read().await.unwrap(), two);
    third.write(&one).await.unwrap();
    let is_over = |error: &Error| {
        matches!(error, Error::Lost { .. } | Error::Ended { .. } | Error::Held { .. })
    };
    // A claim in the topic first finds out whether it can be taken back.
    let writes = async || second.write(&Records::new()).await.err().filter(is_over);
    eventually("the loss", writes).await;
    assert_eq!(store.seen().await.unwrap().records, one);
    let again = async || second.take_again().await.err().filter(Error::is_for_good);
    eventually("a verdict", again).await;
    third.check().await.unwrap();
    second.abandon();
    third.release().await;
}
