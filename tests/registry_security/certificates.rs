//! Clients that say who they are by their certificate.

use super::house::House;
use super::tls::Authority;
use std::process::Command;

#[test]
fn a_certificate_is_a_principal_whose_groups_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let server = authority.sign("server", &["localhost", "127.0.0.1"]);
    let orders = authority.sign("orders", &["client"]);
    let other = authority.sign("other", &["client"]);
    let file = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let files = [
        ("ca.pem", &*file(&authority.certificate())),
        ("server.pem", &*file(&server.certificate)),
        ("server.key", &*file(&server.key)),
    ];
    let security = r#"
      certificates: { principal: common_name }
      groups: { payments: ["orders"] }
      rules:
        - { subjects: ["payments.*"], read: ["*"], write: ["group:payments"] }
      audit: { file: audit.jsonl }
    tls: { certificate: server.pem, key: server.key, client_ca: ca.pem }"#;
    let house = House::start(security, &files);
    let curl = |identity: &super::tls::Identity, method: &str| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20", "--cacert"])
            .arg(authority.certificate())
            .arg("--cert")
            .arg(&identity.certificate)
            .arg("--key")
            .arg(&identity.key)
            .args([
                "-X",
                method,
                "-H",
                "Content-Type: application/json",
                "--data",
                r#"{"schema":"\"string\""}"#,
            ])
            .args(["-w", " %{http_code}"])
            .arg(format!(
                "https://localhost:{}/subjects/payments.a/versions",
                house.port
            ))
            .output()
            .unwrap();
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    let refused = curl(&other, "POST");
    assert!(
        refused.ends_with(" 403") && refused.contains("User other is denied operation WRITE"),
        "{refused}"
    );
    let written = curl(&orders, "POST");
    assert!(written.ends_with(" 200"), "{written}");
    let audit = house.audit("audit.jsonl", |lines| lines.len() >= 2);
    assert_eq!(audit[1]["principal"], "orders");
    assert_eq!(audit[1]["method"], "certificate");
}
