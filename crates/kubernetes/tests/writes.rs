//! ConfigMaps and Leases against the real API, which refuses a write over a version that the writer has not read.

use std::collections::BTreeMap;
use std::time::Duration;

use mappr_kubernetes::lease::{KeptLease, LeaseTerms};
use mappr_kubernetes::shards::{Form, Items, Shards, ShardsError, managed_by};
use mappr_kubernetes::{Access, Error, Kubernetes, Name};
use tokio::time::{Instant, timeout};

fn with_api(work: impl AsyncFnOnce(&testbed::Kubernetes, Kubernetes)) {
    let server = testbed::Kubernetes::start().expect("a control plane");
    let access = Access { kubeconfig: vec![server.kubeconfig()], ..Access::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let kubernetes = Kubernetes::connect(&access).await.expect("a client");
        work(&server, kubernetes).await;
    });
}

fn data(value: &str) -> BTreeMap<String, String> {
    [("key".to_owned(), value.to_owned())].into()
}

fn terms(holder: &str, seconds: u64) -> LeaseTerms {
    let duration = Duration::from_secs(seconds);
    LeaseTerms { name: Name::new("default", "the-lock"), holder: holder.to_owned(), duration }
}

async fn take(kubernetes: &Kubernetes, holder: &str, seconds: u64) -> KeptLease {
    kubernetes.campaign(&terms(holder, seconds), |_| ()).await.expect("a lease")
}

/// The last deadline of a holder that loses the Lease.
async fn lost(lease: &KeptLease) -> Instant {
    let mut last = lease.until().expect("it is held");
    while let Ok(until) = lease.until() {
        last = until;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    last
}

#[test]
#[ignore = "live"]
fn a_config_map_is_written_only_over_what_was_read() {
    with_api(async |_, kubernetes| {
        let name = Name::new("default", "state");
        assert!(kubernetes.config_map(&name).await.unwrap().is_none());
        let labels = [("app".to_owned(), "topics".to_owned())].into();
        let made = kubernetes.create_config_map(&name, &labels, data("1")).await.unwrap();
        let again = kubernetes.create_config_map(&name, &labels, data("1")).await;
        assert!(matches!(again, Err(Error::Conflict { .. })), "{again:?}");

        let calls = kubernetes.calls();
        kubernetes.replace_config_map(&made, data("2")).await.unwrap();
        let stale = kubernetes.replace_config_map(&made, data("3")).await;
        assert!(matches!(stale, Err(Error::Conflict { .. })), "{stale:?}");
        assert_eq!(kubernetes.calls(), calls + 2, "a write is sent once");

        let listed = kubernetes.config_maps("default", "app=topics").await.unwrap();
        assert_eq!((listed.len(), &listed[0].data), (1, &data("2")));
        assert_eq!(kubernetes.config_maps("default", "app=other").await.unwrap().len(), 0);
    });
}

/// One text for each key, two small texts in a ConfigMap, and the writer's name.
struct Ours(&'static str);

impl Form for Ours {
    const MOST: usize = 30;
    type Problem = String;

    fn items(&self, data: &Items) -> Result<Items, String> {
        let mut items = data.clone();
        items.remove("holder").map(|_| items).ok_or("nobody has written it".to_owned())
    }

    fn data(&self, items: &Items) -> Items {
        let mut data = items.clone();
        data.insert("holder".to_owned(), self.0.to_owned());
        data
    }

    fn labels(&self) -> Items {
        managed_by("a-test")
    }
}

#[test]
#[ignore = "live"]
fn texts_in_several_config_maps_are_written_by_who_claimed_them_last() {
    with_api(async |_, kubernetes| {
        let first = Name::new("default", "texts");
        let texts = |numbers: std::ops::Range<u32>| -> Items {
            numbers.map(|n| (format!("key-{n}"), n.to_string())).collect()
        };
        let claim =
            async |by| Shards::claim(kubernetes.clone(), first.clone(), &Ours(by)).await.unwrap();
        let mut a = claim("a").await;
        assert_eq!(a.items(), Items::new());
        a.write(texts(0..7), &Ours("a")).await.unwrap();
        let listed = "app.kubernetes.io/managed-by=a-test";
        let names = kubernetes.config_maps("default", listed).await.unwrap();
        let names: Vec<&str> = names.iter().map(|map| map.name.name.as_str()).collect();
        assert_eq!(names, ["texts", "texts-1", "texts-2"]);
        let calls = kubernetes.calls();
        a.write(texts(0..7), &Ours("a")).await.unwrap();
        assert_eq!(kubernetes.calls(), calls, "what has not changed is not written");
        a.confirm::<String>().await.unwrap();

        let mut b = claim("b").await;
        assert_eq!(b.items(), texts(0..7));
        let taken = |done| matches!(done, Err(ShardsError::Taken { .. }));
        assert!(taken(a.confirm().await), "b has it by now");
        assert!(taken(a.write(texts(0..1), &Ours("a")).await), "b has it by now");
        b.write(texts(5..9), &Ours("b")).await.unwrap();
        let read = Shards::read(kubernetes.clone(), first.clone(), &Ours("c")).await.unwrap();
        assert_eq!(read.items(), texts(5..9));
        assert!(read.maps().all(|map| map.data["holder"] == "b"));

        let name = Name::new("default", "texts-3");
        kubernetes.create_config_map(&name, &Items::new(), data("1")).await.unwrap();
        let odd = Shards::read(kubernetes.clone(), first.clone(), &Ours("c")).await.unwrap_err();
        assert_eq!(odd.to_string(), "ConfigMap default/texts-3: nobody has written it");
    });
}

#[test]
#[ignore = "live"]
fn a_lease_has_one_holder_who_stops_when_it_is_lost() {
    with_api(async |server, kubernetes| {
        // While it is kept, it outlives its duration.
        let first = take(&kubernetes, "first", 4).await;
        let (mut holders, second) = (Vec::new(), terms("second", 4));
        let waits = kubernetes.campaign(&second, |holder| holders.push(holder.to_owned()));
        assert!(timeout(Duration::from_secs(8), waits).await.is_err(), "two hold it");
        assert_eq!(holders, ["first"]);

        // After its release, it is free at once.
        first.release().await;
        let second = timeout(Duration::from_secs(2), take(&kubernetes, "second", 4)).await.unwrap();

        // After its holder ends, another process takes it over, but only when it has not changed for its duration.
        drop(second);
        let started = Instant::now();
        let third = take(&kubernetes, "third", 4).await;
        assert!(started.elapsed() > Duration::from_secs(4), "{:?}", started.elapsed());

        // A holder whose Lease another process has written hears of it.
        let again = take(&kubernetes, "third", 4).await;
        timeout(Duration::from_secs(4), lost(&third)).await.unwrap();

        // Without an API, the holder loses it before another process may take it.
        server.stop(testbed::kubernetes::Component::ApiServer);
        let deadline = timeout(Duration::from_secs(10), lost(&again)).await.unwrap();
        assert!(Instant::now() < deadline, "time is left for stopping");
    });
}
