//! Indexes event logs once and answers what happened in any application.
