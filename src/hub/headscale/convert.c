/* Rows become the hub's documents. What one of them lacks costs that one, and is told. */
#include "crypto/bcrypt/bcrypt.h"
#include "crypto/sha256/sha256.h"
#include "hub/headscale/internal.h"
#include "proto/tailcfg/tailcfg.h"

#include <errno.h>

struct conversion {
	const struct rows *rows;
	const struct headscale_job *job;
	struct arena *mem;
	struct documents *docs;
	struct headscale_result *result;
	int rc; /* of the notes */
};

#define LOST(v, ...) ((v)->rc = (v)->rc ? (v)->rc : note((v)->mem, &(v)->result->lost, __VA_ARGS__))

/* ---- People ---- */

static void convert_users(struct conversion *v)
{
	for (size_t i = 0; i < v->rows->n_users; i++) {
		const struct row_user *r = &v->rows->user[i];
		const char *name = r->name[0] ? r->name : r->email;
		struct coord_user *u = &v->docs->user[v->docs->n_users];

		if (!name[0]) {
			LOST(v, "user %lld has neither name nor e-mail", (long long)r->id);
			continue;
		}
		*u = (struct coord_user){ .id = r->id,
			.name = name,
			.display_name = r->display_name,
			.role = "",
			.created = r->created ? r->created : v->job->now };
		if (v->job->owner && !strcmp(v->job->owner, name))
			u->role = "owner";
		v->docs->n_users++;
	}
}

static bool has_user(const struct conversion *v, int64_t id)
{
	for (size_t i = 0; i < v->docs->n_users; i++)
		if (v->docs->user[i].id == id)
			return true;
	return false;
}

/* ---- Keys ---- */

static bool tags_of(struct conversion *v, const char *text, struct json_list *ret)
{
	*ret = (struct json_list){ 0 };
	return !text[0] ||
	       (json_decode(&json_str_list, text, strlen(text), ret, v->mem, NULL) == 0 &&
		       tc_check_tags(ret, NULL) == 0);
}

/* Its hash, as the hub looks for it: of the whole text, or of the name before the secret. */
static bool identify(struct conversion *v, const struct row_key *r, struct coord_key *k)
{
	char hex[SHA256_HEX_LEN], *name;

	name = r->text[0] ? arena_strdup(v->mem, r->text)
			  : arena_printf(v->mem, "hskey-auth-%s", r->prefix);
	if (!name || (!r->text[0] && (strlen(r->prefix) != 12 || !bcrypt_hash_is_good(r->hash))))
		return false;
	sha256_hex(name, strlen(name), hex);
	k->hash = arena_strdup(v->mem, hex);
	k->hint = arena_printf(v->mem, "%.23s...", name);
	k->bcrypt = r->text[0] ? NULL : r->hash;
	return k->hash && k->hint;
}

static void convert_keys(struct conversion *v)
{
	size_t n_bad = 0;

	for (size_t i = 0; i < v->rows->n_keys; i++) {
		const struct row_key *r = &v->rows->key[i];
		struct coord_key *k = &v->docs->key[v->docs->n_keys];

		*k = (struct coord_key){ .id = r->id,
			.reusable = r->reusable,
			.ephemeral = r->ephemeral,
			.preapproved = true, /* there is no approval in headscale */
			.used = r->used,
			.created = r->created,
			.expires = r->expires };
		if (!tags_of(v, r->tags, &k->tags) || !identify(v, r, k) ||
			(!k->tags.n && !has_user(v, r->user))) {
			n_bad++;
			continue;
		}
		k->user = k->tags.n ? 0 : r->user;
		v->docs->n_keys++;
	}
	if (n_bad)
		LOST(v, "%zu auth keys that belong to nobody, or whose tags or hash cannot be read",
			n_bad);
}

/* ---- Devices ---- */

#define DECODE(v, type, text, ret) json_decode(&(type), text, strlen(text), ret, (v)->mem, NULL)

static bool decode_key(struct conversion *v, const struct json_type *t, const char *text, void *ret)
{
	const char *quoted = arena_printf(v->mem, "\"%s\"", text);

	return quoted && json_decode(t, quoted, strlen(quoted), ret, v->mem, NULL) == 0;
}

