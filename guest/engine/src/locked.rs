//! An appliance whose weights are encrypted, before it has their key: it tells what it is, and takes the key.
//!
//! Trust: whoever connects may release a key. What it opens is measured: the manifest fixes key and ciphertext, so that another key
//! does nothing. Who releases the right one verified this appliance first, or gave it away.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use vial_abi::report::Purpose;
use vial_channel::Identity;
use vial_channel::unlock::{RELEASE_BYTES, Recipient};
use vial_net::{Action, ApiError, JobId, Server, Status};
use vial_user::clock::Clock;
use vial_user::virtio::{DeviceError, Net};
use vial_user::{console, random};
use vial_weights::cipher::ImageKey;
use vial_weights::manifest::Encryption;
use vial_weights::sha384;

use crate::evidence::{self, Bound};
use crate::frames;

/// How long nobody may try after a wrong key.
const PAUSE_NS: u64 = 1_000_000_000;

/// What answers while there is no key.
#[derive(Debug)]
pub struct Locked<'a> {
    /// The card.
    pub net: &'a mut Net,
    /// Its connections.
    pub server: &'a mut Server,
    /// For verifiers.
    pub bound: &'a Bound,
    /// The time.
    pub clock: &'a Clock,
    /// Vouches for offers.
    pub identity: Arc<Identity>,
    /// Which key is right.
    pub encryption: Encryption,
}

impl Locked<'_> {
    /// Serves until somebody releases the key; its client is told when the model is there. A call, so that what it leaves on the
    /// stack can be wiped: see [`crate::stack`].
    ///
    /// # Errors
    /// The card misbehaves.
    #[inline(never)]
    pub fn wait(self) -> Result<ImageKey, DeviceError> {
        let status = Status { is_locked: true, ..Status::default() };
        let tries = Tries { encryption: self.encryption, offers: BTreeMap::new(), closed_until_ns: 0 };
        let mut desk = Desk { locked: self, tries };
        loop {
            if let Some(key) = desk.turn(&status)? {
                return Ok(key);
            }
        }
    }
}

struct Desk<'a> {
    locked: Locked<'a>,
    tries: Tries,
}

impl Desk<'_> {
    /// One turn, and sleep if there was nothing to do.
    fn turn(&mut self, status: &Status) -> Result<Option<ImageKey>, DeviceError> {
        let Locked { net, server, clock, .. } = &mut self.locked;
        let mut is_busy = frames::take(net, server)?;
        let now_ns = clock.now_ns();
        let unix_s = clock.unix_ns(now_ns).map_or(0, |now_ns| now_ns / 1_000_000_000);
        let mut key = None;
        for action in server.poll(now_ns, unix_s, status) {
            is_busy = true;
            key = self.act(action, now_ns).or(key);
        }
        let Locked { net, server, clock, .. } = &mut self.locked;
        is_busy |= frames::send(net, server)?;
        if !is_busy {
            frames::wait(net, server, clock)?;
        }
        Ok(key)
    }

    /// Does it; gives the key if that brought it.
    fn act(&mut self, action: Action, now_ns: u64) -> Option<ImageKey> {
        let Locked { server, bound, identity, .. } = &mut self.locked;
        match action {
            Action::Attest(job, nonce) => match evidence::json(bound, &nonce, Purpose::Attestation) {
                Ok(json) => server.attested(job, &json),
                Err(error) => server.fail(job, &error),
            },
            Action::Certify => {
                let shown = evidence::shown(bound, Purpose::Attestation);
                if let Err(error) = server.certify(&shown, now_ns) {
                    console::print(format_args!("channel: {}", error.message));
                }
            }
            Action::Offer(job, connection) => {
                match Recipient::new(identity, &sha384(bound.manifest), random::fill) {
                    Some((recipient, offer)) => {
                        self.tries.offers.insert(connection, recipient);
                        server.offered(job, &offer.encode());
                    }
                    None => server.fail(job, &ApiError::server("the processor gave no randomness")),
                }
            }
            Action::Unlock(job, connection, release) => match self.tries.open(connection, &release, now_ns) {
                Ok(key) => {
                    server.unlocked(job);
                    return Some(key);
                }
                Err(refusal) => self.refuse(job, refusal),
            },
            Action::Forget(connection) => drop(self.tries.offers.remove(&connection)),
            // None is asked for while it is locked.
            Action::Generate(job, ..) | Action::Embed(job, _) => server.fail(job, &Refusal::Offer.told()),
            Action::Cancel(_) | Action::Pause(..) => {}
        }
        None
    }

    fn refuse(&mut self, job: JobId, refusal: Refusal) {
        console::print(format_args!("unlock: {refusal}"));
        self.locked.server.fail(job, &refusal.told());
    }
}

/// Offers that are open, and when the next try may be.
struct Tries {
    encryption: Encryption,
    /// By connection: each is taken once.
    offers: BTreeMap<u64, Recipient>,
    closed_until_ns: u64,
}

