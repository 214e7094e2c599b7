/* headscale's tables, as they are. */
#include "hub/headscale/internal.h"
#include "os/file/file.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

enum { BUSY_MS = 5000, TIME_TEXT_MAX = 64 };

struct reader {
	sqlite3 *db;
	sqlite3_stmt *st;
	struct arena *mem;
	int column; /* of the next value */
	bool failed;
};

static const char *text(struct reader *r)
{
	int i = r->column++;
	const void *p =
		sqlite3_column_blob(r->st, i); /* hashes are stored as bytes, texts as texts */
	int len = sqlite3_column_bytes(r->st, i);
	const char *copy = arena_strndup(r->mem, p ? p : "", p ? (size_t)len : 0);

	r->failed |= !copy;
	return copy ? copy : "";
}

static int64_t number(struct reader *r)
{
	return sqlite3_column_int64(r->st, r->column++);
}

/* "2026-11-30 13:27:15.081398689+00:00", with a T or a blank; 0 for none. */
static unix_ms when(struct reader *r)
{
	const char *s = (const char *)sqlite3_column_text(r->st, r->column++);
	char iso[TIME_TEXT_MAX];
	unix_ms t;

	if (!s || strlen(s) < 20 || strlen(s) >= sizeof(iso))
		return 0;
	snprintf(iso, sizeof(iso), "%s", s);
	iso[10] = 'T';
	return time_parse_rfc3339(iso, strlen(iso), &t) == 0 ? t : 0;
}

static void take_user(struct reader *r, void *row)
{
	struct row_user *u = row;

	u->id = number(r);
	u->name = text(r);
	u->display_name = text(r);
	u->email = text(r);
	u->provider = text(r);
	u->created = when(r);
}

static void take_key(struct reader *r, void *row)
{
	struct row_key *k = row;

	k->id = number(r);
	k->user = number(r);
	k->text = text(r);
	k->prefix = text(r);
	k->hash = text(r);
	k->tags = text(r);
	k->reusable = number(r) != 0;
	k->ephemeral = number(r) != 0;
	k->used = number(r) != 0;
	k->created = when(r);
	k->expires = when(r);
}

static void take_node(struct reader *r, void *row)
{
	struct row_node *n = row;

	n->id = number(r);
	n->user = number(r);
	n->auth_key = number(r);
	n->machine = text(r);
	n->key = text(r);
	n->disco = text(r);
	n->endpoints = text(r);
	n->hostinfo = text(r);
	n->ip4 = text(r);
	n->ip6 = text(r);
	n->hostname = text(r);
	n->name = text(r);
	n->tags = text(r);
	n->routes = text(r);
	n->created = when(r);
	n->expiry = when(r);
	n->last_seen = when(r);
}

static int64_t count(struct reader *r, const char *sql)
{
	int64_t n = -1;

	if (sqlite3_prepare_v2(r->db, sql, -1, &r->st, NULL) == SQLITE_OK &&
		sqlite3_step(r->st) == SQLITE_ROW)
		n = sqlite3_column_int64(r->st, 0);
	sqlite3_finalize(r->st);
	return n;
}

/* In one transaction, so that the count holds. */
static int read_table(struct reader *r, const char *table, const char *columns, size_t size,
	void (*take)(struct reader *r, void *row), void *ret_rows, size_t *ret_n)
{
	char sql[512];
	int64_t n;
	uint8_t *rows;
	int step = SQLITE_ERROR;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	n = count(r, sql);
	if (n < 0)
		return -ERR_STORE;
	if (n > COORD_NODES_MAX)
		return -ERR_TOO_MANY;
	rows = arena_array(r->mem, (size_t)n, size);
	if (!rows)
		return -ENOMEM;
	snprintf(sql, sizeof(sql), "SELECT %s FROM %s ORDER BY id", columns, table);
	*ret_n = 0;
	if (sqlite3_prepare_v2(r->db, sql, -1, &r->st, NULL) == SQLITE_OK)
		while ((step = sqlite3_step(r->st)) == SQLITE_ROW && *ret_n < (size_t)n) {
			r->column = 0;
			take(r, rows + *ret_n * size);
			++*ret_n;
		}
	sqlite3_finalize(r->st);
	*(void **)ret_rows = rows;
	return r->failed ? -ENOMEM : step == SQLITE_DONE ? 0 : -ERR_STORE;
}

