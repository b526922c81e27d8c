//! Which requests may find what others computed, and whose they are.
//!
//! A page of the KV cache that is found again shortens its request, and `cached_tokens` says so: who shares a scope can learn
//! what was said in it. So a scope is never wider than what the client itself opened:
//!
//! - with `prompt_cache_key`: requests of the same client, with the same key and user, over any connection. Keys tell
//!   requests of one client apart; they are as hard to guess as the client makes them.
//! - without: requests of the same connection. It ends with the connection, and what was kept for it is wiped.
//! - with `"cache_prompt": false`: none.
//!
//! A client is an address together with what its requests say in `Authorization`. Under the VMM's address translation all have
//! one address, and whoever sends no credential then is the same client. `user` only ever narrows a scope.
//!
//! Trust: all that is hashed here comes from clients or from the host. The hash is keyed with a secret of this start, so that
//! nobody makes two scopes meet, or follows one across starts.

use alloc::collections::{BTreeMap, VecDeque};
use core::fmt;
use core::net::IpAddr;
use vial_net::{Caching, Sender};

/// Scopes of one connection that are remembered: a proxy's users. The oldest ends where there are more.
const CONNECTION_MAX: usize = 32;

/// What a hash is of: no two kinds give the same.
#[derive(Clone, Copy)]
enum Kind {
    Client = 1,
    Key = 2,
    Connection = 3,
}

/// All scopes of this start.
pub struct Scopes {
    secret: [u8; 32],
    /// Scopes that end with their connection, by its number, in the order they came.
    of_connections: BTreeMap<u64, VecDeque<u64>>,
}

impl fmt::Debug for Scopes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Scopes").field("connections", &self.of_connections.len()).finish_non_exhaustive()
    }
}

impl Scopes {
    /// No scopes yet; `secret` is random and this start's own.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, of_connections: BTreeMap::new() }
    }

    /// Whose request it is: places and rows go round between clients.
    #[must_use]
    pub fn client(&self, sender: &Sender) -> u64 {
        self.hash(Kind::Client, sender, &[])
    }

    /// The scope of a request, if it shares anything; `forget` gets a scope that ends for it.
    pub fn enter(&mut self, sender: &Sender, caching: &Caching, forget: impl FnMut(u64)) -> Option<u64> {
        if !caching.is_allowed {
            return None;
        }
        let users = [&caching.user, &caching.safety_identifier].map(text);
        if let Some(key) = &caching.key {
            return Some(self.hash(Kind::Key, sender, &[key.as_bytes(), users[0], users[1]]));
        }
        let number = sender.peer.connection.to_le_bytes();
        let scope = self.hash(Kind::Connection, sender, &[&number, users[0], users[1]]);
        let known = self.of_connections.entry(sender.peer.connection).or_default();
        if !known.contains(&scope) {
            known.push_back(scope);
        }
        let ended = if known.len() > CONNECTION_MAX { known.pop_front() } else { None };
        ended.into_iter().for_each(forget);
        Some(scope)
    }

    /// The scopes that end with a connection.
    pub fn leave(&mut self, connection: u64) -> VecDeque<u64> {
        self.of_connections.remove(&connection).unwrap_or_default()
    }

    fn hash(&self, kind: Kind, sender: &Sender, parts: &[&[u8]]) -> u64 {
        let address = match sender.peer.address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let mut hash = blake3::Hasher::new_keyed(&self.secret);
        hash.update(&[kind as u8]).update(&address.octets());
        for part in [sender.credential.as_bytes()].iter().chain(parts) {
            // Lengths first: no two lists of parts are the same bytes.
            hash.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let bytes = hash.finalize();
        bytes.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes)
    }
}

