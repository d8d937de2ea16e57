//! A real Apache Kafka: KRaft, one node or several, on addresses that nothing else uses.

use super::places::{fetched, free_port, scratch};
use super::process::{Leashed, run};
use super::tls::Authority;
use portcullis::kafka::{HostPort, UpstreamOptions};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// The user that both SASL mechanisms know, and the password.
pub const USER: &str = "alice";
pub const PASSWORD: &str = "alice-secret";

/// One node's address on each listener, `host:port`.
pub struct Node {
    pub id: i32,
    /// 127.77.83.90 + id: a host that a leak test can look for.
    pub host: String,
    pub plaintext: u16,
    /// PLAIN and SCRAM-SHA-512, in the clear.
    pub sasl: u16,
    pub tls: u16,
    /// PLAIN and SCRAM-SHA-512 within TLS.
    pub sasl_tls: u16,
}

pub struct Kafka {
    pub nodes: Vec<Node>,
    pub authority: Authority,
    processes: Vec<Leashed>,
    folder: TempDir,
}

/// What a cluster has over every other.
#[derive(Clone, Copy, Default)]
pub struct Extras<'a> {
    /// Feature levels that are not the newest: `transaction.version=1`.
    pub features: &'a [&'a str],
    /// Lines of `server.properties`; of a key that is there already, the last counts.
    pub properties: &'a str,
}

impl Kafka {
    /// Starts `brokers` nodes; the first is the controller as well.
    pub fn start(brokers: i32) -> Self {
        Self::start_with(brokers, Extras::default())
    }

    pub fn start_with(brokers: i32, extras: Extras<'_>) -> Self {
        let folder = scratch();
        let authority = Authority::new(folder.path());
        let nodes: Vec<Node> = (1..=brokers)
            .map(|id| {
                let host = format!("127.77.83.{}", 90 + id);
                let [plaintext, sasl, tls, sasl_tls] = [(); 4].map(|()| telling_port(&host));
                Node {
                    id,
                    host,
                    plaintext,
                    sasl,
                    tls,
                    sasl_tls,
                }
            })
            .collect();
        let controller = format!("{}:{}", nodes[0].host, free_port(&nodes[0].host));
        let processes = nodes
            .iter()
            .map(|node| start_node(node, &nodes, &controller, folder.path(), &authority, extras))
            .collect();
        let mut kafka = Self {
            nodes,
            authority,
            processes,
            folder,
        };
        let (bootstrap, wanted) = (kafka.bootstrap(), kafka.nodes.len());
        for process in &mut kafka.processes {
            process.wait_until("Kafka", Duration::from_secs(90), || {
                brokers_known(&bootstrap) == Some(wanted)
            });
        }
        kafka
    }

    /// Ends a node at once, as a crash would.
    pub fn kill(&mut self, id: i32) {
        self.processes[id as usize - 1].stop();
    }

    /// Starts a node again on its data, and waits until the first node knows it.
    pub fn restart(&mut self, id: i32) {
        let home = self.folder.path().join(format!("node-{id}"));
        let file = home.join("server.properties");
        let at = id as usize - 1;
        self.processes[at] = Leashed::start(
            "KILL",
            java(&["kafka.Kafka", file.to_str().unwrap()]),
            &home,
            &home.join("log"),
        );
        let (bootstrap, wanted) = (self.bootstrap(), self.nodes.len());
        self.processes[at].wait_until("Kafka", Duration::from_secs(90), || {
            brokers_known(&bootstrap) == Some(wanted)
        });
    }

    pub fn bootstrap(&self) -> String {
        self.addresses(|node| node.plaintext)
    }

    pub fn sasl_bootstrap(&self) -> String {
        self.addresses(|node| node.sasl)
    }

    pub fn tls_bootstrap(&self) -> String {
        self.addresses(|node| node.tls)
    }

