//! Asking an appliance.

use core::time::Duration;

use crate::failure::Failure;

/// The body of an answer, of at most `most` bytes.
pub(crate) fn get(address: &str, patience: Duration, most: u64) -> Result<Vec<u8>, Failure> {
    let config = ureq::Agent::config_builder().timeout_global(Some(patience)).max_redirects(0).build();
    let hint = "is the appliance running, and is this its address (http://HOST:PORT)?";
    let asked = address.split('?').next().unwrap_or(address);
    let failed = |error: ureq::Error| Failure::new(format!("{asked}: {error}"), hint);
    let mut response = ureq::Agent::new_with_config(config).get(address).call().map_err(failed)?;
    response.body_mut().with_config().limit(most).read_to_vec().map_err(failed)
}
