"""The database, through PyDAL: adapters, transactions, tables and migrations."""