    pub fn sasl_tls_bootstrap(&self) -> String {
        self.addresses(|node| node.sasl_tls)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn addresses(&self, port: impl Fn(&Node) -> u16) -> String {
        self.nodes
            .iter()
            .map(|node| format!("{}:{}", node.host, port(node)))
            .collect::<Vec<_>>()
            .join(",")
    }
}

/// Brokers in plaintext, as our own client takes them.
pub fn upstream(bootstrap: &str) -> UpstreamOptions {
    let servers = bootstrap.split(',').map(|server| {
        let (host, port) = server.rsplit_once(':').unwrap();
        HostPort {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        }
    });
    UpstreamOptions {
        bootstrap_servers: servers.collect(),
        tls: None,
        sasl: None,
    }
}

/// A free port whose four bytes are rare in what brokers say: one that ends in a zero byte looks like any small number
/// that another follows, and `real_addresses` searches for them.
fn telling_port(host: &str) -> u16 {
    loop {
        let port = free_port(host);
        if !port.is_multiple_of(256) {
            return port;
        }
    }
}

fn start_node(
    node: &Node,
    nodes: &[Node],
    controller: &str,
    folder: &Path,
    authority: &Authority,
    extras: Extras<'_>,
) -> Leashed {
    let home = folder.join(format!("node-{}", node.id));
    fs::create_dir_all(&home).unwrap();
    let file = home.join("server.properties");
    fs::write(
        &file,
        configuration(node, nodes.len(), controller, &home, authority) + extras.properties,
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let scram = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
    let mut format = vec![
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        "cG9ydGN1bGxpcy10ZXN0cw",
        "--config",
        file,
        "--add-scram",
        &scram,
    ];
    for feature in extras.features {
        format.extend(["--feature", feature]);
    }
    let formatted = run(&java(&format));
    assert!(formatted.status.success(), "{formatted:#?}");
    // KILL: nobody wants its data, and an orderly end of one node waits for the others.
    Leashed::start("KILL", java(&["kafka.Kafka", file]), &home, &home.join("log"))
}

fn java(arguments: &[&str]) -> Vec<String> {
    let mut command: Vec<String> = [
        "java",
        "-Xms128m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
    ]
    .map(str::to_owned)
    .to_vec();
    command.push("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned());
    command.extend(["-cp".to_owned(), format!("{}/*", fetched("kafka").display())]);
    command.extend(arguments.iter().map(|&argument| argument.to_owned()));
    command
}

fn configuration(node: &Node, nodes: usize, controller: &str, home: &Path, authority: &Authority) -> String {
    let Node {
        id,
        host,
        plaintext,
        sasl,
        tls,
        sasl_tls,
    } = node;
    let replicas = nodes.min(3);
    let keys = authority.sign(&format!("broker-{id}"), &[host]);
    let listeners = format!(
        "PLAINTEXT://{host}:{plaintext},SASL://{host}:{sasl},TLS://{host}:{tls},SASLTLS://{host}:{sasl_tls}"
    );
    let mut text = if *id == 1 {
        format!("process.roles=broker,controller\nlisteners={listeners},CONTROLLER://{controller}\n")
    } else {
        format!("process.roles=broker\nlisteners={listeners}\n")
    };
    write!(
        text,
        "node.id={id}
advertised.listeners={listeners}
controller.quorum.voters=1@{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,SASLTLS:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.dirs={home}/data
num.partitions=3
default.replication.factor={replicas}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=5
transaction.state.log.replication.factor={replicas}
transaction.state.log.num.partitions=5
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=5
group.initial.rebalance.delay.ms=0
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.location={keystore}
listener.name.sasltls.ssl.keystore.type=PEM
listener.name.sasltls.ssl.keystore.location={keystore}
listener.name.sasltls.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
listener.name.sasltls.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
log.cleaner.backoff.ms=500
",
        home = home.display(),
        keystore = keys.both.display(),
    )
    .unwrap();
    text
}

/// How many brokers the first of `bootstrap` knows, by Metadata version 1.
fn brokers_known(bootstrap: &str) -> Option<usize> {
    let mut socket = TcpStream::connect(bootstrap.split(',').next()?).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    // Length 14; key 3, version 1, correlation id 7, no client id, no topics.
    socket
        .write_all(&[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0])
        .ok()?;
    let mut head = [0; 12];
    socket.read_exact(&mut head).ok()?;
    let [.., a, b, c, d] = head;
    usize::try_from(i32::from_be_bytes([a, b, c, d])).ok()
}
