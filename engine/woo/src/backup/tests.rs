//! Backups that come back as they were, and everything that is not one.

use std::io::{Cursor, Write as _};

use cartwright_core::time::Timestamp;

use super::{stream::CHUNK_BYTES, *};
use crate::{MasterKey, seal::Secret};

/// Cheap: what is tested is not the cost.
const COST: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
const HEADER: usize = header::HEADER_BYTES;
const SEALED: usize = CHUNK_BYTES + 16;

fn passphrase() -> Secret {
    Secret::new("correct horse battery staple")
}

fn sealed(payload: &[u8]) -> Vec<u8> {
    let mut sealing = Sealing::new(Vec::new(), &passphrase(), COST).expect("begun");
    // In pieces that do not fit the chunks.
    for piece in payload.chunks(10_007) {
        sealing.write_all(piece).expect("written");
    }
    sealing.finish().expect("finished")
}

fn open(bytes: &[u8]) -> Result<Opened<Cursor<Vec<u8>>>, BackupError> {
    Opened::new(Cursor::new(bytes.to_vec()), &passphrase())
}

fn payload(bytes: &[u8]) -> Result<Vec<u8>, BackupError> {
    let (mut opened, mut payload, mut piece) = (open(bytes)?, Vec::new(), [0; 9_973]);
    loop {
        match opened.fill(&mut piece)? {
            0 => return Ok(payload),
            count => payload.extend_from_slice(&piece[..count]),
        }
    }
}

fn entries(bytes: &[u8]) -> Result<Vec<Entry>, BackupError> {
    let (mut opened, mut all) = (open(bytes)?, Vec::new());
    while let Some(entry) = read_entry(&mut opened, all.len() as u64 + 1)? {
        all.push(entry);
    }
    Ok(all)
}

fn made(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

#[test]
fn payloads_of_every_length_come_back_and_do_not_show() {
    for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7] {
        let bytes = sealed(&made(length));
        assert_eq!(payload(&bytes).expect("opens"), made(length), "{length}");
    }
    let (first, second) = (sealed(b"the same"), sealed(b"the same"));
    assert!(!first.windows(8).any(|window| window == b"the same"));
    assert_ne!(first[HEADER..], second[HEADER..], "a salt is used once");
}

#[test]
fn entries_come_back_in_order_and_again_after_rewinding() {
    let keys = vec![MasterKey::random().expect("made"), MasterKey::random().expect("made")];
    let all = [
        Entry::About { created: Timestamp::from_millis(1_795_000_000_000), engine: "0.1.0".into() },
        Entry::MasterKeys(keys),
        Entry::Record { table: "stores".into(), key: "a".into(), value: made(2 * CHUNK_BYTES) },
        Entry::Record { table: "secrets".into(), key: "\0ü".into(), value: Vec::new() },
        Entry::End { entries: 4 },
    ];
    let mut sealing = Sealing::new(Vec::new(), &passphrase(), COST).expect("begun");
    for entry in &all {
        write_entry(&mut sealing, entry).expect("written");
    }
    let bytes = sealing.finish().expect("finished");
    assert_eq!(entries(&bytes).expect("read"), all);
    let mut opened = open(&bytes).expect("opens");
    for _ in 0..2 {
        assert_eq!(read_entry(&mut opened, 1).expect("read").as_ref(), Some(&all[0]));
        opened.rewind().expect("rewound");
    }
}

#[test]
fn another_passphrase_is_told_apart_from_damage() {
    let bytes = sealed(b"x");
    for wrong in ["", "correct horse battery stapl", "Correct horse battery staple"] {
        let refused = Opened::new(Cursor::new(bytes.clone()), &Secret::new(wrong)).err();
        assert!(matches!(refused, Some(BackupError::Passphrase)), "{refused:?}");
    }
}

#[test]
fn every_flipped_byte_is_noticed_and_located() {
    let bytes = sealed(&made(CHUNK_BYTES + 40));
    let places =
        (0..HEADER + 30).chain((HEADER + 30..bytes.len() - 100).step_by(4_099)).chain(bytes.len() - 100..bytes.len());
    for place in places {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let error = payload(&changed).expect_err("noticed");
        let fits = match &error {
            BackupError::Foreign => place < 8,
            BackupError::Head => (8..88).contains(&place),
            BackupError::Passphrase => (88..HEADER).contains(&place),
            BackupError::Damaged { from, to } => (*from..*to).contains(&(place as u64)),
            BackupError::CutOff => place >= bytes.len() - 15,
            _ => false,
        };
        assert!(fits, "byte {place}: {error}");
    }
}

