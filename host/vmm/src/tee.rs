//! The simulated TEE's doorbell.

use vial_abi::report::ReportResponse;
use vial_kvm::Memory;
use vm_memory::{Bytes as _, GuestAddress};

/// Signs reports for the machine.
pub trait ReportDevice: Send {
    /// Report and certificates (DER, leaf first, one after another) over this report data.
    fn report(&mut self, report_data: &[u8; 64]) -> (Vec<u8>, Vec<u8>);
}

/// Header, report and certificates as they cross to the guest.
pub(crate) fn response(device: &mut dyn ReportDevice, report_data: &[u8; 64]) -> Vec<u8> {
    let (report, certificates) = device.report(report_data);
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&ReportResponse::header(len(&report), len(&certificates))[..], &report, &certificates].concat()
}

/// Answers the doorbell for page number `page`. A page outside memory gets no answer; the guest sees that.
pub(crate) fn answer(device: &mut dyn ReportDevice, memory: &Memory, page: u32) {
    let address = GuestAddress(u64::from(page) << 12);
    let mut report_data = [0; 64];
    if memory.read_slice(&mut report_data, address).is_ok() {
        let response = response(device, &report_data);
        let fits = response.get(..response.len().min(4096)).unwrap_or_default();
        let _outside = memory.write_slice(fits, address);
    }
}
