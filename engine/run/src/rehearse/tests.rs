//! Workflows played against stubs, in virtual time.
