#include "tests/conformance/harness.h"

#include <stdlib.h>
#include <string.h>

enum { ROUTES = 64, TAGS = 32 };

static size_t add_route(struct ipprefix *v, size_t n, const char *text)
{
	struct ipprefix p;

	if (n == ROUTES || ipprefix_parse(text, strlen(text), &p) < 0)
		return n;
	for (size_t i = 0; i < n; i++)
		if (ipprefix_eq(v[i], p))
			return n;
	v[n] = p;
	return n + 1;
}

static bool listed(const json_t *list, const char *text)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) if (strcmp(json_string_value(v), text) == 0) return true;
	return false;
}

static size_t add_seen(json_t *seen, json_t *advertised, struct ipprefix *v, size_t n)
{
	json_t *route;
	size_t i;

	json_array_foreach(json_object_get(seen, "AllowedIPs"), i,
		route) if (listed(advertised, json_string_value(route))) n =
		add_route(v, n, json_string_value(route));
	return n;
}

/* Approved by the topology; and some approvals are missing there, but a netmap shows the route in
 * use. */
static size_t routes_of(const struct trial *t, const char *key, struct ipprefix *v)
{
	json_t *node = node_by_name(t, key), *advertised = json_object_get(node, "routable_ips"),
	       *route, *peer, *capture;
	const char *name, *hostname = str_of(node, "hostname");
	size_t n = 0, i;

	json_array_foreach(json_object_get(node, "approved_routes"), i,
		route) if (listed(advertised, json_string_value(route))) n =
		add_route(v, n, json_string_value(route));
	json_object_foreach(json_object_get(t->doc, "captures"), name, capture)
	{
		json_t *netmap = json_object_get(capture, "netmap"),
		       *peers = json_object_get(netmap, "Peers");

		if (strcmp(name, key) == 0)
			n = add_seen(json_object_get(netmap, "SelfNode"), advertised, v, n);
		json_array_foreach(peers, i,
			peer) if (strcmp(str_of(json_object_get(peer, "Hostinfo"), "Hostname"),
					  hostname) == 0) n = add_seen(peer, advertised, v, n);
	}
	return n;
}

static enum policy_role role_of(const struct trial *t, const char *user)
{
	enum policy_role role = POLICY_MEMBER;
	const char *name;
	json_t *node;

	json_object_foreach(
		json_object_get(json_object_get(t->doc, "topology"), "nodes"), name, node)
	{
		json_t *caps;

		if (strcmp(str_of(node, "user"), user) != 0 ||
			json_array_size(json_object_get(node, "tags")))
			continue;
		caps = json_object_get(
			json_object_get(
				json_object_get(
					json_object_get(json_object_get(t->doc, "captures"), name),
					"netmap"),
				"SelfNode"),
			"CapMap");
		if (json_object_get(caps, "https://tailscale.com/cap/is-owner"))
			return POLICY_OWNER;
		if (json_object_get(caps, "https://tailscale.com/cap/is-admin"))
			role = POLICY_ADMIN;
	}
	return role;
}

/* "odin@example.com" or "example.com"; without a recording that of the first user. */
static const char *domain_of(const struct trial *t)
{
	json_t *users = json_object_get(json_object_get(t->doc, "topology"), "users"), *capture;
	const char *name, *text = "", *at;

	json_object_foreach(json_object_get(t->doc, "captures"), name, capture)
	{
		text = str_of(json_object_get(capture, "netmap"), "Domain");
		if (*text)
			break;
	}
	if (!*text)
		text = str_of(json_array_get(users, 0), "email");
	at = strrchr(text, '@');
	return at ? at + 1 : text;
}

static int64_t user_id(const struct trial *t, const char *name)
{
	json_t *users = json_object_get(json_object_get(t->doc, "topology"), "users"), *u;
	size_t i;

	json_array_foreach(users, i, u) if (strcmp(str_of(u, "name"), name) ==
					    0) return json_integer_value(json_object_get(u, "id")) +
		1; /* some recordings count from 0 */
	return 0;
}

static bool put_users(struct trial *t)
{
	json_t *users = json_object_get(json_object_get(t->doc, "topology"), "users"), *u;
	size_t i;

	json_array_foreach(users, i, u)
	{
		struct policy_user user = { .id = user_id(t, str_of(u, "name")),
			.login = str_of(u, "email"),
			.name = str_of(u, "name"),
			.role = role_of(t, str_of(u, "name")) };

		if (policy_user_put(t->directory, &user) < 0)
			return false;
	}
	return true;
}

json_t *node_by_name(const struct trial *t, const char *name)
{
	return json_object_get(json_object_get(json_object_get(t->doc, "topology"), "nodes"), name);
}

/* Numbers are the order of the topology: those of the recordings are random. */
int64_t id_of(const struct trial *t, const char *name)
{
	int64_t place = 1;
	const char *key;
	json_t *node;

	json_object_foreach(
		json_object_get(json_object_get(t->doc, "topology"), "nodes"), key, node)
	{
		if (strcmp(key, name) == 0)
			return place;
		place++;
	}
	return 0;
}

const char *name_of_host(const struct trial *t, const char *hostname)
{
	const char *name;
	json_t *node;

	json_object_foreach(json_object_get(json_object_get(t->doc, "topology"), "nodes"), name,
		node) if (strcmp(str_of(node, "hostname"), hostname) == 0) return name;
	return NULL;
}

static bool put_node(struct trial *t, const char *name, const json_t *node)
{
	const char *tags[TAGS], *ip4 = str_of(node, "ipv4"), *ip6 = str_of(node, "ipv6");
	struct ipprefix routes[ROUTES];
	struct policy_node n = { .id = id_of(t, name),
		.user = user_id(t, str_of(node, "user")),
		.tags = tags,
		.routes = routes };
	json_t *tag;
	size_t i;

	json_array_foreach(json_object_get(node, "tags"), i, tag) if (n.n_tags < TAGS)
		tags[n.n_tags++] = json_string_value(tag);
	n.n_routes = routes_of(t, name, routes);
	if (*ip4 && ipaddr_parse(ip4, strlen(ip4), &n.ip4) < 0)
		return false;
	if (*ip6 && ipaddr_parse(ip6, strlen(ip6), &n.ip6) < 0)
		return false;
	return policy_node_put(t->directory, &n) == 0;
}

bool build_tailnet(struct trial *t)
{
	const char *domain = domain_of(t), *name;
	struct policy_cfg cfg = { .domains = &domain, .n_domains = *domain ? 1 : 0 };
	json_t *node;

	if (policy_directory_new(&t->directory, &cfg) < 0 || !put_users(t))
		return false;
	json_object_foreach(json_object_get(json_object_get(t->doc, "topology"), "nodes"), name,
		node) if (!put_node(t, name, node)) return false;
	return true;
}
