//! Builds and runs the machine of one appliance.
