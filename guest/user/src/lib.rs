//! Ring-3 runtime: calls, allocator, executor, virtio drivers.
