//! Serves logs, live and archived, and assembles event logs.
