/* The import: read, convert, put into a fresh database, let the hub's own engine judge it, and only then give it its name. */
#include "crypto/sha256/sha256.h"
#include "hub/backup/place.h"
#include "hub/headscale/internal.h"
#include "os/file/file.h"
#include "os/loop/loop.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DOC_MAX = 4 << 20, SETTINGS_MAX = 64 * 1024 };

static const char part_name[] = "hub.db.part";

struct import {
	const struct headscale_job *job;
	struct arena *mem;
	struct headscale_result *result;
	struct err_at *at;
	const char *dir; /* where it is made */
	struct config config;
	struct documents docs;
	const char *policy; /* its text; NULL: there is none */
};

/* ---- Documents ---- */

static int put(struct coord_store *s, enum coord_kind kind, int64_t id, const struct json_type *t,
	const void *doc)
{
	struct buf out;
	int rc;

	buf_init(&out, DOC_MAX);
	rc = json_encode(t, doc, &out);
	if (rc == 0)
		rc = coord_store_put(s, kind, id, view_of(buf_data(&out), buf_len(&out)));
	buf_fini(&out);
	return rc;
}

static int put_documents(const struct documents *d, struct coord_store *s)
{
	int rc = 0;

	for (size_t i = 0; i < d->n_users && rc == 0; i++)
		rc = put(s, COORD_USER, d->user[i].id, &coord_user_type, &d->user[i]);
	for (size_t i = 0; i < d->n_keys && rc == 0; i++)
		rc = put(s, COORD_KEY, d->key[i].id, &coord_key_type, &d->key[i]);
	for (size_t i = 0; i < d->n_nodes && rc == 0; i++)
		rc = put(s, COORD_NODE, d->node[i].id, &coord_node_doc_type, &d->node[i]);
	if (rc < 0)
		return rc;
	s->ops->commit(s);
	return coord_store_settled(s) ? 0 : -ERR_STORE;
}

/* ---- By the hub's own engine ---- */

static int set_policy(struct import *m, struct tailnet *c, struct now now)
{
	struct err_at why = { 0 };
	int rc = m->policy ? coord_policy_set(c, view_of(m->policy, strlen(m->policy)), "headscale",
				     0, now, NULL, NULL, &why)
			   : 0;

	if (rc == 0 && !m->policy)
		return note(m->mem, &m->result->differs,
			"headscale has no policy: everybody reaches everybody, as there");
	if (rc)
		err_at_set(m->at, why.line, why.column,
			"the policy is refused, line %u: %s. Write it to a file, mend it there, and name it with --policy FILE",
			why.line,
			rc == COORD_POLICY_TESTS_FAILED ? "its tests fail"
			: why.text[0]                   ? why.text
							: err_text(rc));
	return rc > 0 ? -ERR_BAD_VALUE : rc;
}

/* The hub knows A and AAAA: others are told, and left out. */
static int keep_addresses(struct import *m)
{
	struct json_list *l = &m->config.dns.records;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		const struct tc_dns_record *r = JSON_AT(*l, struct tc_dns_record, i);

		if (!r->type || !strcmp(r->type, "A") || !strcmp(r->type, "AAAA"))
			*JSON_AT(*l, struct tc_dns_record, n++) = *r;
		else
			rc = note(m->mem, &m->result->lost, "the record %.200s of type %.20s",
				r->name, r->type);
	}
	l->n = n;
	return rc;
}

static int set_dns(struct import *m, struct tailnet *c, struct now now)
{
	struct err_at why = { 0 };
	int rc = keep_addresses(m);

	if (rc == 0)
		rc = coord_dns_set(c, &m->config.dns, now, &why);
	if (rc < 0)
		err_at_set(m->at, 0, 0, "the DNS settings of config.yaml are refused: %s",
			why.text[0] ? why.text : err_text(rc));
	return rc;
}

