//! What every store must do, as functions that tests stamp on each of them.
