/*
 * core/policy/lang: derpMap: relays beside those that the hub has, or in their place. Names match whatever their case, so the text is
 * the one of Tailscale's documents ("Regions", "HostName") or of its API ("regions", "hostName").
 */
#include "core/policy/lang/internal.h"
#include "base/text/plain.h"
#include "base/text/text.h"
#include "proto/names/names.h"
#include "proto/tailcfg/tailcfg.h"

#include <errno.h>

enum {
	REGIONS_MAX = 100,       /* as Tailscale's service has it */
	REGION_MAX = UINT16_MAX, /* of numbers: devices of ours know no larger ones */
	REGION_NODES_MAX = 16,
	WORD_MAX = 255,
};

/* A number from low on, up to high. */
static int number(struct reader *r, const struct hujson *v, int64_t low, int64_t high, int64_t *ret)
{
	const char *s = (const char *)v->raw.p;
	bool negative = v->raw.len && *s == '-';
	uint64_t n;

	if (v->kind != HUJSON_NUMBER ||
		text_u64(s + negative, v->raw.len - negative, UINT32_MAX, &n) < 0 ||
		(negative ? -(int64_t)n : (int64_t)n) < low || (!negative && (int64_t)n > high))
		return fault_on(r, v, "derpMap: \"%.30s\" must be a whole number from %lld to %lld",
			v->name, (long long)low, (long long)high);
	*ret = negative ? -(int64_t)n : (int64_t)n;
	return 0;
}

static int read_port(struct reader *r, const struct hujson *v, void *dst)
{
	return number(r, v, 0, UINT16_MAX, dst);
}

/* -1: there is no STUN. */
static int read_stun_port(struct reader *r, const struct hujson *v, void *dst)
{
	return number(r, v, -1, UINT16_MAX, dst);
}

static int read_number(struct reader *r, const struct hujson *v, void *dst)
{
	return number(r, v, 1, REGION_MAX, dst);
}

static int read_word(struct reader *r, const struct hujson *v, void *dst)
{
	const char **s = dst;
	int rc = read_string(r, v, dst);

	if (rc == 0 && (strlen(*s) > WORD_MAX || !text_is_plain(*s, strlen(*s))))
		rc = fault_on(r, v,
			"derpMap: \"%.30s\" must be a line of text of %d bytes at the most",
			v->name, WORD_MAX);
	return rc;
}

static int read_hostname(struct reader *r, const struct hujson *v, void *dst)
{
	const char **s = dst;
	int rc = read_string(r, v, dst);

	if (rc == 0 && !name_is_hostname(view_of(*s, strlen(*s))))
		rc = fault_on(r, v, "derpMap: hostName: \"%.60s\" is not the name of a host", *s);
	return rc;
}

/* "none": it has no address of that family. */
static int read_address(struct reader *r, const struct hujson *v, const char **ret, int family)
{
	struct ipaddr a;
	int rc = read_string(r, v, ret);

	if (rc == 0 && **ret && strcmp(*ret, "none") != 0 &&
		(ipaddr_parse(*ret, strlen(*ret), &a) < 0 || a.family != family))
		rc = fault_on(r, v,
			"derpMap: ipv%d: \"%.60s\" is not such an address, nor \"none\"", family,
			*ret);
	return rc;
}

static int read_ipv4(struct reader *r, const struct hujson *v, void *dst)
{
	return read_address(r, v, dst, 4);
}

static int read_ipv6(struct reader *r, const struct hujson *v, void *dst)
{
	return read_address(r, v, dst, 6);
}

static const struct member node_members[] = {
	{ "name", read_word, offsetof(struct tc_derp_node, name) },
	{ "regionID", read_number, offsetof(struct tc_derp_node, region_id) },
	{ "hostName", read_hostname, offsetof(struct tc_derp_node, hostname) },
	{ "certName", read_word, offsetof(struct tc_derp_node, cert_name) },
	{ "ipv4", read_ipv4, offsetof(struct tc_derp_node, ipv4) },
	{ "ipv6", read_ipv6, offsetof(struct tc_derp_node, ipv6) },
	{ "stunPort", read_stun_port, offsetof(struct tc_derp_node, stun_port) },
	{ "stunOnly", read_bool, offsetof(struct tc_derp_node, stun_only) },
	{ "derpPort", read_port, offsetof(struct tc_derp_node, derp_port) },
	{ "insecureForTests", read_bool, offsetof(struct tc_derp_node, insecure_for_tests) },
	{ "canPort80", read_bool, offsetof(struct tc_derp_node, can_port80) },
};

