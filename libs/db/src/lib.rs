//! Pools, named transactions, migrations and error mapping for SQLite and PostgreSQL.
