//! The only speaker of YuniKorn: placement, gang metadata, queue tree.
