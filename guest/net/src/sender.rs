//! Who sends a request.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use smoltcp::wire::IpEndpoint;

/// What a client says it is: the value of its `Authorization` header, empty where there is none.
///
/// Nothing is granted for it; it only tells clients apart. It may be a secret of the client's, so it is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credential(Vec<u8>);

impl Credential {
    /// The header's value, without white space around it.
    #[must_use]
    pub fn new(value: &[u8]) -> Self {
        Self(value.trim_ascii().to_vec())
    }

    /// Its bytes, to be hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Credential(..)")
    }
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number; no two connections of one start have the same.
    pub connection: u64,
    /// The address at its other end. From the host: untrusted, and behind address translation that of many clients.
    pub address: IpAddr,
}

impl Peer {
    pub(crate) fn new(connection: u64, endpoint: Option<IpEndpoint>) -> Self {
        // A connection without an end is closed before anything is asked over it.
        let address = endpoint.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |endpoint| endpoint.addr.into());
        Self { connection, address }
    }
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Over which connection.
    pub peer: Peer,
    /// What it says it is. From the client: untrusted.
    pub credential: Credential,
}
