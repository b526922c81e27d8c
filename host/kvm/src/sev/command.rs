//! One command to KVM's half of SEV.

use kvm_bindings::kvm_sev_cmd;
use kvm_ioctls::VmFd;
use std::fs::File;
use std::io::Error;
use std::os::fd::AsRawFd as _;

use crate::sev::SevError;

/// A command's number and name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
}

/// Why a command was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    name: &'static str,
    pub(crate) errno: i32,
    /// The secure processor's status; 0 if it was not asked.
    pub(crate) firmware: u32,
}

impl Refusal {
    /// As an error about `gpa`.
    pub(crate) fn at(self, gpa: u64) -> SevError {
        let error = Error::from_raw_os_error(self.errno);
        SevError::Step { step: self.name, gpa, error, firmware: self.firmware }
    }
}

/// Who takes commands: a machine, and the secure processor's device on its behalf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel<'a> {
    pub(crate) vm: &'a VmFd,
    pub(crate) device: &'a File,
}

impl Channel<'_> {
    /// Issues `command` with `data`, a structure that goes with it and that the kernel may change.
    pub(crate) fn issue<T>(self, command: Command, data: &mut T) -> Result<(), Refusal> {
        let mut op = kvm_sev_cmd {
            id: command.number,
            data: core::ptr::from_mut(data).expose_provenance() as u64,
            sev_fd: self.device.as_raw_fd().cast_unsigned(),
            ..kvm_sev_cmd::default()
        };
        let issued = self.vm.encrypt_op_sev(&mut op);
        issued.map_err(|error| Refusal { name: command.name, errno: error.errno(), firmware: op.error })
    }
}
