//! What `/v1/unlock` takes: bodies of releases, and offers as clients read them. Nothing that a fuzzer makes opens or gets a key.
#![no_main]

use vial_channel::Identity;
use vial_channel::unlock::{OFFER_BYTES, Offer, Recipient, Secret};

fn random(bytes: &mut [u8]) -> bool {
    bytes.fill(7);
    true
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let identity = Identity::new(&[7; 32]);
    let release = vial_net::release(data).ok().or_else(|| data.first_chunk().copied());
    if let Some(release) = release {
        let (recipient, _) = Recipient::new(&identity, &[4; 48], random).unwrap();
        assert!(recipient.open(&release).is_none());
    }
    if let Some(bytes) = data.first_chunk::<OFFER_BYTES>() {
        let offer = Offer::decode(bytes);
        assert_eq!(offer.encode(), *bytes);
        assert!(offer.release(&identity.public(), &[4; 48], &Secret::default(), random).is_err());
    }
});
