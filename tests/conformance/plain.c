#include "tests/conformance/plain.h"

#include <stdlib.h>
#include <string.h>

static struct ipprefix prefix_of(const char *s)
{
	struct ipprefix p = { 0 };
	struct ipaddr a;

	if (ipaddr_parse(s, strlen(s), &a) == 0)
		return ipprefix_single(a);
	if (ipprefix_parse(s, strlen(s), &p) == 0)
		return ipprefix_masked(p);
	return (struct ipprefix){ 0 };
}

static bool in(const char *prefix, struct ipaddr a)
{
	return ipprefix_contains(prefix_of(prefix), a);
}

const struct plain_node *plain_node_at(const struct plain_world *w, struct ipaddr a)
{
	for (size_t i = 0; i < PLAIN_NODES; i++)
		if (w->nodes[i].there &&
			(ipaddr_eq(w->nodes[i].ip4, a) || ipaddr_eq(w->nodes[i].ip6, a)))
			return &w->nodes[i];
	return NULL;
}

bool plain_is_exit(const struct plain_node *n)
{
	for (size_t i = 0; i < n->n_routes; i++)
		if (n->routes[i].bits == 0)
			return true;
	return false;
}

static bool in_tailnet(struct ipaddr a)
{
	return (in("100.64.0.0/10", a) && !in("100.115.92.0/23", a)) ||
	       in("fd7a:115c:a1e0::/48", a);
}

static bool in_some_route(const struct plain_world *w, struct ipaddr a)
{
	for (size_t i = 0; i < PLAIN_NODES; i++)
		for (size_t k = 0; w->nodes[i].there && k < w->nodes[i].n_routes; k++)
			if (w->nodes[i].routes[k].bits &&
				ipprefix_contains(w->nodes[i].routes[k], a))
				return true;
	return false;
}

static bool in_internet(struct ipaddr a)
{
	if (a.family == 6)
		return in("2000::/3", a);
	return !in("10.0.0.0/8", a) && !in("172.16.0.0/12", a) && !in("192.168.0.0/16", a) &&
	       !in("100.64.0.0/10", a) && !in("169.254.0.0/16", a);
}

static bool has_tag(const struct plain_node *n, const char *tag)
{
	for (size_t i = 0; n && i < n->n_tags; i++)
		if (strcmp(n->tags[i], tag) == 0)
			return true;
	return false;
}

static bool group_has(const struct plain_world *w, const char *group, const char *login)
{
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(w->policy, "groups"), group), i,
		m) if (strcmp(json_string_value(m), login) == 0) return true;
	return false;
}

/* add and remove in their order. */
static bool ipset_has(const struct plain_world *w, const char *set, struct ipaddr a)
{
	bool has = false;
	json_t *op;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(w->policy, "ipsets"), set), i, op)
	{
		const char *s = json_string_value(op);

		if (strncmp(s, "add ", 4) == 0 && in(s + 4, a))
			has = true;
		if (strncmp(s, "remove ", 7) == 0 && in(s + 7, a))
			has = false;
	}
	return has;
}

static bool autogroup_has(
	const struct plain_world *w, const char *name, struct ipaddr a, const struct plain_node *n)
{
	if (strcmp(name, "danger-all") == 0)
		return true;
	if (strcmp(name, "internet") == 0)
		return in_internet(a);
	if (strcmp(name, "tagged") == 0)
		return n && n->n_tags;
	if (strcmp(name, "member") == 0)
		return n && !n->n_tags;
	return strcmp(name, "admin") == 0 && n && !n->n_tags && w->roles[n->user] >= POLICY_ADMIN;
}

static bool selector_has(const struct plain_world *w, const char *s, struct ipaddr a, bool as_src)
{
	const struct plain_node *n = plain_node_at(w, a);
	const char *host;

	if (strcmp(s, "*") == 0)
		return !as_src || in_tailnet(a) || in_some_route(w, a);
	if (prefix_of(s).ip.family)
		return in(s, a);
	if (strchr(s, '@'))
		return n && !n->n_tags && strcmp(w->logins[n->user], s) == 0;
	if (strncmp(s, "group:", 6) == 0)
		return n && !n->n_tags && group_has(w, s, w->logins[n->user]);
	if (strncmp(s, "tag:", 4) == 0)
		return has_tag(n, s);
	if (strncmp(s, "autogroup:", 10) == 0)
		return autogroup_has(w, s + 10, a, n);
	if (strncmp(s, "ipset:", 6) == 0)
		return ipset_has(w, s, a);
	host = json_string_value(json_object_get(json_object_get(w->policy, "hosts"), s));
	return host && in(host, a);
}

static bool port_in(const char *ports, int port)
{
	char copy[128], *save, *p;

	if (strcmp(ports, "*") == 0)
		return true;
	snprintf(copy, sizeof(copy), "%s", ports);
	for (p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		char *dash = strchr(p, '-');
		int first = atoi(p), last = dash ? atoi(dash + 1) : first;

		if (port >= first && port <= last)
			return true;
	}
	return false;
}