static int read_policy(struct reader *r, struct rows *ret)
{
	int rc = 0;

	if (sqlite3_prepare_v2(r->db,
		    "SELECT data FROM policies WHERE deleted_at IS NULL ORDER BY id DESC LIMIT 1",
		    -1, &r->st, NULL) != SQLITE_OK)
		return 0; /* none was ever stored there */
	if (sqlite3_step(r->st) == SQLITE_ROW) {
		r->column = 0;
		ret->policy = text(r);
		rc = r->failed ? -ENOMEM : 0;
	}
	sqlite3_finalize(r->st);
	return rc;
}

/* The columns are those of 0.28 and newer: it brings older files up to date at its start. */
static int read_all(struct reader *r, struct rows *ret)
{
	int rc = read_table(r, "users WHERE deleted_at IS NULL",
		"id, name, display_name, email, provider, created_at", sizeof(struct row_user),
		take_user, &ret->user, &ret->n_users);

	if (rc == 0)
		rc = read_table(r, "pre_auth_keys",
			"id, user_id, key, prefix, hash, tags, reusable, ephemeral, used, created_at, expiration",
			sizeof(struct row_key), take_key, &ret->key, &ret->n_keys);
	if (rc == 0)
		rc = read_table(r, "nodes WHERE deleted_at IS NULL",
			"id, user_id, auth_key_id, machine_key, node_key, disco_key, endpoints, host_info, ipv4, ipv6, "
			"hostname, given_name, tags, approved_routes, created_at, expiry, last_seen",
			sizeof(struct row_node), take_node, &ret->node, &ret->n_nodes);
	return rc == 0 ? read_policy(r, ret) : rc;
}

int rows_read(const char *path, struct arena *mem, unix_ms now, struct rows *ret, struct err_at *at)
{
	struct reader r = { .mem = mem };
	char sql[128];
	int rc;

	*ret = (struct rows){ 0 };
	if (access(path, R_OK) != 0)
		return file_explain(path, -errno, at);
	if (sqlite3_open_v2(path, &r.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
		sqlite3_busy_timeout(r.db, BUSY_MS) != SQLITE_OK ||
		sqlite3_exec(r.db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) {
		err_at_set(at, 0, 0, "%.200s: %s", path,
			r.db ? sqlite3_errmsg(r.db) : "out of memory");
		sqlite3_close(r.db);
		return -ERR_STORE;
	}
	if (count(&r, "SELECT count(*) FROM nodes") < 0) {
		err_at_set(at, 0, 0, "%.200s is no database of headscale: %s", path,
			sqlite3_errmsg(r.db));
		rc = -ERR_BAD_FORMAT;
	} else if (
		count(&r,
			"SELECT count(tags) + (SELECT count(prefix) FROM pre_auth_keys) FROM nodes") <
		0) {
		err_at_set(at, 0, 0,
			"%.200s is of a headscale before 0.28; start a newer one once, which brings it up to date, then again",
			path);
		rc = -ERR_BAD_VERSION;
	} else {
		rc = read_all(&r, ret);
		if (rc < 0)
			err_at_set(at, 0, 0, "%.200s: %s", path,
				rc == -ERR_STORE ? sqlite3_errmsg(r.db) : err_text(rc));
	}
	snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM api_keys WHERE strftime('%%s', expiration) > '%lld'",
		(long long)(now / 1000));
	ret->api_keys = count(&r, sql);
	sqlite3_close(r.db);
	return rc;
}
