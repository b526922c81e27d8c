//! The appliance's kernel: policy on top of hal.
