//! Device models: virtio block, net, rng, serial, user-mode network.
