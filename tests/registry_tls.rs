//! The promise: the registry's port speaks TLS 1.2 and 1.3 to whoever has the right to it, turns everybody else away
//! without a byte of an answer, takes new certificates while it serves, and lets nobody's handshake hold up another's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use rcgen::date_time_ymd;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::embedded::BROKER;
use support::gateway::{Portcullis, Setup};
use support::http;
use support::process::{eventually, run};
use support::tls::{Authority, Identity};
use tempfile::TempDir;

const ONLY_1_2: &[&SupportedProtocolVersion] = &[&TLS12];
const ONLY_1_3: &[&SupportedProtocolVersion] = &[&TLS13];
const PATIENCE: Duration = Duration::from_secs(20);

/// A registry in TLS, and who signed its certificate.
struct House {
    folder: TempDir,
    authority: Authority,
    server: Identity,
    registry: Portcullis,
}

impl House {
    fn start() -> Self {
        Self::with("")
    }

    /// `more`: keys of `tls` besides the certificate and its key; `CA` stands for the authority's certificate.
    fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let server = authority.sign("registry", &["127.0.0.1"]);
        let more = more.replace("CA", authority.certificate().to_str().unwrap());
        let mut setup = Setup::new(&BROKER);
        setup.registry_extra = format!(
            "tls: {{ certificate: {}, key: {}{more} }}",
            server.certificate.display(),
            server.key.display()
        );
        let registry = setup.start();
        Self {
            folder,
            authority,
            server,
            registry,
        }
    }

    fn client(&self) -> Client {
        Client::trusting(&self.authority.certificate())
    }

    fn ask(&self, client: &Client) -> Result<u16, String> {
        client.ask(&self.registry.registry)
    }

    fn failures(&self, reason: &str) -> u64 {
        let label = format!("reason=\"{reason}\"");
        self.registry
            .metric("schema_registry_tls_handshake_failures_total", &[&label]) as u64
    }

    fn reloads(&self, result: &str) -> u64 {
        let label = format!("result=\"{result}\"");
        self.registry.metric("portcullis_config_reload_total", &[&label]) as u64
    }

    /// Puts another identity where the registry has its own.
    fn replace(&self, by: &Identity) {
        fs::copy(&by.key, &self.server.key).unwrap();
        fs::copy(&by.certificate, &self.server.certificate).unwrap();
    }
}

/// What a client brings to a handshake.
#[derive(Clone)]
struct Client {
    ca: Vec<CertificateDer<'static>>,
    identity: Option<(Vec<CertificateDer<'static>>, Arc<PrivateKeyDer<'static>>)>,
    versions: &'static [&'static SupportedProtocolVersion],
    host: &'static str,
}

type Connection = StreamOwned<ClientConnection, TcpStream>;

fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

impl Client {
    fn trusting(ca: &Path) -> Self {
        Self {
            ca: certificates(ca),
            identity: None,
            versions: rustls::ALL_VERSIONS,
            host: "127.0.0.1",
        }
    }

    fn showing(mut self, identity: &Identity) -> Self {
        let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
        self.identity = Some((certificates(&identity.certificate), Arc::new(key)));
        self
    }

    fn versions(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions;
        self
    }

