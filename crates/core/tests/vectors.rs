//! The cipher against what others published: XAES-256-GCM's two vectors, and Wycheproof's AES-GCM sets for keys of
//! 256 bits, those that must fail included.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use aes_gcm::aead::{Aead, KeyInit, Payload};
use xaes_256_gcm::Xaes256Gcm;

#[test]
fn xaes_published_vectors() {
    for (key, aad, expected) in [
        (1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ] {
        let cipher = Xaes256Gcm::new(&[key; 32].into());
        let nonce = (*b"ABCDEFGHIJKLMNOPQRSTUVWX").into();
        let sealed = cipher.encrypt(&nonce, Payload { msg: b"XAES-256-GCM", aad: aad.as_bytes() }).unwrap();
        assert_eq!(hex::encode(&sealed), expected);
        let opened = cipher.decrypt(&nonce, Payload { msg: &sealed, aad: aad.as_bytes() }).unwrap();
        assert_eq!(opened, b"XAES-256-GCM");
    }
}

#[test]
fn wycheproof_aes_256_gcm() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        // Other sizes are sizes that the sealed format cannot have.
        if group.key_size != 256 || group.nonce_size != 96 || group.tag_size != 128 {
            continue;
        }
        for test in &group.tests {
            let key: [u8; 32] = test.key.as_slice().try_into().unwrap();
            let nonce: [u8; 12] = test.nonce.as_slice().try_into().unwrap();
            let cipher = aes_gcm::Aes256Gcm::new(&key.into());
            let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
            let opened = cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad: &test.aad });
            match test.result {
                wycheproof::TestResult::Invalid => {
                    assert!(opened.is_err(), "test {} must fail", test.tc_id);
                    invalid += 1;
                }
                _ => {
                    assert_eq!(opened.unwrap(), test.pt.as_slice(), "test {}", test.tc_id);
                    let again = cipher.encrypt(&nonce.into(), Payload { msg: &test.pt, aad: &test.aad });
                    assert_eq!(again.unwrap(), sealed, "test {}", test.tc_id);
                    valid += 1;
                }
            }
        }
    }
    assert!(valid > 30 && invalid > 20, "{valid} valid and {invalid} invalid tests were found");
}
