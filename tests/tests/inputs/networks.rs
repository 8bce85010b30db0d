//! Feature networks.
