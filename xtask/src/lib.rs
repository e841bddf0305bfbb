//! Chores of this repository: bindings, rules, local cluster, images, demo, benchmarks.