#[test]
fn a_backup_that_is_cut_off_anywhere_does_not_open() {
    let bytes = sealed(&made(2 * CHUNK_BYTES + 40));
    let boundaries = [HEADER, HEADER + SEALED, HEADER + 2 * SEALED, bytes.len() - 15];
    for length in boundaries.into_iter().chain([8, 50, HEADER - 1, HEADER + 1, bytes.len() - 1]) {
        let error = payload(&bytes[..length]).expect_err("noticed");
        assert!(matches!(error, BackupError::CutOff), "{length}: {error}");
    }
    // Even when somebody puts the end back, and even at a chunk's boundary.
    for length in boundaries {
        let mended = [&bytes[..length], b"CARTWRIGHT-END\n"].concat();
        if length < bytes.len() - 15 {
            assert!(matches!(payload(&mended), Err(BackupError::Damaged { .. })), "{length}");
        }
    }
}

#[test]
fn chunks_that_are_moved_repeated_dropped_or_of_another_backup_do_not_open() {
    let (bytes, other) = (sealed(&made(3 * CHUNK_BYTES + 40)), sealed(&made(3 * CHUNK_BYTES + 40)));
    let chunk = |number: usize| &bytes[HEADER + number * SEALED..HEADER + (number + 1) * SEALED];
    let (head, tail) = (&bytes[..HEADER], &bytes[HEADER + 3 * SEALED..]);
    assert_eq!([head, chunk(0), chunk(1), chunk(2), tail].concat(), bytes);
    let strange = &other[HEADER + SEALED..HEADER + 2 * SEALED];
    for changed in [
        [head, chunk(1), chunk(0), chunk(2), tail].concat(),
        [head, chunk(0), chunk(0), chunk(2), tail].concat(),
        [head, chunk(0), chunk(2), tail].concat(),
        [head, chunk(0), chunk(1), chunk(1), chunk(2), tail].concat(),
        [head, chunk(0), strange, chunk(2), tail].concat(),
    ] {
        assert!(matches!(payload(&changed), Err(BackupError::Damaged { .. })));
    }
}

#[test]
fn other_files_are_not_backups() {
    for bytes in [&b""[..], b"CWBACK", b"PK\x03\x04", &[0; 500], b"{\"kind\":\"about\"}"] {
        assert!(matches!(payload(bytes), Err(BackupError::Foreign)), "{bytes:?}");
    }
}

/// A header with its checksum put right.
fn with_header(change: impl Fn(&mut [u8])) -> Vec<u8> {
    use sha2::{Digest, Sha256};

    let mut bytes = sealed(b"x");
    change(&mut bytes[..56]);
    let check = Sha256::digest(&bytes[..56]);
    bytes[56..88].copy_from_slice(&check);
    bytes
}

#[test]
fn a_newer_format_and_a_cost_that_would_eat_the_machine_are_refused() {
    let newer = with_header(|header| header[9] = 3);
    assert!(matches!(payload(&newer), Err(BackupError::Newer { format: 3 })));
    for place in [12, 16, 20] {
        let costly = with_header(|header| header[place] = 0xff);
        assert!(matches!(payload(&costly), Err(BackupError::Head)), "{place}");
    }
    let cheap = with_header(|header| header[12..16].fill(0));
    assert!(matches!(payload(&cheap), Err(BackupError::Key(_))), "argon2 has a minimum");
}

#[test]
fn entries_that_make_no_sense_are_refused_by_place_and_not_quoted() {
    let entry = |text: &str| [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat();
    for text in [
        "",
        "hunter2",
        "{}",
        r#"{"kind":"about"}"#,
        r#"{"kind":"record","table":"stores","key":"a","value":"hunter2 "}"#,
        r#"{"kind":"record","table":"stores","key":"a","value":"","more":1}"#,
        r#"{"kind":"master_keys","keys":"hunter2"}"#,
        r#"{"kind":"end","entries":-1}"#,
    ] {
        let error = entries(&sealed(&entry(text))).expect_err(text);
        assert!(
            matches!(error, BackupError::Entry { place: 1, .. }) && !error.to_string().contains("hunter2"),
            "{error}"
        );
    }
    let error = entries(&sealed(&entry(r#"{"kind":"run","id":"x"}"#))).expect_err("newer");
    assert!(matches!(&error, BackupError::NewerEntry { place: 1, kind } if kind == "run"), "{error}");
    for bytes in [&[0, 0, 0][..], &[0, 0, 0, 9, b'{'], &[0xff; 8]] {
        assert!(matches!(entries(&sealed(bytes)), Err(BackupError::Entry { .. })), "{bytes:?}");
    }
}
