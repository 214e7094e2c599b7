/*
 * store/sqlite: the hub's database in one file: a table of documents by kind and number. Write-ahead log with full
 * synchronisation: a batch that counts as durable is on the disk.
 */
#ifndef WARREN_STORE_SQLITE_H
#define WARREN_STORE_SQLITE_H

#include "core/ctlserver/ctlserver.h"

struct store_sqlite;

/* Creates the file (0600) and its schema, or brings an older schema up to date. */
MUST_USE int store_sqlite_open(struct store_sqlite **ret, const char *path, struct err_at *at);
struct store_sqlite *store_sqlite_close(struct store_sqlite *s);
struct ctl_store *store_sqlite_store(struct store_sqlite *s);

#endif
