//! Whom a client's certificate is for, in RFC 2253's form as Java's `X500Principal.getName()` writes it, and so Kafka's and
//! Confluent's mTLS principals.

use super::principal::ClientCertificate;
use std::fmt::Write as _;
use std::sync::Arc;
use x509_parser::asn1_rs::{Oid, Tag, ToDer};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The attribute types that Java writes as words; all others as numbers, with their value in hexadecimal DER.
const KEYWORDS: [(&[u64], &str); 9] = [
    (&[2, 5, 4, 3], "CN"),
    (&[2, 5, 4, 6], "C"),
    (&[2, 5, 4, 7], "L"),
    (&[2, 5, 4, 8], "ST"),
    (&[2, 5, 4, 9], "STREET"),
    (&[2, 5, 4, 10], "O"),
    (&[2, 5, 4, 11], "OU"),
    (&[0, 9, 2342, 19_200_300, 100, 1, 25], "DC"),
    (&[0, 9, 2342, 19_200_300, 100, 1, 1], "UID"),
];

impl ClientCertificate {
    /// `None` when the certificate (DER) has no subject: it names nobody.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        Self::of(certificate.subject())
    }

    fn of(subject: &X509Name<'_>) -> Option<Self> {
        let mut distinguished_name = String::new();
        let mut common_name = None;
        let names: Vec<_> = subject.iter_rdn().collect();
        for name in names.into_iter().rev() {
            let mut separator = ",";
            for attribute in name.iter() {
                if !distinguished_name.is_empty() {
                    distinguished_name.push_str(separator);
                }
                separator = "+";
                let keyword = keyword(attribute.attr_type());
                write_attribute(&mut distinguished_name, keyword, attribute);
                if keyword == Some("CN") && common_name.is_none() {
                    common_name = text(attribute).map(Arc::from);
                }
            }
        }
        (!distinguished_name.is_empty()).then(|| Self {
            distinguished_name: distinguished_name.into(),
            common_name,
        })
    }
}

