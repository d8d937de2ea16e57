//! OpenLDAP's server, out of Debian's package, with a directory of its own.

use super::places::{fetched, free_ports};
use super::process::{Leashed, run_for};
use super::tls::Identity;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

pub struct Slapd {
    process: Leashed,
    folder: TempDir,
    port: u16,
}

impl Slapd {
    /// `entries`: LDIF below and with the suffix `dc=example,dc=com`. The entry `cn=reader,dc=example,dc=com` may read
    /// everything but passwords, and everybody else nothing, but users the groups below `ou=groups`.
    pub fn start(entries: &str, ca: &Path, identity: &Identity) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = fetched("slapd");
        fs::create_dir(folder.path().join("db")).unwrap();
        let here = folder.path().display();
        let root = root.display();
        // `bind_anon_cred`: as some directories do, it calls a bind with a name and no password a success.
        let configuration = format!(
            "include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
modulepath {root}/usr/lib/ldap
moduleload back_mdb.so
allow bind_anon_cred
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree=\"ou=groups,dc=example,dc=com\" by users read by * none
access to * by dn.exact=\"cn=reader,dc=example,dc=com\" read by * none
database mdb
suffix \"dc=example,dc=com\"
rootdn \"cn=root,dc=example,dc=com\"
directory {here}/db
",
            ca = ca.display(),
            certificate = identity.certificate.display(),
            key = identity.key.display(),
        );
        fs::write(folder.path().join("slapd.conf"), configuration).unwrap();
        fs::write(folder.path().join("entries.ldif"), entries).unwrap();
        let mut load = program("slapadd");
        for word in [
            "-f",
            &format!("{here}/slapd.conf"),
            "-l",
            &format!("{here}/entries.ldif"),
        ] {
            load.push(word.to_owned());
        }
        let ran = run_for(30, &load);
        assert!(ran.status.success(), "{ran:#?}");
        let port = free_ports("127.0.0.1", 2);
        let process = serve(folder.path(), port);
        Self {
            process,
            folder,
            port,
        }
    }

    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    pub fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.port + 1)
    }

    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// The same again on the same ports.
    pub fn start_again(&mut self) {
        self.process = serve(self.folder.path(), self.port);
    }
}

fn program(name: &str) -> Vec<String> {
    let root = fetched("slapd");
    vec![
        "env".to_owned(),
        format!(
            "LD_LIBRARY_PATH={}",
            root.join("usr/lib/x86_64-linux-gnu").display()
        ),
        root.join("usr/sbin").join(name).to_str().unwrap().to_owned(),
    ]
}

fn serve(folder: &Path, port: u16) -> Leashed {
    let mut command = program("slapd");
    let urls = format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{}", port + 1);
    // `-d` keeps it in the foreground.
    let configuration = folder.join("slapd.conf");
    for word in ["-f", configuration.to_str().unwrap(), "-h", &urls, "-d", "stats"] {
        command.push(word.to_owned());
    }
    let mut process = Leashed::start("TERM", command, folder, &folder.join("slapd.log"));
    process.wait_until("slapd", Duration::from_secs(20), || {
        TcpStream::connect(("127.0.0.1", port + 1)).is_ok()
    });
    process
}
