//! Boots appliances for tests and breaks them on purpose.
