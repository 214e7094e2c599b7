/* hub/headscale: between its files. From the top down: headscale.c, convert.c, rows.c, config.c, yaml.c. */
#ifndef WARREN_HUB_HEADSCALE_INTERNAL_H
#define WARREN_HUB_HEADSCALE_INTERNAL_H

#include "core/coord/coord.h"
#include "hub/headscale/headscale.h"

enum { HEADSCALE_PATH_LEN = 4096 };

/* ---- yaml.c: a small document as a tree, by libyaml ---- */

enum { YAML_TEXT_MAX = 1 << 20, YAML_NODES_MAX = 20000, YAML_DEPTH_MAX = 16 };

struct yaml {
	enum { YAML_TEXT, YAML_LIST, YAML_MAP } kind;
	const char *key;  /* in a map; NULL in a list */
	const char *text; /* of YAML_TEXT */
	struct yaml *first, *next;
};

/* In the arena. Anchors and aliases are refused. -ERR_BAD_FORMAT with the line in *at; -ERR_TOO_BIG, ... */
MUST_USE int yaml_parse(struct view text, struct arena *mem, struct yaml **ret, struct err_at *at);
/* "dns.nameservers.global"; NULL: there is none. */
const struct yaml *yaml_at(const struct yaml *y, const char *path);
/* The text of a scalar; NULL: there is none, or it is empty. */
const char *yaml_text(const struct yaml *y, const char *path);
bool yaml_is_true(const struct yaml *y, const char *path, bool by_default);

/* ---- config.c ---- */

struct config {
	const struct yaml *yaml;
	const char *path;                             /* of config.yaml itself */
	const char *database, *noise_key, *relay_key; /* files; relay_key may be NULL */
	const char *policy;                           /* a file; NULL: it is in the database */
	const char *base_domain;
	struct coord_dns dns;
};

MUST_USE int config_read(
	const char *path, struct arena *mem, struct config *ret, struct err_at *at);
/* What it means for the hub. */
MUST_USE int config_tell(const struct config *c, struct arena *mem, struct headscale_result *ret);

/* A sentence to one of the result's lists. */
MUST_USE int note(struct arena *mem, struct json_list *list, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* ---- rows.c: what is in the database ---- */

struct row_user {
	int64_t id;
	const char *name, *display_name, *email, *provider;
	unix_ms created;
};

struct row_key {
	int64_t id, user;                        /* user 0: none */
	const char *text, *prefix, *hash, *tags; /* text: of old keys, else ""; tags: JSON */
	bool reusable, ephemeral, used;
	unix_ms created, expires;
};

struct row_node {
	int64_t id, user, auth_key; /* 0: none */
	const char *machine, *key, *disco, *endpoints, *hostinfo, *ip4, *ip6, *hostname, *name,
		*tags, *routes;
	unix_ms created, expiry, last_seen;
};

struct rows {
	struct row_user *user;
	struct row_key *key;
	struct row_node *node;
	size_t n_users, n_keys, n_nodes;
	const char *policy; /* NULL: there is none */
	int64_t api_keys;   /* that have not expired */
};

/* All texts are there, "" for none. -ERR_BAD_VERSION: of an older headscale. */
MUST_USE int rows_read(
	const char *path, struct arena *mem, unix_ms now, struct rows *ret, struct err_at *at);

/* ---- convert.c: rows become documents ---- */

struct documents {
	struct coord_user *user;
	struct coord_key *key;
	struct coord_node_doc *node;
	size_t n_users, n_keys, n_nodes;
};

/* What cannot be kept is told in the result. -ERR_BAD_VALUE: a document without which the import would be worth nothing. */
MUST_USE int convert(const struct rows *rows, const struct headscale_job *job, struct arena *mem,
	struct documents *ret, struct headscale_result *result, struct err_at *at);

#endif
