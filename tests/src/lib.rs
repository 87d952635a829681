//! The tests that need more than one package: `tests/all` holds them, in one binary.