/// An empty name is none.
fn text(name: &Option<alloc::string::String>) -> &[u8] {
    name.as_deref().unwrap_or_default().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::Ipv4Addr;
    use vial_net::{Credential, Peer};

    fn sender(connection: u64, address: u8, credential: &str) -> Sender {
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, address));
        Sender { peer: Peer { connection, address }, credential: Credential::new(credential.as_bytes()) }
    }

    fn caching(key: Option<&str>, user: Option<&str>) -> Caching {
        let owned = |text: Option<&str>| text.map(Into::into);
        Caching { is_allowed: true, key: owned(key), user: owned(user), safety_identifier: None }
    }

    fn enter(scopes: &mut Scopes, sender: &Sender, caching: &Caching) -> u64 {
        scopes.enter(sender, caching, |_| panic!("nothing ends")).unwrap()
    }

    #[test]
    fn a_key_is_shared_by_one_clients_connections_and_by_nobody_else() {
        let mut scopes = Scopes::new([1; 32]);
        let key = caching(Some("k"), None);
        let own = enter(&mut scopes, &sender(1, 1, "Bearer a"), &key);
        assert_eq!(enter(&mut scopes, &sender(2, 1, "Bearer a"), &key), own);
        for (other, caching) in [
            (sender(1, 2, "Bearer a"), key.clone()),
            (sender(1, 1, "Bearer b"), key.clone()),
            (sender(1, 1, ""), key.clone()),
            (sender(1, 1, "Bearer a"), caching(Some("l"), None)),
            (sender(1, 1, "Bearer a"), caching(Some("k"), Some("u"))),
            (sender(1, 1, "Bearer a"), Caching { safety_identifier: Some("u".into()), ..key.clone() }),
            (sender(1, 1, "Bearer a"), caching(None, None)),
            (sender(1, 1, "Bearer ak"), caching(Some(""), None)),
        ] {
            assert_ne!(enter(&mut scopes, &other, &caching), own, "{other:?} {caching:?}");
        }
        assert_ne!(enter(&mut Scopes::new([2; 32]), &sender(1, 1, "Bearer a"), &key), own);
        assert!(scopes.leave(2).is_empty(), "a key's scope outlives connections");
    }

    #[test]
    fn without_a_key_a_scope_is_its_connections_and_its_users_and_ends_with_it() {
        let mut scopes = Scopes::new([1; 32]);
        let nothing = caching(None, None);
        let own = enter(&mut scopes, &sender(1, 1, "a"), &nothing);
        assert_eq!(enter(&mut scopes, &sender(1, 1, "a"), &nothing), own);
        let users = [Some("u"), Some("v")].map(|user| {
            let caching = caching(None, user);
            [1, 1, 2].map(|connection| enter(&mut scopes, &sender(connection, 1, "a"), &caching))
        });
        for [one, again, elsewhere] in users {
            assert!(one == again && one != own && one != elsewhere);
        }
        assert_ne!(users[0], users[1]);
        let other = enter(&mut scopes, &sender(2, 1, "a"), &nothing);
        assert!(other != own && enter(&mut scopes, &sender(1, 1, "b"), &nothing) != own);
        let ended: Vec<u64> = scopes.leave(1).into();
        assert_eq!((ended.len(), ended[0], ended.contains(&other)), (4, own, false));
        assert!(scopes.leave(1).is_empty());
    }

    #[test]
    fn a_request_that_is_not_to_be_cached_has_no_scope() {
        let mut scopes = Scopes::new([1; 32]);
        let refused = Caching { is_allowed: false, ..caching(None, Some("u")) };
        assert_eq!(scopes.enter(&sender(1, 1, "a"), &refused, |_| panic!("nothing ends")), None);
        assert!(scopes.leave(1).is_empty());
    }

    #[test]
    fn a_connection_of_many_users_remembers_a_few() {
        let mut scopes = Scopes::new([1; 32]);
        let mut ended = Vec::new();
        let users: Vec<_> = (0..40)
            .map(|user| caching(None, Some(&alloc::format!("{user}"))))
            .map(|caching| scopes.enter(&sender(1, 1, "a"), &caching, |scope| ended.push(scope)).unwrap())
            .collect();
        assert_eq!(ended, users[..40 - CONNECTION_MAX]);
        assert_eq!(Vec::from(scopes.leave(1)), users[40 - CONNECTION_MAX..]);
    }

    #[test]
    fn clients_are_told_apart_by_address_and_credential_not_by_connection() {
        let scopes = Scopes::new([1; 32]);
        let client = scopes.client(&sender(1, 1, "a"));
        assert_eq!(scopes.client(&sender(2, 1, "a")), client);
        assert_ne!(scopes.client(&sender(1, 2, "a")), client);
        assert_ne!(scopes.client(&sender(1, 1, "b")), client);
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let scopes = Scopes::new([201; 32]);
        assert!(!alloc::format!("{scopes:?}").contains("201"));
    }
}