    fn config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for ca in &self.ca {
            roots.add(ca.clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            // Not `with_client_auth_cert`, which sees that a key does not fit.
            Some((chain, key)) => {
                let key = rustls::crypto::ring::sign::any_supported_type(key).unwrap();
                let identity = CertifiedKey::new(chain.clone(), key);
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.resumption = Resumption::in_memory_sessions(8);
        Arc::new(config)
    }

    /// A connection whose handshake is begun with the first write.
    fn connect(&self, config: &Arc<ClientConfig>, address: &str) -> Connection {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = ServerName::try_from(self.host).unwrap();
        StreamOwned::new(ClientConnection::new(config.clone(), host).unwrap(), socket)
    }

    /// The status of `/subjects`, or why there is none.
    fn ask(&self, address: &str) -> Result<u16, String> {
        let mut connection = self.connect(&self.config(), address);
        match http::exchange(&mut connection, "GET", address, "/subjects", "", None) {
            Ok(Some(answer)) => {
                assert_eq!(answer.body, "[]");
                Ok(answer.status)
            }
            Ok(None) => Err("closed".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A request on a connection that stays open; how the answer begins.
fn ask_again(connection: &mut Connection) -> String {
    connection
        .write_all(b"GET /subjects HTTP/1.1\r\nHost: r\r\n\r\n")
        .unwrap();
    let mut answer = [0; 4096];
    let mut length = 0;
    while !answer[..length].ends_with(b"[]") {
        let read = connection.read(&mut answer[length..]).unwrap();
        assert!(read > 0, "closed");
        length += read;
    }
    String::from_utf8_lossy(&answer[..15]).into_owned()
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let house = House::start();
    assert_eq!(house.ask(&house.client().versions(ONLY_1_2)), Ok(200));
    assert_eq!(house.ask(&house.client().versions(ONLY_1_3)), Ok(200));
    let address = &house.registry.registry;
    let ca = house.authority.certificate();
    let curl = |more: &[&str]| {
        let mut command = ["curl", "-sS", "--cacert", ca.to_str().unwrap()]
            .map(str::to_owned)
            .to_vec();
        command.extend(more.iter().map(|&word| word.to_owned()));
        command.push(format!("https://{address}/subjects"));
        run(&command)
    };
    for version in [
        ["--tlsv1.2", "--tls-max", "1.2"],
        ["--tlsv1.3", "--tls-max", "1.3"],
    ] {
        let ran = curl(&version);
        assert_eq!(ran.out, "[]", "{ran:?}");
    }
    let old = ["--tlsv1.1", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"];
    let ran = curl(&old);
    assert!(!ran.status.success() && ran.err.contains("alert"), "{ran:?}");
    assert!(
        house
            .registry
            .said()
            .contains("a TLS handshake with the registry failed")
    );

    // OpenSSL asks for HTTP/2 and HTTP/1.1 and is told the second.
    let command = format!(
        "echo | openssl s_client -connect {address} -alpn h2,http/1.1 -CAfile {}",
        ca.display()
    );
    let ran = run(&["bash".to_owned(), "-c".to_owned(), command]);
    for line in ["ALPN protocol: http/1.1", "Verification: OK", "TLSv1.3"] {
        assert!(ran.out.contains(line), "{line} in {ran:?}");
    }
}

#[test]
fn a_client_that_does_not_know_the_authority_or_the_host_stays_away() {
    let house = House::start();
    let other = Authority::called("other", house.folder.path());
    let refused = house.ask(&Client::trusting(&other.certificate())).unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    let mut elsewhere = house.client();
    elsewhere.host = "registry.test";
    let refused = house.ask(&elsewhere).unwrap_err();
    assert!(refused.contains("not valid for name"), "{refused}");
    eventually("both are counted", || house.failures("tls") == 2);
    assert_eq!(house.ask(&house.client()), Ok(200));
}

/// Certificates that a registry which wants one must not take.
fn bad_identities(house: &House) -> Vec<(&'static str, Identity)> {
    let authority = &house.authority;
    let other = Authority::called("strangers", house.folder.path());
    let years = |from, to| {
        move |params: &mut rcgen::CertificateParams| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        }
    };
    vec![
        (
            "expired",
            authority.sign_with("expired", &["c"], years(2019, 2020)),
        ),
        (
            "not yet valid",
            authority.sign_with("early", &["c"], years(2099, 2100)),
        ),
        ("of another authority", other.sign("stranger", &["c"])),
        (
            "only for servers",
            authority.sign_with("server-only", &["c"], |params| {
                params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
            }),
        ),
    ]
}

#[test]
fn a_client_must_show_a_good_certificate_where_one_is_required() {
    let house = House::with(", client_ca: CA");
    let good = house.authority.sign("client", &["client"]);
    for versions in [ONLY_1_2, ONLY_1_3] {
        assert_eq!(
            house.ask(&house.client().versions(versions).showing(&good)),
            Ok(200)
        );
        let failed = house.failures("tls");
        let without = house.ask(&house.client().versions(versions)).unwrap_err();
        assert!(without.to_lowercase().contains("alert"), "{without}");
        let bad = bad_identities(&house);
        for (why, identity) in &bad {
            let refused = house
                .ask(&house.client().versions(versions).showing(identity))
                .unwrap_err();
            assert!(refused.contains("alert"), "{why}: {refused}");
        }
        eventually("all are counted", || {
            house.failures("tls") == failed + 1 + bad.len() as u64
        });
    }
    // Another's certificate is worth nothing without its key.
    let thief = house.authority.sign("thief", &["thief"]);
    let stolen = Identity {
        certificate: good.certificate.clone(),
        ..thief
    };
    let refused = house.ask(&house.client().showing(&stolen)).unwrap_err();
    assert!(refused.contains("alert"), "{refused}");
}

#[test]
fn a_certificate_may_be_left_out_where_it_is_optional_but_a_bad_one_is_refused() {
    let house = House::with(", client_ca: CA, client_auth: optional");
    let good = house.authority.sign("client", &["client"]);
    assert_eq!(house.ask(&house.client()), Ok(200));
    assert_eq!(house.ask(&house.client().showing(&good)), Ok(200));
    for (why, identity) in bad_identities(&house) {
        let refused = house.ask(&house.client().showing(&identity));
        assert!(refused.is_err(), "{why}");
    }
}

#[test]
fn a_session_is_resumed_only_where_clients_show_no_certificate() {
    for (more, expected) in [
        ("", HandshakeKind::Resumed),
        (", client_ca: CA", HandshakeKind::Full),
    ] {
        let house = House::with(more);
        let good = house.authority.sign("client", &["client"]);
        for versions in [ONLY_1_2, ONLY_1_3] {
            let client = house.client().versions(versions).showing(&good);
            let config = client.config();
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let mut connection = client.connect(&config, &house.registry.registry);
                assert_eq!(ask_again(&mut connection), "HTTP/1.1 200 OK");
                kinds.push(connection.conn.handshake_kind().unwrap());
            }
            assert_eq!(kinds, [HandshakeKind::Full, expected], "{more} {versions:?}");
        }
    }
}

/// What the registry shows to a new connection.
fn shown(house: &House, client: &Client) -> CertificateDer<'static> {
    let mut connection = client.connect(&client.config(), &house.registry.registry);
    assert_eq!(ask_again(&mut connection), "HTTP/1.1 200 OK");
    connection.conn.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let house = House::start();
    let client = house.client();
    let config = client.config();
    let mut old = client.connect(&config, &house.registry.registry);
    assert_eq!(ask_again(&mut old), "HTTP/1.1 200 OK");
    let next = house.authority.sign("next", &["127.0.0.1"]);
    let expected = certificates(&next.certificate)[0].clone();
    house.replace(&next);
    eventually("the new certificate is shown", || {
        shown(&house, &client) == expected
    });
    assert_eq!(ask_again(&mut old), "HTTP/1.1 200 OK");
    assert_eq!((house.reloads("success"), house.reloads("failure")), (1, 0));

    // And on the operator's word, without waiting.
    let third = house.authority.sign("third", &["127.0.0.1"]);
    house.replace(&third);
    house.registry.signal("HUP");
    let expected = certificates(&third.certificate)[0].clone();
    eventually("the third certificate is shown", || {
        shown(&house, &client) == expected
    });
    assert_eq!(ask_again(&mut old), "HTTP/1.1 200 OK");
}

#[test]
fn a_bad_certificate_leaves_the_old_one_in_use_and_says_why() {
    let house = House::start();
    let client = house.client();
    let own = fs::read(&house.server.certificate).unwrap();
    let own_key = fs::read(&house.server.key).unwrap();
    let expected = certificates(&house.server.certificate)[0].clone();
    let expired = house.authority.sign_with("old", &["127.0.0.1"], |params| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let other = house.authority.sign("other-key", &["127.0.0.1"]);
    let mut failures = 0;
    let mut keeps = |what: &str, says: &str| {
        failures += 1;
        eventually(what, || house.reloads("failure") == failures);
        assert_eq!(shown(&house, &client), expected, "{what}");
        let said = house.registry.said();
        let last = said
            .lines()
            .rfind(|line| line.contains("keeps its TLS certificate"));
        assert!(last.is_some_and(|line| line.contains(says)), "{what}: {said}");
    };
    fs::write(&house.server.certificate, "no certificate").unwrap();
    keeps("garbage is refused", "holds no certificate");
    fs::write(&house.server.certificate, &own).unwrap();
    eventually("the good one is back", || house.reloads("success") == 1);
    fs::copy(&other.key, &house.server.key).unwrap();
    keeps("a key of another certificate is refused", "registry.key");
    fs::remove_file(&house.server.key).unwrap();
    keeps("a missing key is refused", "registry.key");
    fs::copy(&expired.key, &house.server.key).unwrap();
    fs::copy(&expired.certificate, &house.server.certificate).unwrap();
    keeps("an expired certificate is refused", "has expired");
    house.registry.signal("HUP");
    keeps("it is refused again when asked for", "has expired");
    fs::write(&house.server.key, &own_key).unwrap();
    fs::write(&house.server.certificate, &own).unwrap();
    eventually("the good one is back again", || house.reloads("success") == 2);
    let key = String::from_utf8(own_key).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(
        !house.registry.said().contains(secret),
        "a private key is in the log"
    );
}

#[test]
fn a_new_authority_of_clients_holds_for_new_connections() {
    let folder = tempfile::tempdir().unwrap();
    let first = Authority::called("first", folder.path());
    let second = Authority::called("second", folder.path());
    let trusted = folder.path().join("trusted.pem");
    fs::copy(first.certificate(), &trusted).unwrap();
    let house = House::with(&format!(", client_ca: {}", trusted.display()));
    let (alice, bob) = (first.sign("alice", &["a"]), second.sign("bob", &["b"]));
    let (alice, bob) = (house.client().showing(&alice), house.client().showing(&bob));
    assert_eq!(house.ask(&alice), Ok(200));
    assert!(house.ask(&bob).is_err());
    fs::copy(second.certificate(), &trusted).unwrap();
    eventually("the second authority is trusted", || house.ask(&bob) == Ok(200));
    assert!(house.ask(&alice).is_err());
    fs::write(&trusted, "").unwrap();
    eventually("an empty file is refused", || house.reloads("failure") == 1);
    assert_eq!(house.ask(&bob), Ok(200));
}

#[test]
fn plaintext_on_the_tls_port_is_closed_and_named() {
    let house = House::start();
    for (bytes, looks_like) in [
        (
            &b"GET /subjects HTTP/1.1\r\nHost: r\r\n\r\n"[..],
            "it looked like HTTP",
        ),
        (
            &[0, 0, 0, 20, 0, 18, 0, 4, 0, 0, 0, 1][..],
            "it looked like a Kafka request",
        ),
        (&b"EHLO there\r\n"[..], "it looked like no protocol"),
    ] {
        let mut socket = TcpStream::connect(&house.registry.registry).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        let ended = socket.read_to_end(&mut answer);
        assert!(ended.is_ok() || ended.is_err_and(|why| why.kind() == ErrorKind::ConnectionReset));
        assert!(answer.is_empty(), "{answer:?}");
        eventually(looks_like, || house.registry.said().contains(looks_like));
    }
    assert_eq!(house.failures("plaintext"), 3);
    assert_eq!(house.ask(&house.client()), Ok(200));
}

#[test]
fn handshakes_that_never_end_hold_up_nobody() {
    let house = House::start();
    let connect = || TcpStream::connect(&house.registry.registry).unwrap();
    let mut silent: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
    let answered_soon = || {
        let began = Instant::now();
        assert_eq!(house.ask(&house.client()), Ok(200));
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
    };
    answered_soon();
    // Half a ClientHello each, and more of them than there may be handshakes, or connections, at once.
    for _ in 0..1_100 {
        let mut slow = connect();
        slow.write_all(&[22, 3, 1, 0, 200, 1, 0]).unwrap();
        silent.push(slow);
    }
    answered_soon();
    eventually("the oldest are shed", || house.failures("shed") >= 500);
    // Those that are left end by themselves.
    let mut last = silent.pop().unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    let began = Instant::now();
    let _ = last.read_to_end(&mut Vec::new());
    assert!(began.elapsed() < Duration::from_secs(15));
    eventually("the timeouts are counted", || house.failures("timeout") >= 500);
    answered_soon();
}

#[test]
fn a_certificate_that_cannot_be_read_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    fs::write(&certificate, "no certificate").unwrap();
    fs::write(&key, "no key").unwrap();
    let file = folder.path().join("p.yaml");
    let port = support::places::free_ports("127.0.0.1", 70);
    let text = format!(
        "upstream: {{ bootstrap_servers: [\"{}\"] }}\n\
         gateway: {{ listeners: [ {{ address: \"127.0.0.1:{port}\" }} ] }}\n\
         registry: {{ embedded: {{ listen: \"127.0.0.1:{}\", store: {{ file: s }}, tls: {{ certificate: c.pem, key: k.pem }} }} }}\n\
         admin: {{ listen: \"127.0.0.1:0\" }}\n",
        *BROKER,
        port + 69
    );
    fs::write(&file, text).unwrap();
    let command = [
        env!("CARGO_BIN_EXE_portcullis"),
        "run",
        "--config",
        file.to_str().unwrap(),
    ];
    let ran = run(&command.map(str::to_owned));
    assert!(!ran.status.success());
    let said = ran.out + &ran.err;
    assert!(
        said.contains("c.pem: holds no certificate") && said.contains("the registry on"),
        "{said}"
    );
}
