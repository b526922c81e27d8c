//! Records of a client that nobody knows: the first two bytes of each piece say how long it is.
#![no_main]

use std::sync::{Arc, LazyLock};
use vial_channel::{Acceptor, Identity};

static ACCEPTOR: LazyLock<Acceptor> = LazyLock::new(|| {
    let random = |bytes: &mut [u8]| { bytes.fill(9); true };
    let mut acceptor = Acceptor::new(Arc::new(Identity::new(&[7; 32])), random);
    acceptor.certify(b"{}").expect("a certificate");
    acceptor
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut session = ACCEPTOR.accept().expect("a session");
    let mut rest = data;
    while let Some((len, after)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_le_bytes(*len)).min(after.len()).min(session.room());
        let (piece, after) = after.split_at(len);
        session.receive(piece, &mut |_| ());
        let _sent = session.send(b"an answer", &mut |_| ());
        session.note_sent(session.unsent().len());
        rest = after;
    }
    session.close();
});
