-- On PostgreSQL events and audit rows are kept by month; here they stay in plain tables.
SELECT 1;
