//! Signatures: who made a file, and what is said when they do not fit.

use cartwright_sandbox::plugin::{Keypair, PublicKey, Signature, SignatureError, hash_of};
use proptest::prelude::*;

/// RFC 8410, section 10.3: a private key without its public one, and the public key of section 10.1.
const RFC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const RFC_PUBLIC_SPKI: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

#[test]
fn a_published_key_signs_and_verifies() {
    use base64::Engine as _;
    let pair = Keypair::parse(RFC_PRIVATE).expect("the key of the RFC");
    let spki = base64::engine::general_purpose::STANDARD.decode(RFC_PUBLIC_SPKI).expect("base64");
    let expect = base64::engine::general_purpose::STANDARD.encode(&spki[12..]);
    assert_eq!(pair.public().to_string(), expect);
    let hash = hash_of(b"component");
    let line = format!("{}\n", pair.sign(&hash).expect("signed"));
    assert!(line.starts_with(&format!("ed25519 {expect} ")), "{line}");
    let signature = Signature::parse(&line).expect("the line is read");
    let trusted = [PublicKey::parse(&expect).expect("a key")];
    assert_eq!(signature.verify(&hash, &trusted), Ok(()));
    assert_eq!(signature.verify(&hash_of(b"other"), &trusted), Err(SignatureError::Wrong));
    assert_eq!(signature.verify(&hash, &[]), Err(SignatureError::Untrusted { key: pair.public() }));
}

#[test]
fn a_new_key_is_read_from_its_file_as_pem_or_base64() {
    let (pair, pem) = Keypair::generate().expect("a key");
    let bare: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for text in [pem.as_str(), &bare, &format!("\r\n{}\r\n", pem.replace('\n', "\r\n"))] {
        assert_eq!(Keypair::parse(text).expect("the same key").public(), pair.public());
    }
    assert_ne!(pair.public(), Keypair::generate().expect("another").0.public());
}

#[test]
fn a_signature_of_one_key_under_the_name_of_another_is_wrong() {
    let (honest, _) = Keypair::generate().expect("a key");
    let (other, _) = Keypair::generate().expect("a key");
    let hash = hash_of(b"component");
    let line = other.sign(&hash).expect("signed").to_string();
    let forged = line.replace(&other.public().to_string(), &honest.public().to_string());
    let forged = Signature::parse(&forged).expect("well-formed");
    assert_eq!(forged.verify(&hash, &[honest.public()]), Err(SignatureError::Wrong));
}

#[test]
fn errors_say_what_to_do() {
    let table = [
        (
            Signature::parse("").expect_err("empty"),
            "the signature file is not `ed25519 PUBLIC-KEY SIGNATURE` on one line; sign the plugin again with `cartwright plugin sign`",
        ),
        (
            PublicKey::parse("abc").expect_err("short"),
            "`abc` is not a public key: give the 44 characters of base64 that `cartwright plugin sign` shows",
        ),
        (
            Keypair::parse("abc").expect_err("no key"),
            "the key file holds no Ed25519 private key: give PKCS#8 as PEM or base64, as `openssl genpkey -algorithm ed25519` makes it",
        ),
    ];
    for (error, expect) in table {
        assert_eq!(error.to_string(), expect);
    }
    let (pair, _) = Keypair::generate().expect("a key");
    let key = pair.public();
    let untrusted = pair.sign(&hash_of(b"x")).and_then(|signature| signature.verify(&hash_of(b"x"), &[]));
    assert_eq!(
        untrusted.expect_err("nobody is trusted").to_string(),
        format!(
            "the plugin is signed with the key {key}, which is not trusted; if you trust its maker, add that key to the trusted keys"
        )
    );
    assert_eq!(pair.sign("12"), Err(SignatureError::Hash { hash: "12".into() }));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,300}") {
        let _ = Signature::parse(&text);
        let _ = Signature::parse(&format!("ed25519 {text}"));
        let _ = PublicKey::parse(&text);
        let _ = Keypair::parse(&text);
        let _ = Keypair::parse(&format!("-----BEGIN PRIVATE KEY-----{text}-----END PRIVATE KEY-----"));
    }

    #[test]
    fn a_changed_signature_never_verifies(at in 0usize..200, letter in "[A-Za-z0-9+/]") {
        let pair = Keypair::parse(RFC_PRIVATE).expect("the key of the RFC");
        let hash = hash_of(b"component");
        let line = pair.sign(&hash).expect("signed").to_string();
        let at = at % line.len();
        let changed = format!("{}{letter}{}", &line[..at], &line[at + 1..]);
        prop_assume!(changed != line);
        let verified = Signature::parse(&changed).map(|signature| signature.verify(&hash, &[pair.public()]));
        prop_assert!(!matches!(verified, Ok(Ok(()))), "{changed}");
    }
}
