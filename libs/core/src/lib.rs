//! Domain types that more than one service needs: identifiers, clock, resources, error codes.
