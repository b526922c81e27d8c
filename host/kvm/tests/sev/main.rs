//! Machines of SEV-SNP without the hardware: the code under test makes its system calls, and the test answers them as the
//! kernel would. What it reads from them it reads by offsets of the Linux headers, written down anew.

#[cfg(test)]
mod appliance;
#[cfg(test)]
mod exit;
#[cfg(test)]
mod filter;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod launch;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod script;
#[cfg(test)]
mod wire;
