//! What a guest asks for through its page. Spec: AMD 56421 rev 2.03 §2.6 (table 4) and §4.1 (table 7).

use crate::host::{Around, Cpu, Host, Offence, offence};
use crate::ownership::{Size, State};

const CODE: usize = 0x390;
const INFO_1: usize = 0x398;
const INFO_2: usize = 0x3A0;
const SCRATCH: usize = 0x3A8;
const VALID: usize = 0x3F0;
const RAX: usize = 0x1F8;
const RCX: usize = 0x308;
const RDX: usize = 0x310;
const RBX: usize = 0x318;
/// What the first word says where the guest's values cannot be used; the second has the reason.
const MALFORMED: u64 = 2;
const INVALID_INPUT: u64 = 5;
/// In the second word's upper half: the certificates need more room.
const ROOM: u64 = 1 << 32;

/// What becomes of the cpu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    Resumed,
    /// It goes on, and a message was carried.
    Carried,
    /// It waits for an interrupt.
    Halted,
    /// The guest wants to end, for a reason of its own.
    Ended(u8),
}

/// The guest's page, copied.
struct Page {
    at: u64,
    bytes: [u8; 4096],
}

impl Page {
    fn word(&self, offset: usize) -> u64 {
        self.bytes[offset..].first_chunk().copied().map_or(0, u64::from_le_bytes)
    }

    /// A word that the guest must have marked as given.
    fn given(&self, offset: usize) -> Result<u64, Offence> {
        let bit = offset / 8;
        let is_marked = self.bytes[VALID + bit / 8] >> (bit % 8) & 1 == 1;
        if is_marked { Ok(self.word(offset)) } else { offence(format_args!("leaves {offset:#x} unmarked")) }
    }

    fn put(&self, around: &mut impl Around, offset: usize, value: u64) -> Result<(), Offence> {
        write(around, self.at + offset as u64, &value.to_le_bytes())
    }

    /// A word of the answer, marked.
    fn answer(&mut self, around: &mut impl Around, offset: usize, value: u64) -> Result<(), Offence> {
        self.put(around, offset, value)?;
        let bit = offset / 8;
        let at = VALID + bit / 8;
        self.bytes[at] |= 1 << (bit % 8);
        write(around, self.at + at as u64, &self.bytes[at..=at])
    }
}

/// Serves what the page at the cpu's register asks for.
pub(crate) fn serve(host: &mut Host, cpu: &Cpu, around: &mut impl Around) -> Result<Then, Offence> {
    if cpu.ghcb != Some(cpu.register) || host.ownership.of(cpu.register) != State::Shared {
        return offence(format_args!("speaks through {:#x}, which it did not register", cpu.register));
    }
    let mut page = Page { at: cpu.register, bytes: [0; 4096] };
    around.read(page.at, &mut page.bytes).ok_or_else(|| Offence("GHCB outside memory".to_owned()))?;
    if page.bytes[0xFFA..] != [2, 0, 0, 0, 0, 0] {
        return offence(format_args!("GHCB of another version or usage: {:?}", &page.bytes[0xFFA..]));
    }
    let infos = [page.given(INFO_1)?, page.given(INFO_2)?];
    page.put(around, INFO_1, 0)?;
    page.put(around, INFO_2, 0)?;
    match page.given(CODE)? {
        0x78 => return Ok(Then::Halted),
        0x7B => port(&mut page, infos[0], around)?,
        0x7C => model_specific(&mut page, infos[0], around)?,
        0x8000_0001 => device(&page, infos, false, around)?,
        0x8000_0002 => device(&page, infos, true, around)?,
        0x8000_0010 => states(host, &page, around)?,
        0x8000_0011 => return message(host, &page, infos, around).map(|()| Then::Carried),
        0x8000_0012 => {
            return message_with_certificates(host, &mut page, infos, around).map(|()| Then::Carried);
        }
        other => return offence(format_args!("exits with {other:#x}")),
    }
    Ok(Then::Resumed)
}

/// Spec: AMD APM vol. 2 §15.10.2: port, sizes, direction; no strings here.
fn port(page: &mut Page, info: u64, around: &mut impl Around) -> Result<(), Offence> {
    let number = u16::try_from(info >> 16 & 0xFFFF).unwrap_or(0);
    let size = match info >> 4 & 7 {
        1 => 1,
        2 => 2,
        4 => 4,
        other => return offence(format_args!("port {number:#x}: size {other}")),
    };
    if info & 0b1100 != 0 {
        return offence(format_args!("port {number:#x}: strings"));
    }
    let mut bytes = page.given(RAX)?.to_le_bytes();
    if info & 1 == 0 {
        around.out(number, &bytes[..size]);
        return Ok(());
    }
    bytes.fill(0);
    around.input(number, &mut bytes[..size]);
    page.answer(around, RAX, u64::from_le_bytes(bytes))
}

