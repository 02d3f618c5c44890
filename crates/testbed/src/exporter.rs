//! The JMX exporter in every broker, as operators run it: a Java agent that answers `/metrics`.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::jars::Jars;
use crate::spec::Hosts;

/// The exporter's configuration in the cluster's folder: the file that the chart ships.
pub(crate) const CONFIG: (&str, &str) =
    ("exporter.yml", include_str!("../../../deploy/helm/topicmappr/exporter.yaml"));

impl Cluster {
    /// The URLs of the brokers' metrics, running or not: `http://host:port/metrics` by broker. If the brokers have
    /// different hosts, as on separate machines, the port is the same for all. Empty without
    /// [`Builder::exporter`](crate::Builder::exporter).
    pub fn exporters(&self) -> BTreeMap<i32, String> {
        let places = self.spec().ids().zip(0..).filter(|_| self.spec().exporter);
        places.map(|(id, index)| (id, format!("http://{}/metrics", self.exporter(index)))).collect()
    }

    fn exporter(&self, index: u16) -> SocketAddrV4 {
        let port = match self.spec().hosts {
            Hosts::Distinct => self.ports().exporter(),
            Hosts::Shared => self.ports().broker(index) + 3,
        };
        SocketAddrV4::new(self.spec().host(index), port)
    }

    /// The JVM options that load the exporter into a broker.
    pub(crate) fn agent(&self, index: u16) -> Result<Vec<String>, Error> {
        if !self.spec().exporter {
            return Ok(Vec::new());
        }
        // A folder with one jar: its class path is that jar.
        let jar = Jars::of_jmx_exporter()?.classpath()?;
        let config = self.path().join(CONFIG.0);
        Ok(vec![format!("-javaagent:{jar}={}:{}", self.exporter(index), config.display())])
    }
}
