//! Asking an appliance.

use core::time::Duration;
use vial_client::{ClientError, Connection};

use crate::failure::Failure;

const HINT: &str = "is the appliance running, and is this its address (https://HOST:PORT)?";

/// A connection over which it can be asked.
pub(crate) fn connect(url: &str, patience: Duration) -> Result<Connection, Failure> {
    Ok(Connection::open(url, patience)?)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(error.to_string(), HINT)
    }
}
