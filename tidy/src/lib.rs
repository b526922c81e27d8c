//! Holds the house's dependency edges and style.
