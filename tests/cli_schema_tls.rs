//! The promise: `portcullis schema` reaches a registry over TLS, shows its certificate where one is wanted, and trusts nobody
//! that it was not told to trust.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod registry_process;
#[path = "support/tls.rs"]
#[allow(dead_code, reason = "other tests take more of it")]
mod tls;

use registry_process::{Registry, schema};
use tls::Authority;

#[test]
fn a_registry_that_wants_a_certificate_gets_one_and_another_authoritys_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new(folder.path());
    let other = Authority::called("other", folder.path());
    let (server, client) = (
        ours.sign("server", &["127.0.0.1"]),
        ours.sign("client", &["client"]),
    );
    let elsewhere = ours.sign("elsewhere", &["elsewhere.example.com"]);
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let ca = path(&ours.certificate());
    let of = |identity: &tls::Identity| {
        Registry::start_with(&format!(
            "tls: {{ certificate: {}, key: {}, client_ca: {ca} }}",
            path(&identity.certificate),
            path(&identity.key)
        ))
    };
    let registry = of(&server);
    let url = registry.url().replace("http://", "https://");
    let list =
        |url: &str, more: &[&str]| schema(folder.path(), &[&["list", "--registry", url], more].concat());
    let (certificate, key) = (path(&client.certificate), path(&client.key));
    let identity = ["--certificate", &certificate, "--key", &key];

    let said = list(&url, &[&["--ca", &ca][..], &identity].concat());
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:#?}");
    let said = list(&url, &["--ca", &ca]);
    assert_eq!(said.code, 69, "without a certificate: {said:#?}");
    let said = list(
        &url,
        &[&["--ca", &path(&other.certificate())][..], &identity].concat(),
    );
    assert_eq!(said.code, 69, "an authority that is not trusted: {said:#?}");
    assert!(said.err.contains("certificate"), "{said:#?}");
    let wrong_name = of(&elsewhere);
    let said = list(
        &wrong_name.url().replace("http://", "https://"),
        &[&["--ca", &ca][..], &identity].concat(),
    );
    assert_eq!(said.code, 69, "the host's name is verified: {said:#?}");
    for (more, code) in [
        (&["--ca", "nowhere.pem"][..], 64),
        (&["--certificate", &certificate], 64),
        (&["--ca", &ca, "--certificate", &key, "--key", &certificate], 64),
    ] {
        assert_eq!(list(&url, more).code, code, "{more:?}");
    }
}