fn keyword(attribute_type: &Oid<'_>) -> Option<&'static str> {
    let known = KEYWORDS.iter().find(|(numbers, _)| {
        attribute_type
            .iter()
            .is_some_and(|arcs| arcs.eq(numbers.iter().copied()))
    });
    known.map(|(_, keyword)| *keyword)
}

/// Java would replace what is not UTF-8, so that two subjects could get one name; here it stays hexadecimal.
fn text<'a>(attribute: &'a AttributeTypeAndValue<'_>) -> Option<&'a str> {
    let value = attribute.attr_value();
    let is_text = matches!(
        value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::T61String | Tag::GeneralString
    );
    is_text.then(|| std::str::from_utf8(value.data).ok()).flatten()
}

fn write_attribute(name: &mut String, keyword: Option<&str>, attribute: &AttributeTypeAndValue<'_>) {
    match (keyword, text(attribute)) {
        (Some(keyword), Some(text)) => {
            name.push_str(keyword);
            name.push('=');
            write_escaped(name, text);
        }
        (keyword, _) => {
            match keyword {
                Some(keyword) => name.push_str(keyword),
                None => name.push_str(&attribute.attr_type().to_id_string()),
            }
            name.push_str("=#");
            for byte in attribute.attr_value().to_der_vec().unwrap_or_default() {
                let _ = write!(name, "{byte:02x}");
            }
        }
    }
}

/// RFC 2253, section 2.4, as `AVA.toRFC2253String` reads it.
fn write_escaped(name: &mut String, text: &str) {
    let blank = |c: char| c == ' ' || c == '\r';
    let inner = text.trim_matches(blank);
    let start = text.len() - text.trim_start_matches(blank).len();
    for (offset, c) in text.char_indices() {
        let outside = offset < start || offset >= start + inner.len();
        match c {
            '\0' => name.push_str("\\00"),
            c => {
                if outside || ",=+<>#;\"\\".contains(c) {
                    name.push('\\');
                }
                name.push(c);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::FromDer as _;

    /// `subject`: DER in hexadecimal.
    fn of(subject: &str) -> Option<ClientCertificate> {
        let bytes: Vec<u8> = (0..subject.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&subject[at..at + 2], 16).unwrap())
            .collect();
        ClientCertificate::of(&X509Name::from_der(&bytes).unwrap().1)
    }

    fn name(subject: &str) -> String {
        of(subject).unwrap().distinguished_name.to_string()
    }

    /// The right sides are what Java 17's `new X500Principal(DER).getName()` said.
    #[test]
    fn a_subject_is_written_as_java_writes_it() {
        for (subject, expected) in [
            (
                "304e310b300906035504061302444531133011060355040a0c0a41636d652c20496e632e3111300f060355040b0c08706179\
                 6d656e74733117301506035504030c0e6f72646572732d73657276696365",
                r"CN=orders-service,OU=payments,O=Acme\, Inc.,C=DE",
            ),
            (
                "305331133011060a0992268993f22c6401191603636f6d31173015060a0992268993f22c64011916076578616d706c653123\
                 300c06035504030c05416c6963653013060a0992268993f22c6401010c05616c696365",
                "CN=Alice+UID=alice,DC=example,DC=com",
            ),
            (
                "30663110300e06035504080c0742617661726961310f300d06035504070c064d756e6963683112301006035504090c093120\
                 4d61696e205374310b30090603550405130234323114301206092a864886f70d01090116056140622e63310a300806035504\
                 030c0178",
                "CN=x,1.2.840.113549.1.9.1=#16056140622e63,2.5.4.5=#13023432,STREET=1 Main St,L=Munich,ST=Bavaria",
            ),
            (
                "301d311b301906035504030c122023612b6222635c643c653e663b673d6820",
                r#"CN=\ \#a\+b\"c\\d\<e\>f\;g\=h\ "#,
            ),
            (
                "3022310e300c06035504030c05236c6561643110300e06035504030c07202074776f2020",
                r"CN=\ \ two\ \ ,CN=\#lead",
            ),
            (
                "301b3119301706035504030c104ac3bc7267656e20e4b8ad20f09f9880",
                "CN=J\u{fc}rgen \u{4e2d} \u{1f600}",
            ),
            (
                "30133111300f06035504030c086100620a630d640d",
                "CN=a\\00b\nc\rd\\\r",
            ),
            ("300b3109300706035504030c00", "CN="),
            ("300c310a300806035504030c0120", "CN=\\ "),
            ("300e310c300a060355040304036f6374", "CN=#04036f6374"),
            ("300e310c300a06035504031203313233", "CN=#1203313233"),
            ("30123110300e06035504031b0767656e6572616c", "CN=general"),
            (
                "30123110300e06035504031a0776697369626c65",
                "CN=#1a0776697369626c65",
            ),
            (
                "30133111300f06035504031c0800000055000000e9",
                "CN=#1c0800000055000000e9",
            ),
        ] {
            assert_eq!(name(subject), expected, "{subject}");
        }
    }

    #[test]
    fn what_is_not_utf_8_keeps_its_bytes() {
        assert_eq!(name("300f310d300b06035504030c04626164ff"), "CN=#0c04626164ff");
        assert_eq!(name("300f310d300b06035504031404636166e9"), "CN=#1404636166e9");
        assert_eq!(name("300f310d300b06035504031e04004200e9"), "CN=#1e04004200e9");
    }

    #[test]
    fn the_common_name_is_the_most_specific_one_and_an_empty_subject_names_nobody() {
        let two = of("3022310e300c06035504030c05236c6561643110300e06035504030c07202074776f2020").unwrap();
        assert_eq!(two.common_name.as_deref(), Some("  two  "));
        assert_eq!(of("3000"), None);
        assert_eq!(ClientCertificate::read(b"0"), None);
    }
}
