//! Node agent that ships container logs and event logs without loss.