static bool proto_in(const char *name, int proto)
{
	if (!name || !*name)
		return proto == 6 || proto == 17 || proto == 1 || proto == 58;
	return strcmp(name, "tcp") == 0   ? proto == 6
	       : strcmp(name, "udp") == 0 ? proto == 17
					  : strcmp(name, "icmp") == 0 && proto == 1;
}

/* The postures of these tests have one condition: node:os == 'x'. */
static bool posture_met(const struct plain_world *w, const char *name, const struct plain_node *n)
{
	const char *s = json_string_value(
		json_array_get(json_object_get(json_object_get(w->policy, "postures"), name), 0));
	const char *quote = s ? strchr(s, '\'') : NULL;

	return n && quote && strncmp(quote + 1, n->os, strlen(n->os)) == 0 &&
	       quote[1 + strlen(n->os)] == '\'';
}

static bool src_in(const struct plain_world *w, json_t *entry, struct ipaddr src)
{
	json_t *postures = json_object_get(entry, "srcPosture"), *s;
	bool met = json_array_size(postures) == 0;
	size_t i;

	json_array_foreach(postures, i, s) met |=
		posture_met(w, json_string_value(s), plain_node_at(w, src));
	json_array_foreach(json_object_get(entry, "src"), i,
		s) if (met && selector_has(w, json_string_value(s), src, true)) return true;
	return false;
}

static bool self_met(const struct plain_world *w, const struct plain_node *at, struct ipaddr src,
	struct ipaddr dst)
{
	const struct plain_node *a = plain_node_at(w, src), *b = plain_node_at(w, dst);

	return a && b && b == at && !a->n_tags && !b->n_tags && a->user == b->user;
}

/* A router with one of the tags carries what overlaps its routes; an exit node with one carries the
 * internet. */
static bool via_met(const struct plain_node *at, json_t *via, const char *dst)
{
	bool tagged = false;
	json_t *tag;
	size_t i;

	json_array_foreach(via, i, tag) tagged |= has_tag(at, json_string_value(tag));
	if (!tagged)
		return false;
	if (strcmp(dst, "autogroup:internet") == 0)
		return plain_is_exit(at);
	for (i = 0; i < at->n_routes; i++)
		if (at->routes[i].bits && prefix_of(dst).ip.family &&
			ipprefix_overlaps(at->routes[i], prefix_of(dst)))
			return true;
	return false;
}

static bool dst_met(const struct plain_world *w, const struct plain_node *at, json_t *entry,
	const char *sel, struct ipaddr src, struct ipaddr dst)
{
	json_t *via = json_object_get(entry, "via");

	if (strcmp(sel, "autogroup:self") == 0)
		return self_met(w, at, src, dst);
	if (json_array_size(via) && !via_met(at, via, sel))
		return false;
	return selector_has(w, sel, dst, false);
}

static bool acl_allows(const struct plain_world *w, const struct plain_node *at, json_t *acl,
	struct ipaddr src, struct ipaddr dst, int proto, int port)
{
	json_t *d;
	size_t i;

	if (!proto_in(json_string_value(json_object_get(acl, "proto")), proto) ||
		!src_in(w, acl, src))
		return false;
	json_array_foreach(json_object_get(acl, "dst"), i, d)
	{
		char sel[128], *colon;

		snprintf(sel, sizeof(sel), "%s", json_string_value(d));
		colon = strrchr(sel, ':');
		*colon = 0;
		if (port_in(colon + 1, port) && dst_met(w, at, acl, sel, src, dst))
			return true;
	}
	return false;
}

static bool ip_allows(json_t *grant, int proto, int port)
{
	json_t *e;
	size_t i;

	json_array_foreach(json_object_get(grant, "ip"), i, e)
	{
		char text[128], *colon;

		snprintf(text, sizeof(text), "%s", json_string_value(e));
		colon = strchr(text, ':');
		if (colon)
			*colon = 0;
		if (proto_in(colon ? text : "", proto) && port_in(colon ? colon + 1 : text, port))
			return true;
	}
	return false;
}

static bool grant_allows(const struct plain_world *w, const struct plain_node *at, json_t *grant,
	struct ipaddr src, struct ipaddr dst, int proto, int port)
{
	json_t *d;
	size_t i;

	if (!ip_allows(grant, proto, port) || !src_in(w, grant, src))
		return false;
	json_array_foreach(json_object_get(grant, "dst"), i,
		d) if (dst_met(w, at, grant, json_string_value(d), src, dst)) return true;
	return false;
}

bool plain_allows(const struct plain_world *w, const struct plain_node *at, struct ipaddr src,
	struct ipaddr dst, int proto, int port)
{
	json_t *e;
	size_t i;

	json_array_foreach(json_object_get(w->policy, "acls"), i,
		e) if (acl_allows(w, at, e, src, dst, proto, port)) return true;
	json_array_foreach(json_object_get(w->policy, "grants"), i,
		e) if (grant_allows(w, at, e, src, dst, proto, port)) return true;
	return false;
}