static int read_node(struct reader *r, const struct hujson *v, void *dst)
{
	struct tc_derp_node *n = dst;
	int rc = read_members(r, v, node_members, ARRAY_LEN(node_members), n, "a relay of derpMap");

	if (rc == 0 && !n->hostname)
		rc = fault_on(r, v, "derpMap: a relay has no hostName");
	if (rc == 0 && !n->name)
		n->name = n->hostname;
	return rc;
}

static int read_nodes(struct reader *r, const struct hujson *v, void *dst)
{
	struct json_list *l = dst;
	void *items;
	size_t n;
	int rc = read_items(
		r, v, HUJSON_ARRAY, sizeof(struct tc_derp_node), "nodes", read_node, &items, &n);

	if (rc == 0 && n > REGION_NODES_MAX)
		rc = fault_on(r, v, "derpMap: a region has more than %d relays", REGION_NODES_MAX);
	if (rc == 0)
		*l = json_list_of(items, n);
	return rc;
}

static const struct member region_members[] = {
	{ "regionID", read_number, offsetof(struct tc_derp_region, id) },
	{ "regionCode", read_word, offsetof(struct tc_derp_region, code) },
	{ "regionName", read_word, offsetof(struct tc_derp_region, name) },
	{ "avoid", read_bool, offsetof(struct tc_derp_region, avoid) },
	{ "noMeasureNoHome", read_bool, offsetof(struct tc_derp_region, no_measure_no_home) },
	{ "nodes", read_nodes, offsetof(struct tc_derp_region, nodes) },
};

/* The number stands before the region, in it, and in each of its relays: what is left out is filled in, the others agree. */
static int agree_on_number(
	struct reader *r, const struct hujson *v, struct tc_derp_region *g, int64_t id)
{
	bool same = !g->id || g->id == id;

	g->id = id;
	for (size_t i = 0; i < g->nodes.n; i++) {
		struct tc_derp_node *n = JSON_AT(g->nodes, struct tc_derp_node, i);

		same &= !n->region_id || n->region_id == id;
		n->region_id = id;
	}
	return same ? 0
		    : fault_on(r, v, "derpMap.regions: a regionID in region %s is another number",
			      v->name);
}

static int read_region(struct reader *r, const struct hujson *v, void *dst)
{
	struct policy_derp_region *ret = dst;
	struct tc_derp_region *g;
	uint64_t id;
	int rc;

	ret->number = v->name;
	if (text_u64(v->name, strlen(v->name), REGION_MAX, &id) < 0 || id == 0 || *v->name == '0')
		return fault_at(r, place_of_name(v),
			"derpMap.regions: \"%.30s\" is not the number of a region", v->name);
	if (v->kind == HUJSON_NULL)
		return 0;
	if (v->kind != HUJSON_OBJECT)
		return fault_on(
			r, v, "derpMap.regions: a region is an object, or null to leave it out");
	g = arena_new(r->a, struct tc_derp_region);
	if (!g)
		return fault_no_memory(r);
	*g = (struct tc_derp_region){ .code = v->name, .name = "" };
	rc = read_members(r, v, region_members, ARRAY_LEN(region_members), g, "a region");
	if (rc == 0 && !g->nodes.n)
		rc = fault_on(r, v, "derpMap.regions: region %s has no nodes", v->name);
	ret->region = g;
	return rc < 0 ? rc : agree_on_number(r, v, g, (int64_t)id);
}

static int read_regions(struct reader *r, const struct hujson *v, void *dst)
{
	struct policy_derp_map *m = dst;
	void *items;
	int rc = read_items(
		r, v, HUJSON_OBJECT, sizeof(*m->regions), "regions", read_region, &items, &m->n);

	if (rc == 0 && m->n > REGIONS_MAX)
		rc = fault_on(r, v, "derpMap: more than %d regions", REGIONS_MAX);
	if (rc == 0)
		m->regions = items;
	return rc;
}

static const struct member derp_members[] = {
	{ "regions", read_regions, 0 },
	{ "omitDefaultRegions", read_bool, offsetof(struct policy_derp_map, omit_default) },
};

int doc_read_derp_map(struct reader *r, const struct hujson *v, void *dst)
{
	return read_members(r, v, derp_members, ARRAY_LEN(derp_members), dst, "derpMap");
}
