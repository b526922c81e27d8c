//! Ethernet frames of the network: the first two bytes of each say how long it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let identity = std::sync::Arc::new(vial_channel::Identity::new(&[7; 32]));
    let model = vial_net::Model { name: "model".to_owned(), width: 8 };
    let sealed = vial_net::Sealed { manifest_digest: [0; 48], weights_root: [0; 32], draft_root: None, engine: String::new() };
    let random = |bytes: &mut [u8]| { bytes.fill(9); true };
    let config = vial_net::ServerConfig { mac: [2, 0, 0, 0, 0, 1], seed: 1, connections: 2, model, sealed, identity, random };
    let mut server = vial_net::Server::new(config, 0);
    server.certify(b"{}", 0).expect("a certificate");
    let mut rest = data;
    for turn in 1..64_u64 {
        let Some((len, after)) = rest.split_first_chunk() else { return };
        let len = usize::from(u16::from_le_bytes(*len)).min(after.len());
        let (frame, after) = after.split_at(len);
        server.receive(frame.to_vec());
        let _any = server.poll(turn * 1_000_000, 0, &vial_net::Status::default());
        while server.next_frame().is_some() {}
        rest = after;
    }
});