/* The hub approves what the policy says by itself; headscale does when the device offers it again. */
static int tell_approved(struct import *m, const struct tailnet *c)
{
	int rc = 0;

	for (const struct coord_node_doc *d = coord_node_next(c, NULL); d;
		d = coord_node_next(c, d))
		for (size_t i = 0; i < d->routes.n && rc == 0; i++) {
			const struct coord_route_approval *a =
				JSON_AT(d->routes, struct coord_route_approval, i);
			char text[IPPREFIX_TEXT_MAX];

			if (!a->by || !a->by[0])
				rc = note(m->mem, &m->result->differs,
					"the route %s of %.63s is approved now, by the policy's autoApprovers",
					ipprefix_format(a->prefix, text), d->name);
		}
	return rc;
}

static int judge(struct import *m, struct coord_store *s)
{
	struct now now = { .mono = SEC(1), .wall = m->job->now };
	struct coord_cfg cfg = { .url = yaml_text(m->config.yaml, "server_url"),
		.base_domain = m->config.base_domain,
		.store = s,
		.rng = loop_rng(),
		.hash = sha256_hash };
	struct coord_stats stats;
	struct tailnet *c = NULL;
	struct err_at why = { 0 };
	int rc = m->config.base_domain ? coord_base_domain_check(m->config.base_domain, &why) : 0;

	if (!cfg.base_domain)
		cfg.base_domain = "warren.internal";
	if (!cfg.url)
		cfg.url = "http://127.0.0.1";
	if (rc == 0)
		rc = coord_new(&c, &cfg, now, &why);
	if (rc < 0) {
		err_at_set(m->at, 0, 0, "the hub does not take it: %s",
			why.text[0] ? why.text : err_text(rc));
		coord_free(c);
		return rc;
	}
	rc = set_dns(m, c, now);
	if (rc == 0)
		rc = set_policy(m, c, now);
	if (rc == 0)
		rc = tell_approved(m, c);
	if (rc == 0)
		rc = coord_turn_end(c, now);
	coord_stats(c, &stats);
	m->result->users = (int64_t)stats.users;
	m->result->devices = (int64_t)stats.nodes;
	m->result->keys = (int64_t)stats.keys;
	coord_free(c);
	return rc;
}

static int make_database(struct import *m)
{
	char tmp[HEADSCALE_PATH_LEN], path[HEADSCALE_PATH_LEN];
	struct store_sqlite *s = NULL;
	int rc;

	snprintf(tmp, sizeof(tmp), "%s/%s", m->dir, part_name);
	snprintf(path, sizeof(path), "%s/hub.db", m->dir);
	unlink(tmp);
	rc = store_sqlite_open(&s, tmp, false, m->at);
	if (rc == 0)
		rc = put_documents(&m->docs, store_sqlite_store(s));
	if (rc == 0)
		rc = judge(m, store_sqlite_store(s));
	store_sqlite_close(s);
	if (rc == 0)
		rc = file_put(tmp, path);
	else
		unlink(tmp);
	return rc == 0 ? place_give(m->dir, path) : rc;
}

/* ---- Files ---- */

static int take_key(struct import *m, const char *from, const char *name)
{
	char path[HEADSCALE_PATH_LEN];
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	b.secret = true;
	rc = file_read(from, &b);
	if (rc < 0) {
		buf_fini(&b);
		return file_explain(from, rc, m->at);
	}
	snprintf(path, sizeof(path), "%s/%s", m->dir, name);
	rc = file_write(path, view_of(buf_data(&b), buf_len(&b)), 0600);
	buf_fini(&b);
	if (rc == 0)
		rc = place_give(m->dir, path);
	if (rc == 0) {
		uint8_t key[32];

		rc = file_private_key(path, key);
		explicit_bzero(key, sizeof(key));
		if (rc < 0)
			err_at_set(m->at, 0, 0, "%.200s is no key: %s", from, err_text(rc));
	}
	return rc;
}

static int take_keys(struct import *m)
{
	int rc = take_key(m, m->config.noise_key, "noise.key");

	return rc == 0 && m->config.relay_key ? take_key(m, m->config.relay_key, "relay.key") : rc;
}

