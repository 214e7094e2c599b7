/*
 * .../dns/...: how devices resolve names, in the forms of Tailscale's API. What it has no form for (records, names below a device's,
 * where a resolver is found) stays as it is. MagicDNS needs no nameserver here, so it stays on when the last one goes.
 */
#include "hub/api/internal.h"
#include "os/log/log.h"

#include <errno.h>
#include <stdio.h>

struct nameservers {
	struct json_list dns; /* const char * */
	uint8_t magic;        /* JSON_ABSENT in questions */
};
static const struct json_field nameservers_fields[] = {
	JSON_F(struct nameservers, dns, "dns", json_str_list, 0),
	JSON_F(struct nameservers, magic, "magicDNS", json_opt_bool, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(nameservers_type, struct nameservers, nameservers_fields);

struct preferences {
	uint8_t override, magic;
};
static const struct json_field magic_fields[] = {
	JSON_F(struct preferences, magic, "magicDNS", json_opt_bool, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(magic_type, struct preferences, magic_fields);
static const struct json_field preferences_fields[] = {
	JSON_F(struct preferences, override, "overrideLocalDNS", json_opt_bool, JSON_OMIT),
	JSON_F(struct preferences, magic, "magicDNS", json_opt_bool, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(preferences_type, struct preferences, preferences_fields);

struct search_paths {
	struct json_list paths; /* const char * */
};
static const struct json_field search_fields[] = {
	JSON_F(struct search_paths, paths, "searchPaths", json_str_list, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(search_type, struct search_paths, search_fields);

static JSON_MAP_TYPE(split_type, json_str_list);

static const struct json_field resolver_fields[] = {
	JSON_F(struct tc_resolver, addr, "address", json_str, 0),
	JSON_F(struct tc_resolver, use_with_exit_node, "useWithExitNode", json_bool, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(resolver_type, struct tc_resolver, resolver_fields);
static JSON_LIST_TYPE(resolver_list, resolver_type);
static JSON_MAP_TYPE(resolver_map, resolver_list);

struct configuration {
	struct json_list nameservers; /* struct tc_resolver */
	struct json_map splits;       /* struct json_list of struct tc_resolver */
	struct json_list search;      /* const char * */
	struct preferences preferences;
};
static const struct json_field configuration_fields[] = {
	JSON_F(struct configuration, nameservers, "nameservers", resolver_list, 0),
	JSON_F(struct configuration, splits, "splitDNS", resolver_map, 0),
	JSON_F(struct configuration, search, "searchPaths", json_str_list, 0),
	JSON_F(struct configuration, preferences, "preferences", preferences_type, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(configuration_type, struct configuration, configuration_fields);

static const struct coord_dns *settings(struct http_request *q)
{
	return coord_dns(hub_of(q)->tailnet);
}

static uint8_t opt(bool on)
{
	return on ? JSON_YES : JSON_NO;
}

/* Addresses alone, as texts. */
static int addresses(const struct json_list *from, struct arena *a, struct json_list *ret)
{
	const char **v = arena_array(a, from->n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < from->n; i++)
		v[i] = JSON_AT(*from, struct tc_resolver, i)->addr;
	*ret = json_list_of(v, from->n);
	return 0;
}

/* What the API has no form for is of the resolver with the same address. */
static void keep_rest(struct tc_resolver *r, const struct json_list *before, bool exit_node_too)
{
	for (size_t i = 0; i < before->n; i++) {
		const struct tc_resolver *old = JSON_AT(*before, struct tc_resolver, i);

		if (!r->addr || strcmp(old->addr, r->addr) != 0)
			continue;
		r->bootstrap = old->bootstrap;
		if (exit_node_too)
			r->use_with_exit_node = old->use_with_exit_node;
	}
}

static int from_addresses(const struct json_list *texts, const struct json_list *before,
	struct arena *a, struct json_list *ret)
{
	struct tc_resolver *v = arena_array(a, texts->n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < texts->n; i++) {
		v[i] = (struct tc_resolver){ .addr = *JSON_AT(*texts, const char *, i) };
		keep_rest(&v[i], before, true);
	}
	*ret = json_list_of(v, texts->n);
	return 0;
}

static const struct json_list *split_before(const struct coord_dns *d, const char *suffix)
{
	static const struct json_list none;

	for (size_t i = 0; i < d->splits.n; i++) {
		const struct coord_dns_split *s = JSON_AT(d->splits, struct coord_dns_split, i);

		if (!strcmp(s->suffix, suffix))
			return &s->resolvers;
	}
	return &none;
}

/* The body as the type says, and the settings as they are, to be changed. 1: refused, and answered. */
static int read_change(
	struct http_request *q, const struct json_type *t, void *doc, struct coord_dns *d)
{
	struct err_at at = { 0 };
	char text[512];
	int rc = json_decode(t, q->body.p, q->body.len, doc, &q->mem, &at);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0) {
		snprintf(text, sizeof(text), "the body is not what this call takes: %s%s%s",
			err_text(rc), at.text[0] ? ": " : "", at.text);
		rc = api_refuse(q, 400, text);
		return rc < 0 ? rc : 1;
	}
	return coord_dns_copy(settings(q), &q->mem, d);
}

/* Sets them and answers with fn, or with what is refused. rc: of what came before. */
static int set(struct http_request *q, int rc, const struct coord_dns *d, const struct err_at *why,
	int (*fn)(struct http_request *q))
{
	struct hub *h = hub_of(q);
	struct err_at at = *why;

	if (rc == 1)
		return 0;
	if (rc == 0)
		rc = coord_dns_set(h->tailnet, d, loop_now(h->loop), &at);
	if (rc == 0) {
		log_info("api", "a change was made", "by=%s request=%.*s", q->who.name,
			(int)q->path.len, (const char *)q->path.p);
		return fn(q);
	}
	return at.text[0] ? api_refuse(q, 400, at.text) : rc;
}

static int reply_nameservers(struct http_request *q, bool magic)
{
	struct nameservers doc = { .magic = magic ? opt(!settings(q)->magic_off) : JSON_ABSENT };
	int rc = addresses(&settings(q)->resolvers, &q->mem, &doc.dns);

	return rc < 0 ? rc : api_reply(q, 200, &nameservers_type, &doc, "");
}

int api_dns_nameservers(struct http_request *q)
{
	return reply_nameservers(q, false);
}

static int nameservers_set(struct http_request *q)
{
	return reply_nameservers(q, true);
}

int api_dns_nameservers_set(struct http_request *q)
{
	struct err_at at = { 0 };
	struct nameservers doc;
	struct coord_dns d;
	int rc = read_change(q, &nameservers_type, &doc, &d);

	if (rc == 0)
		rc = from_addresses(&doc.dns, &settings(q)->resolvers, &q->mem, &d.resolvers);
	return set(q, rc, &d, &at, nameservers_set);
}

int api_dns_preferences(struct http_request *q)
{
	struct preferences doc = { .magic = opt(!settings(q)->magic_off) };

	return api_reply(q, 200, &magic_type, &doc, "");
}

int api_dns_preferences_set(struct http_request *q)
{
	struct err_at at = { 0 };
	struct preferences doc;
	struct coord_dns d;
	int rc = read_change(q, &magic_type, &doc, &d);

	if (rc == 0 && doc.magic != JSON_ABSENT)
		d.magic_off = doc.magic == JSON_NO;
	return set(q, rc, &d, &at, api_dns_preferences);
}

int api_dns_search(struct http_request *q)
{
	struct search_paths doc = { settings(q)->search };

	doc.paths.present = true;
	return api_reply(q, 200, &search_type, &doc, "");
}

int api_dns_search_set(struct http_request *q)
{
	struct err_at at = { 0 };
	struct search_paths doc;
	struct coord_dns d;
	int rc = read_change(q, &search_type, &doc, &d);

	if (rc == 0)
		d.search = doc.paths;
	return set(q, rc, &d, &at, api_dns_search);
}

int api_dns_split(struct http_request *q)
{
	const struct coord_dns *d = settings(q);
	struct json_map doc = { .present = true };
	int rc = 0;

	for (size_t i = 0; i < d->splits.n && rc == 0; i++) {
		const struct coord_dns_split *s = JSON_AT(d->splits, struct coord_dns_split, i);
		struct json_list *l = arena_new(&q->mem, struct json_list);

		rc = l ? addresses(&s->resolvers, &q->mem, l) : -ENOMEM;
		if (rc == 0)
			rc = json_map_add(&doc, &q->mem, s->suffix, l);
	}
	return rc < 0 ? rc : api_reply(q, 200, &split_type, &doc, "");
}

/* null takes a domain out; one that is not there is out already. */
static int merge_split(
	struct http_request *q, const struct json_map *doc, struct coord_dns *d, struct err_at *at)
{
	int rc = 0;

	for (size_t i = 0; i < doc->n && rc == 0; i++) {
		const char *suffix = doc->v[i].key;
		const struct json_list *texts = doc->v[i].value;
		struct json_list l;

		if (!texts->present) {
			rc = coord_dns_edit_split(d, COORD_DNS_REMOVE, suffix, NULL, &q->mem, at);
			if (rc == -ENOENT)
				rc = 0;
			continue;
		}
		rc = from_addresses(texts, split_before(settings(q), suffix), &q->mem, &l);
		if (rc == 0)
			rc = coord_dns_edit_split(d, COORD_DNS_SET, suffix, &l, &q->mem, at);
	}
	if (rc == 0)
		at->text[0] = 0;
	return rc;
}

/* PATCH merges, PUT replaces all. */
int api_dns_split_set(struct http_request *q)
{
	struct err_at at = { 0 };
	struct json_map doc;
	struct coord_dns d;
	int rc = read_change(q, &split_type, &doc, &d);

	if (rc == 0 && http_request_is(q, "PUT"))
		d.splits = json_list_of(NULL, 0);
	if (rc == 0)
		rc = merge_split(q, &doc, &d, &at);
	return set(q, rc, &d, &at, api_dns_split);
}

int api_dns_configuration(struct http_request *q)
{
	const struct coord_dns *d = settings(q);
	struct configuration doc = { .nameservers = d->resolvers,
		.search = d->search,
		.splits.present = true,
		.preferences = { opt(!d->override_off), opt(!d->magic_off) } };
	int rc = 0;

	doc.nameservers.present = doc.search.present = true;
	for (size_t i = 0; i < d->splits.n && rc == 0; i++) {
		const struct coord_dns_split *s = JSON_AT(d->splits, struct coord_dns_split, i);
		struct json_list *l = arena_new(&q->mem, struct json_list);

		if (!l)
			return -ENOMEM;
		*l = json_list_of(s->resolvers.v, s->resolvers.n);
		rc = json_map_add(&doc.splits, &q->mem, s->suffix, l);
	}
	return rc < 0 ? rc : api_reply(q, 200, &configuration_type, &doc, "");
}

static int take_configuration(struct http_request *q, const struct configuration *doc,
	struct coord_dns *d, struct err_at *at)
{
	int rc = 0;

	for (size_t i = 0; i < doc->nameservers.n; i++)
		keep_rest(JSON_AT(doc->nameservers, struct tc_resolver, i), &settings(q)->resolvers,
			false);
	d->resolvers = doc->nameservers;
	d->search = doc->search;
	d->splits = json_list_of(NULL, 0);
	for (size_t i = 0; i < doc->splits.n && rc == 0; i++) {
		const struct json_list *l = doc->splits.v[i].value;
		const char *suffix = doc->splits.v[i].key;

		for (size_t k = 0; k < l->n; k++)
			keep_rest(JSON_AT(*l, struct tc_resolver, k),
				split_before(settings(q), suffix), false);
		rc = coord_dns_edit_split(d, COORD_DNS_SET, suffix, l, &q->mem, at);
	}
	if (doc->preferences.override != JSON_ABSENT)
		d->override_off = doc->preferences.override == JSON_NO;
	if (doc->preferences.magic != JSON_ABSENT)
		d->magic_off = doc->preferences.magic == JSON_NO;
	return rc;
}

/* All of it: what is left out is empty; preferences stay. */
int api_dns_configuration_set(struct http_request *q)
{
	struct err_at at = { 0 };
	struct configuration doc;
	struct coord_dns d;
	int rc = read_change(q, &configuration_type, &doc, &d);

	if (rc == 0)
		rc = take_configuration(q, &doc, &d, &at);
	return set(q, rc, &d, &at, api_dns_configuration);
}
