//! One connection.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};
use vial_channel::certificate::Said;
use vial_channel::client;

use crate::error::ClientError;

/// The port of addresses that name none.
const PORT: u16 = 443;

/// A connection to whoever has the key that its certificate names.
#[derive(Debug)]
pub struct Connection {
    tls: ClientConnection,
    socket: TcpStream,
    said: Said,
}

/// A connection whose channel is yet to be opened. All that it needs of the system it has: keys, and a socket.
#[derive(Debug)]
pub struct Opening {
    tls: ClientConnection,
    socket: TcpStream,
    address: String,
}

impl Opening {
    /// Prepares a channel over a connection of TCP to `address`, for which nothing waits longer than `patience`.
    ///
    /// # Errors
    /// The system has no randomness, or refuses.
    pub fn over(socket: TcpStream, address: String, patience: Duration) -> Result<Self, ClientError> {
        let failed = |error| ClientError::Connect { address: address.clone(), error };
        socket.set_nodelay(true).map_err(failed)?;
        socket.set_read_timeout(Some(patience)).map_err(failed)?;
        socket.set_write_timeout(Some(patience)).map_err(failed)?;
        match channel() {
            Ok(tls) => Ok(Self { tls, socket, address }),
            Err(error) => Err(ClientError::Channel { address, error: error.to_string() }),
        }
    }

    /// Opens the channel.
    ///
    /// # Errors
    /// Whoever is there speaks no TLS 1.3 with a certificate of an appliance.
    pub fn open(self) -> Result<Connection, ClientError> {
        let Self { mut tls, mut socket, address } = self;
        let refused = |error: String| ClientError::Channel { address: address.clone(), error };
        tls.complete_io(&mut socket).map_err(|error| refused(in_words(&error)))?;
        let said = client::said(tls.peer_certificates()).map_err(|error| refused(error.to_string()))?;
        Ok(Connection { tls, socket, said })
    }
}

impl Connection {
    /// Connects to `https://HOST:PORT`, and waits for nothing longer than `patience`.
    ///
    /// # Errors
    /// Nobody is there, or nobody that speaks TLS 1.3 with a certificate of an appliance.
    pub fn open(url: &str, patience: Duration) -> Result<Self, ClientError> {
        let address = authority(url)?;
        match connect(&address, patience) {
            Ok(socket) => Opening::over(socket, address, patience)?.open(),
            Err(error) => Err(ClientError::Connect { address, error }),
        }
    }

    /// The key at the other end.
    #[must_use]
    pub fn key(&self) -> &[u8; 32] {
        &self.said.key
    }

    /// What the certificate says: evidence over a nonce of the appliance's own. Untrusted.
    #[must_use]
    pub fn evidence(&self) -> &[u8] {
        &self.said.evidence
    }

    /// Waits for nothing longer than `patience` from now on; for ever with none.
    ///
    /// # Errors
    /// The system refuses.
    pub fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(patience)?;
        self.socket.set_write_timeout(patience)
    }

    /// Both halves of what it is: whoever takes them moves the records.
    #[must_use]
    pub fn into_parts(self) -> (ClientConnection, TcpStream) {
        (self.tls, self.socket)
    }
}

impl Read for Connection {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        Stream::new(&mut self.tls, &mut self.socket).read(to)
    }
}

impl Write for Connection {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Stream::new(&mut self.tls, &mut self.socket).write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Stream::new(&mut self.tls, &mut self.socket).flush()
    }
}

/// HOST:PORT of `https://HOST[:PORT][/]`.
///
/// # Errors
/// It is something else, as an address in clear.
pub fn authority(url: &str) -> Result<String, ClientError> {
    let refused = || ClientError::Address(url.to_owned());
    let rest = url.strip_prefix("https://").ok_or_else(refused)?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let is_plain = authority.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@".contains(&byte));
    if authority.is_empty() || !is_plain {
        return Err(refused());
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { authority.to_owned() } else { format!("{authority}:{PORT}") })
}

fn connect(address: &str, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for one in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&one, patience) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Settings are made once: they hold what must live as long as the program.
fn channel() -> Result<ClientConnection, rustls::Error> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, rustls::Error>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| client::config(random).map(Arc::new)).clone()?;
    // No name is sent or compared: the key is what counts.
    let name = ServerName::try_from("appliance").map_err(|_| rustls::Error::UnsupportedNameType)?;
    ClientConnection::new(config, name)
}

fn random(bytes: &mut [u8]) -> bool {
    getrandom::fill(bytes).is_ok()
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection ended during the handshake".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_with_or_without_a_port() {
        assert_eq!(authority("https://host:8080/").unwrap(), "host:8080");
        assert_eq!(authority("https://host").unwrap(), "host:443");
        assert_eq!(authority("https://[::1]").unwrap(), "[::1]:443");
        assert_eq!(authority("https://[::1]:9").unwrap(), "[::1]:9");
        for url in
            ["http://host:80", "host:80", "https://", "https://host/path", "https://a@b", "https://a b"]
        {
            assert!(matches!(authority(url), Err(ClientError::Address(found)) if found == url), "{url}");
        }
    }
}
