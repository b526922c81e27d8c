//! Ring-0 hardware access: paging, traps, interrupts, report transports.
