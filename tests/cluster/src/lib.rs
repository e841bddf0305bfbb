//! The whole mesh on the real local cluster; the tests are in `tests/`.
