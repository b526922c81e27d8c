//! Firmware's ring-0 part: PVH entry and the calls the boot program makes.
