//! What kustomize renders; the tests are in `tests/`.