fn model_specific(page: &mut Page, info: u64, around: &mut impl Around) -> Result<(), Offence> {
    let register = u32::try_from(page.given(RCX)?).map_err(|_| Offence("register beyond 32 bits".into()))?;
    let done = if info == 1 {
        let value = page.given(RAX)? & 0xFFFF_FFFF | page.given(RDX)? << 32;
        around.write_msr(register, value)
    } else {
        let value = around.read_msr(register);
        if let Some(value) = value {
            page.answer(around, RAX, value & 0xFFFF_FFFF)?;
            page.answer(around, RDX, value >> 32)?;
        }
        value.map(drop)
    };
    if done.is_some() { Ok(()) } else { refuse(page, around) }
}

fn device(
    page: &Page,
    [pa, bytes]: [u64; 2],
    is_write: bool,
    around: &mut impl Around,
) -> Result<(), Offence> {
    let buffer = page.given(SCRATCH)?;
    let inside = (page.at + 0x800..page.at + 0xFF0).contains(&buffer);
    if !inside || !matches!(bytes, 1 | 2 | 4 | 8) {
        return offence(format_args!("device at {pa:#x}: {bytes} bytes through {buffer:#x}"));
    }
    let mut value = [0; 8];
    let value = &mut value[..usize::try_from(bytes).unwrap_or(0)];
    if is_write {
        read(around, buffer, value)?;
        around.write_device(pa, value);
        return Ok(());
    }
    around.read_device(pa, value);
    write(around, buffer, value)
}

/// Spec: §4.1.6, table 9.
fn states(host: &mut Host, page: &Page, around: &mut impl Around) -> Result<(), Offence> {
    let list = page.given(SCRATCH)?;
    if list != page.at + 0x800 {
        return offence(format_args!("page states at {list:#x}, not in the GHCB's buffer"));
    }
    let mut header = [0; 8];
    read(around, list, &mut header)?;
    let [current, end] = [[header[0], header[1]], [header[2], header[3]]].map(u16::from_le_bytes);
    if current > end || end >= 253 {
        return offence(format_args!("page states {current} to {end}"));
    }
    for at in current..=end {
        let mut entry = [0; 8];
        read(around, list + 8 + 8 * u64::from(at), &mut entry)?;
        if change(host, u64::from_le_bytes(entry)).is_none() {
            return page.put(around, INFO_2, 1 << 32);
        }
    }
    header[..2].copy_from_slice(&(end + 1).to_le_bytes());
    write(around, list, &header)
}

fn change(host: &mut Host, entry: u64) -> Option<()> {
    let pa = entry & 0x000F_FFFF_FFFF_F000;
    let size = if entry >> 56 & 1 == 1 { Size::Large } else { Size::Small };
    let is_private = match entry >> 52 & 0xF {
        1 => true,
        2 => false,
        _ => return None,
    };
    if host.is_forgetful { Some(()) } else { host.ownership.change(pa, size, is_private) }
}

/// Carries a message. Spec: §4.1.7.
fn message(
    host: &mut Host,
    page: &Page,
    [request, response]: [u64; 2],
    around: &mut impl Around,
) -> Result<(), Offence> {
    let pages = [request, response];
    let is_right = pages.iter().all(|&pa| pa.is_multiple_of(4096) && host.ownership.of(pa) == State::Shared);
    if !is_right || request == response {
        return offence(format_args!("messages at {request:#x} and {response:#x}"));
    }
    let mut bytes = [0; 4096];
    read(around, request, &mut bytes)?;
    match host.processor.answer(&bytes) {
        Ok(answer) => write(around, response, &answer),
        Err(status) => page.put(around, INFO_2, status.into()),
    }
}

/// Spec: §4.1.8.
fn message_with_certificates(
    host: &mut Host,
    page: &mut Page,
    infos: [u64; 2],
    around: &mut impl Around,
) -> Result<(), Offence> {
    let (at, pages) = (page.given(RAX)?, page.given(RBX)?);
    let needed = (host.certificates.len() as u64).div_ceil(4096);
    if needed > pages {
        page.answer(around, RBX, needed)?;
        return page.put(around, INFO_2, ROOM);
    }
    let certificates = host.certificates.clone();
    write(around, at, &certificates)?;
    message(host, page, infos, around)
}

fn refuse(page: &Page, around: &mut impl Around) -> Result<(), Offence> {
    page.put(around, INFO_1, MALFORMED)?;
    page.put(around, INFO_2, INVALID_INPUT)
}

fn read(around: &impl Around, pa: u64, to: &mut [u8]) -> Result<(), Offence> {
    around.read(pa, to).ok_or_else(|| Offence(format!("names memory at {pa:#x}, which is not shared")))
}

fn write(around: &mut impl Around, pa: u64, from: &[u8]) -> Result<(), Offence> {
    around.write(pa, from).ok_or_else(|| Offence(format!("names memory at {pa:#x}, which is not shared")))
}