/// Why a release does not unlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// None was offered to this connection, or it was taken.
    Offer,
    /// It was made for another offer.
    Release,
    /// It holds another key.
    Key,
    /// A wrong one came a moment ago.
    Pause,
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Offer => {
                "found a release without an offer, expected GET /v1/unlock before, over this connection"
            }
            Self::Release => {
                "found a release that was not made for this connection's offer: replayed, or changed"
            }
            Self::Key => "found another key than the weights were encrypted with",
            Self::Pause => "found a try right after a wrong one, expected a second between them",
        })
    }
}

impl Refusal {
    fn told(self) -> ApiError {
        use alloc::string::ToString as _;
        let (status, retry_after) = match self {
            Self::Offer => (409, None),
            Self::Release | Self::Key => (403, None),
            Self::Pause => (429, Some(1)),
        };
        ApiError { retry_after, ..ApiError::http(status, self.to_string()) }
    }
}

impl Tries {
    /// The key of a release, if it is the right one.
    fn open(
        &mut self,
        connection: u64,
        release: &[u8; RELEASE_BYTES],
        now_ns: u64,
    ) -> Result<ImageKey, Refusal> {
        if now_ns < self.closed_until_ns {
            return Err(Refusal::Pause);
        }
        let recipient = self.offers.remove(&connection).ok_or(Refusal::Offer)?;
        let opened = recipient.open(release).ok_or(Refusal::Release);
        let key = opened.map(|secret| ImageKey::new(&secret));
        let key =
            key.and_then(|key| if self.encryption.is_opened_by(&key) { Ok(key) } else { Err(Refusal::Key) });
        key.inspect_err(|_| self.closed_until_ns = now_ns.saturating_add(PAUSE_NS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_channel::unlock::{Offer, Secret};
    use vial_weights::cipher::{ImageId, OwnerKey};

    const DIGEST: [u8; 48] = [4; 48];

    fn id() -> ImageId {
        ImageId::new(&[1; 32], None)
    }

    fn key(byte: u8) -> ImageKey {
        OwnerKey::new(&[byte; 32]).image_key(&id())
    }

    fn identity() -> Identity {
        Identity::new(&[7; 32])
    }

    fn tries() -> Tries {
        let encryption = Encryption {
            plaintext_root: [1; 32],
            draft_plaintext_root: None,
            key_check: key(1).check(&id()),
        };
        Tries { encryption, offers: BTreeMap::new(), closed_until_ns: 0 }
    }

    fn offer(tries: &mut Tries, connection: u64) -> Offer {
        let (recipient, offer) = Recipient::new(&identity(), &DIGEST, random::fill).unwrap();
        tries.offers.insert(connection, recipient);
        offer
    }

    fn release(offer: &Offer, key: &ImageKey) -> [u8; RELEASE_BYTES] {
        let secret = Secret::new(*key.bytes());
        offer.release(&identity().public(), &DIGEST, &secret, random::fill).unwrap()
    }

    #[test]
    fn the_right_key_for_the_connections_offer_unlocks() {
        let mut tries = tries();
        let right = release(&offer(&mut tries, 3), &key(1));
        assert_eq!(tries.open(3, &right, 0).unwrap().bytes(), key(1).bytes());
    }

    #[test]
    fn a_wrong_key_is_refused_by_name_and_the_next_try_waits_a_second() {
        let mut tries = tries();
        let wrong = release(&offer(&mut tries, 3), &key(2));
        assert_eq!(tries.open(3, &wrong, 5).unwrap_err(), Refusal::Key);
        let right = release(&offer(&mut tries, 3), &key(1));
        assert_eq!(tries.open(3, &right, 4 + PAUSE_NS).unwrap_err(), Refusal::Pause);
        let _key: ImageKey = tries.open(3, &right, 5 + PAUSE_NS).unwrap();
        assert_eq!(Refusal::Pause.told().retry_after, Some(1));
    }

    #[test]
    fn a_release_is_taken_once_by_its_connection_and_offer() {
        let mut tries = tries();
        let (first, second) = (offer(&mut tries, 3), offer(&mut tries, 4));
        let right = release(&first, &key(1));
        assert_eq!(tries.open(5, &right, 0).unwrap_err(), Refusal::Offer);
        assert_eq!(tries.open(4, &right, 0).unwrap_err(), Refusal::Release);
        tries.closed_until_ns = 0;
        assert_eq!(tries.open(4, &release(&second, &key(1)), 0).unwrap_err(), Refusal::Offer);
        let _key: ImageKey = tries.open(3, &right, 0).unwrap();
        // Replayed, whether there is another offer or none.
        assert_eq!(tries.open(3, &right, 0).unwrap_err(), Refusal::Offer);
        offer(&mut tries, 3);
        assert_eq!(tries.open(3, &right, 0).unwrap_err(), Refusal::Release);
    }
}
