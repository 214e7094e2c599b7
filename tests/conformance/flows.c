/* Two filters allow the same when they say the same about every point: a point for each edge of a
 * range on either side. */
#include "core/policy/sets/ranges.h"
#include "tests/conformance/harness.h"

#include <stdlib.h>
#include <string.h>

enum { POINTS = 512, PORTS = 256, PROTOS = 64 };

struct points {
	struct ipaddr v[POINTS];
	size_t n;
};

static void add_point(struct points *p, struct ipaddr a)
{
	for (size_t i = 0; i < p->n; i++)
		if (ipaddr_eq(p->v[i], a))
			return;
	if (p->n < POINTS)
		p->v[p->n++] = a;
}

/* The forms that clients understand. false: none of them. */
static bool parse_range(const char *s, struct iprange *ret4, struct iprange *ret6)
{
	static const struct ipprefix all4 = { { 4, { 0 } }, 0 }, all6 = { { 6, { 0 } }, 0 };
	const char *dash = strchr(s, '-');
	struct ipprefix p;
	struct ipaddr a, b;

	memset(ret6, 0, sizeof(*ret6));
	if (strcmp(s, "*") == 0) {
		*ret4 = iprange_of(all4);
		*ret6 = iprange_of(all6);
		return true;
	}
	if (dash) {
		if (ipaddr_parse(s, (size_t)(dash - s), &a) < 0 ||
			ipaddr_parse(dash + 1, strlen(dash + 1), &b) < 0)
			return false;
		*ret4 = (struct iprange){ a, b };
		return true;
	}
	if (ipaddr_parse(s, strlen(s), &a) == 0) {
		*ret4 = (struct iprange){ a, a };
		return true;
	}
	if (ipprefix_parse(s, strlen(s), &p) < 0 || !ipaddr_eq(p.ip, ipaddr_mask(p.ip, p.bits)))
		return false; /* host bits: clients drop the entry */
	*ret4 = iprange_of(p);
	return true;
}

static bool in_range(struct iprange r, struct ipaddr a)
{
	return r.first.family == a.family && ipaddr_cmp(r.first, a) <= 0 &&
	       ipaddr_cmp(a, r.last) <= 0;
}

static bool text_has(const char *s, struct ipaddr a)
{
	struct iprange x, y;

	return parse_range(s, &x, &y) && (in_range(x, a) || in_range(y, a));
}

static void add_edges(struct points *p, const char *s)
{
	struct iprange r[2];

	if (!parse_range(s, &r[0], &r[1]))
		return;
	for (int i = 0; i < 2; i++) {
		if (!r[i].first.family)
			continue;
		add_point(p, r[i].first);
		add_point(p, r[i].last);
		add_point(p, ipaddr_next(r[i].last));
	}
}

static bool list_has(json_t *list, struct ipaddr a)
{
	json_t *s;
	size_t i;

	json_array_foreach(list, i, s) if (text_has(json_string_value(s), a)) return true;
	return false;
}

static bool proto_is(json_t *rule, int proto)
{
	json_t *list = json_object_get(rule, "IPProto"), *v;
	size_t i;

	if (json_array_size(list) == 0)
		return proto == 6 || proto == 17 || proto == 1 || proto == 58;
	json_array_foreach(list, i, v) if (json_integer_value(v) == proto) return true;
	return false;
}

static bool dst_has(json_t *rule, struct ipaddr a, int port)
{
	json_t *d;
	size_t i;

	json_array_foreach(json_object_get(rule, "DstPorts"), i, d)
	{
		json_t *ports = json_object_get(d, "Ports");

		if (port >= json_integer_value(json_object_get(ports, "First")) &&
			port <= json_integer_value(json_object_get(ports, "Last")) &&
			text_has(str_of(d, "IP"), a))
			return true;
	}
	return false;
}

bool filter_allows(json_t *filter, struct ipaddr src, struct ipaddr dst, int proto, int port)
{
	json_t *rule;
	size_t i;

	json_array_foreach(filter, i, rule) if (proto_is(rule, proto) &&
						list_has(json_object_get(rule, "SrcIPs"), src) &&
						dst_has(rule, dst, port)) return true;
	return false;
}

struct axes {
	struct points src, dst;
	int ports[PORTS], protos[PROTOS];
	size_t n_ports, n_protos;
};

static void add_int(int *v, size_t *n, size_t max, int x)
{
	for (size_t i = 0; i < *n; i++)
		if (v[i] == x)
			return;
	if (*n < max)
		v[(*n)++] = x;
}

