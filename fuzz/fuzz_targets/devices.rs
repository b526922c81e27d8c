//! Rings of a hostile guest: memory, then stores to registers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use vial_devices::{Transport, block, net};
    use vm_memory::{Bytes as _, GuestAddress};
    const MEMORY_BYTES: usize = 1 << 16;
    let memory = vial_devices::Memory::from_ranges(&[(GuestAddress(0), MEMORY_BYTES)]).expect("64 KiB");
    let (stores, contents) = data.split_at(data.len().min(96));
    let contents = &contents[..contents.len().min(MEMORY_BYTES)];
    memory.write_slice(contents, GuestAddress(0)).expect("fits");
    let mut device = Transport::new(2, 0, vec![0; 8], 2, 64);
    for store in stores.chunks_exact(6) {
        let [low, high, value @ ..] = store else { continue };
        device.write(u64::from(u16::from_le_bytes([*low, *high])), value);
    }
    struct Zeros;
    impl block::Backend for Zeros {
        fn bytes(&self) -> u64 {
            1 << 20
        }
        fn read(&self, _: u64, memory: &vial_devices::Memory, to: GuestAddress, len: u32) -> std::io::Result<()> {
            memory.write_slice(&vec![0; len as usize], to).map_err(std::io::Error::other)
        }
    }
    let lanes = device.lanes();
    for _ in 0..8 {
        let request = lanes.ready(0, &memory).and_then(|mut lane| block::next(&mut lane, &memory));
        if let Some(request) = request {
            request.serve(&memory, &Zeros);
        }
        let sent = lanes.ready(1, &memory).and_then(|mut lane| net::sent(&mut lane, &memory));
        if let Some(((head, written), _)) = sent {
            let _wants = lanes.give_back(1, &memory, head, written, 0);
        }
        let frame = [0; 60];
        let _any = lanes.ready(1, &memory).and_then(|mut lane| net::deliver(&mut lane, &memory, &frame));
    }
});