/* NULL, or what is wrong with it. */
static const char *convert_identity(
	struct conversion *v, const struct row_node *r, struct coord_node_doc *d)
{
	if (!decode_key(v, &json_key_machine, r->machine, &d->machine) ||
		!decode_key(v, &json_key_node, r->key, &d->key))
		return "its keys cannot be read";
	if (ipaddr_parse(r->ip4, strlen(r->ip4), &d->ip4) < 0 || d->ip4.family != 4 ||
		d->ip4.b[0] != 100 || (d->ip4.b[1] & 0xc0) != 64)
		return "it has no IPv4 address of 100.64.0.0/10";
	if (ipaddr_parse(r->ip6, strlen(r->ip6), &d->ip6) < 0 || d->ip6.family != 6)
		return "it has no IPv6 address";
	if (!r->name[0] || strlen(r->name) > 63)
		return "it has no name";
	if (!tags_of(v, r->tags, &d->tags))
		return "its tags cannot be read";
	if (!d->tags.n && !has_user(v, r->user))
		return "it belongs to nobody";
	return NULL;
}

static bool is_ephemeral(const struct conversion *v, int64_t auth_key)
{
	for (size_t i = 0; auth_key && i < v->rows->n_keys; i++)
		if (v->rows->key[i].id == auth_key)
			return v->rows->key[i].ephemeral;
	return false;
}

static void convert_routes(struct conversion *v, const struct row_node *r, struct coord_node_doc *d)
{
	struct json_list prefixes = { 0 };
	struct coord_route_approval *a;

	if (!r->routes[0] || !strcmp(r->routes, "null"))
		return;
	if (DECODE(v, json_prefix_list, r->routes, &prefixes) < 0 ||
		prefixes.n > COORD_ROUTES_MAX) {
		LOST(v, "device %s: its approved routes", r->name);
		return;
	}
	a = arena_array(v->mem, prefixes.n, sizeof(*a));
	v->rc = a ? v->rc : -ENOMEM;
	for (size_t i = 0; a && i < prefixes.n; i++)
		a[i] = (struct coord_route_approval){ .prefix = *JSON_AT(
							      prefixes, struct ipprefix, i),
			.by = "headscale",
			.at = v->job->now };
	d->routes = json_list_of(a, a ? prefixes.n : 0);
}

/* What a device says of itself it will say again: without it one is only less known until then. */
static void convert_what_it_said(
	struct conversion *v, const struct row_node *r, struct coord_node_doc *d)
{
	struct tc_hostinfo *h = arena_new(v->mem, struct tc_hostinfo);

	if (!decode_key(v, &json_key_disco, r->disco, &d->disco))
		d->disco = (struct disco_pub){ 0 };
	if (DECODE(v, json_ipport_list, r->endpoints, &d->endpoints) < 0)
		d->endpoints = (struct json_list){ 0 };
	if (h && DECODE(v, tc_hostinfo_type, r->hostinfo, h) == 0)
		d->hostinfo = h;
	d->hostname = r->hostname;
}

static void convert_node(struct conversion *v, const struct row_node *r)
{
	struct coord_node_doc *d = &v->docs->node[v->docs->n_nodes];
	const char *why;

	*d = (struct coord_node_doc){ .id = r->id,
		.name = r->name,
		.created = r->created ? r->created : v->job->now,
		.key_expiry = r->expiry,
		.key_expired = r->expiry && r->expiry <= v->job->now,
		.last_seen = r->last_seen,
		.ephemeral = is_ephemeral(v, r->auth_key) };
	why = convert_identity(v, r, d);
	if (why) {
		LOST(v, "device %lld (%.63s): %s; it has to log in again", (long long)r->id,
			r->name, why);
		return;
	}
	d->user = d->tags.n ? 0 : r->user;
	convert_what_it_said(v, r, d);
	convert_routes(v, r, d);
	v->docs->n_nodes++;
}

int convert(const struct rows *rows, const struct headscale_job *job, struct arena *mem,
	struct documents *ret, struct headscale_result *result, struct err_at *at)
{
	struct conversion v = { rows, job, mem, ret, result, 0 };

	*ret = (struct documents){ .user = arena_array(mem, rows->n_users, sizeof(*ret->user)),
		.key = arena_array(mem, rows->n_keys, sizeof(*ret->key)),
		.node = arena_array(mem, rows->n_nodes, sizeof(*ret->node)) };
	if (!ret->user || !ret->key || !ret->node)
		return -ENOMEM;
	convert_users(&v);
	convert_keys(&v);
	for (size_t i = 0; i < rows->n_nodes; i++)
		convert_node(&v, &rows->node[i]);
	if (rows->api_keys > 0)
		LOST(&v,
			"%lld API keys: this hub's API is another one (Tailscale's); \"warren-hub tokens create\" makes tokens for it",
			(long long)rows->api_keys);
	if (v.rc == 0 && job->owner) {
		bool found = false;

		for (size_t i = 0; i < ret->n_users; i++)
			found |= ret->user[i].role[0] != 0;
		if (!found) {
			err_at_set(at, 0, 0,
				"headscale has no user \"%.100s\" who could be the owner",
				job->owner);
			return -ENOENT;
		}
	}
	return v.rc;
}