static int write_settings(struct import *m)
{
	const struct json_list *l = &m->result->settings;
	char path[HEADSCALE_PATH_LEN];
	struct buf b;
	int rc;

	buf_init(&b, SETTINGS_MAX);
	rc = buf_printf(&b, "# What headscale's config.yaml said, for warren-hub serve --config\n");
	for (size_t i = 0; i < l->n && rc == 0; i++)
		rc = buf_printf(&b, "%s\n", *JSON_AT(*l, const char *, i));
	snprintf(path, sizeof(path), "%s/imported.conf", m->dir);
	if (rc == 0)
		rc = file_write(path, view_of(buf_data(&b), buf_len(&b)), 0600);
	buf_fini(&b);
	return rc == 0 ? place_give(m->dir, path) : rc;
}

static int read_policy(struct import *m, const struct rows *rows)
{
	const char *file = m->job->policy ? m->job->policy : m->config.policy;
	struct buf b;
	int rc;

	m->policy = rows->policy;
	if (!file)
		return 0;
	buf_init(&b, COORD_POLICY_TEXT_MAX);
	rc = file_read(file, &b);
	if (rc < 0)
		rc = file_explain(file, rc, m->at);
	else
		m->policy = arena_strndup(m->mem, buf_data(&b), buf_len(&b));
	buf_fini(&b);
	return rc < 0 ? rc : m->policy ? 0 : -ENOMEM;
}

/* ---- All of it ---- */

static int run(struct import *m)
{
	struct rows rows;
	int rc = config_read(m->job->config, m->mem, &m->config, m->at);

	if (rc == 0)
		rc = rows_read(m->config.database, m->mem, m->job->now, &rows, m->at);
	if (rc == 0)
		rc = convert(&rows, m->job, m->mem, &m->docs, m->result, m->at);
	if (rc == 0)
		rc = config_tell(&m->config, m->mem, m->result);
	if (rc == 0)
		rc = read_policy(m, &rows);
	/* The keys before the database: a hub that finds them alone says what is missing, and makes no new one. */
	if (rc == 0)
		rc = take_keys(m);
	if (rc == 0)
		rc = write_settings(m);
	if (rc == 0)
		rc = make_database(m);
	return rc;
}

static void clear(const char *dir)
{
	static const char *const names[] = { "noise.key", "relay.key", "imported.conf", "hub.db",
		"hub.db-wal", "hub.db-shm", "hub.db.part-wal", "hub.db.part-shm", part_name,
		"hub.lock" };
	char path[HEADSCALE_PATH_LEN];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
}

/* The same as the real thing, so that what it says is true. */
static int try_it(struct import *m)
{
	char dir[] = "/tmp/warren-import-XXXXXX";
	int rc;

	if (!mkdtemp(dir))
		return -errno;
	m->dir = dir;
	rc = run(m);
	clear(dir);
	rmdir(dir);
	return rc;
}

static int do_it(struct import *m)
{
	int held, rc = place_lock(m->job->state_dir, &held, m->at);
	char key[HEADSCALE_PATH_LEN];

	if (rc < 0)
		return rc;
	m->dir = m->job->state_dir;
	snprintf(key, sizeof(key), "%s/noise.key", m->dir);
	if (place_has_hub(m->dir) || access(key, F_OK) == 0) {
		err_at_set(m->at, 0, 0,
			"%.200s has a hub already: name another --state-dir, or move that one away",
			m->dir);
		rc = -EEXIST;
	} else {
		rc = run(m);
		if (rc < 0)
			clear(m->dir);
	}
	close(held);
	return rc;
}

int headscale_import(const struct headscale_job *job, struct arena *mem,
	struct headscale_result *ret, struct err_at *at)
{
	struct import m = { .job = job, .mem = mem, .result = ret, .at = at };
	int rc;

	*ret = (struct headscale_result){ 0 };
	at->text[0] = 0;
	rc = job->state_dir ? do_it(&m) : try_it(&m);
	if (rc < 0 && !at->text[0])
		err_at_set(at, 0, 0, "%s", err_text(rc));
	return rc;
}