static void add_rule_edges(struct axes *a, json_t *rule)
{
	json_t *x, *y;
	size_t i, k;

	json_array_foreach(json_object_get(rule, "SrcIPs"), i, x)
		add_edges(&a->src, json_string_value(x));
	json_array_foreach(json_object_get(rule, "IPProto"), i, x)
		add_int(a->protos, &a->n_protos, PROTOS, (int)json_integer_value(x));
	json_array_foreach(json_object_get(rule, "DstPorts"), i, x)
	{
		json_t *ports = json_object_get(x, "Ports");
		int first = (int)json_integer_value(json_object_get(ports, "First"));
		int last = (int)json_integer_value(json_object_get(ports, "Last"));

		add_edges(&a->dst, str_of(x, "IP"));
		add_int(a->ports, &a->n_ports, PORTS, first);
		add_int(a->ports, &a->n_ports, PORTS, last);
		add_int(a->ports, &a->n_ports, PORTS, last + 1);
	}
	json_array_foreach(json_object_get(rule, "CapGrant"), i, x) json_array_foreach(
		json_object_get(x, "Dsts"), k, y) add_edges(&a->dst, json_string_value(y));
}

static void add_filter_edges(struct axes *a, json_t *filter)
{
	json_t *rule;
	size_t i;

	json_array_foreach(filter, i, rule) add_rule_edges(a, rule);
}

/* Values of one name come together, as the client joins them. */
static void join_caps(json_t *all, json_t *map)
{
	const char *name;
	json_t *values;

	json_object_foreach(map, name, values)
	{
		json_t *have = json_object_get(all, name);

		if (!have) {
			have = json_array();
			json_object_set_new(all, name, have);
		}
		if (json_is_array(values))
			json_array_extend(have, values);
	}
}

json_t *filter_caps(json_t *filter, struct ipaddr src, struct ipaddr dst)
{
	json_t *all = json_object(), *rule, *grant;
	size_t i, k;

	json_array_foreach(filter, i, rule)
	{
		if (!list_has(json_object_get(rule, "SrcIPs"), src))
			continue;
		json_array_foreach(json_object_get(rule, "CapGrant"), k,
			grant) if (list_has(json_object_get(grant, "Dsts"), dst))
			join_caps(all, json_object_get(grant, "CapMap"));
	}
	return all;
}

static void tell_flow(struct trial *t, const char *node, bool want, struct ipaddr src,
	struct ipaddr dst, int proto, int port)
{
	char a[IPADDR_TEXT_MAX], b[IPADDR_TEXT_MAX];

	differ(t, "%s: proto %d from %s to %s port %d: %s, want %s", node, proto,
		ipaddr_format(src, a), ipaddr_format(dst, b), port, want ? "denied" : "allowed",
		want ? "allowed" : "denied");
}

static bool compare_point(struct trial *t, const char *node, struct axes *a, json_t *want,
	json_t *got, struct ipaddr src, struct ipaddr dst)
{
	json_t *want_caps, *got_caps;
	bool same;

	for (size_t i = 0; i < a->n_protos; i++)
		for (size_t k = 0; k < a->n_ports; k++) {
			bool w = filter_allows(want, src, dst, a->protos[i], a->ports[k]);

			if (w == filter_allows(got, src, dst, a->protos[i], a->ports[k]))
				continue;
			tell_flow(t, node, w, src, dst, a->protos[i], a->ports[k]);
			return false;
		}
	want_caps = filter_caps(want, src, dst);
	got_caps = filter_caps(got, src, dst);
	same = json_equal(want_caps, got_caps);
	if (!same) {
		char *x = json_dumps(want_caps, JSON_COMPACT),
		     *y = json_dumps(got_caps, JSON_COMPACT), s[IPADDR_TEXT_MAX],
		     d[IPADDR_TEXT_MAX];

		differ(t, "%s: capabilities of %s at %s: %s, want %s", node, ipaddr_format(src, s),
			ipaddr_format(dst, d), y, x);
		free(x);
		free(y);
	}
	json_decref(want_caps);
	json_decref(got_caps);
	return same;
}

void compare_filters(struct trial *t, const char *node, json_t *want, json_t *got)
{
	static struct axes a;

	memset(&a, 0, sizeof(a));
	for (size_t i = 0; i < 4; i++)
		add_int(a.protos, &a.n_protos, PROTOS, (int[]){ 6, 17, 1, 200 }[i]);
	add_filter_edges(&a, want);
	add_filter_edges(&a, got);
	for (size_t i = 0; i < a.src.n; i++)
		for (size_t k = 0; k < a.dst.n; k++)
			if (!compare_point(t, node, &a, want, got, a.src.v[i], a.dst.v[k]))
				return; /* one difference tells enough */
}
