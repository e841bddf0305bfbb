//! Generated bindings of proto/moka and their descriptor sets.
