/* What is known of our network, for the hub and for people. */
#include "core/endpoints/internal.h"

#include <errno.h>
#include <stdlib.h>

static uint8_t yes_no(bool b)
{
	return b ? JSON_YES : JSON_NO;
}

static const struct netcheck_report *report_of(const struct endpoints *e)
{
	const struct netcheck_report *last = netcheck_last(e->nc);

	return last ? last : netcheck_now(e->nc);
}

struct tc_netinfo endpoints_netinfo_now(const struct endpoints *e)
{
	const struct netcheck_report *r = report_of(e);

	return (struct tc_netinfo){ .mapping_varies = r->mapping_varies,
		.working_ipv6 = yes_no(r->ipv6),
		.os_has_ipv6 = yes_no(e->port6 != 0),
		.working_udp = yes_no(r->udp),
		.preferred_derp = netcheck_home(e->nc) };
}

static int add_latency(
	struct arena *a, struct json_map *map, int region, const char *family, mono_ns latency)
{
	double *v = arena_new(a, double);
	char *key = arena_printf(a, "%d-%s", region, family);

	if (!v || !key)
		return -ENOMEM;
	*v = (double)latency / (double)SEC(1);
	map->v[map->n++] = (struct json_pair){ .key = key, .value = v };
	return 0;
}

int endpoints_netinfo(const struct endpoints *e, struct arena *a, struct tc_netinfo *ret)
{
	size_t n = netcheck_n_regions(e->nc);
	struct tc_netinfo ni = endpoints_netinfo_now(e);
	int rc = 0;

	ni.derp_latency.v = arena_array(a, 2 * n + 1, sizeof(struct json_pair));
	if (!ni.derp_latency.v)
		return -ENOMEM;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct netcheck_latency l = netcheck_latency(e->nc, i);

		if (l.v4)
			rc = add_latency(a, &ni.derp_latency, l.region, "v4", l.v4);
		if (l.v6 && rc == 0)
			rc = add_latency(a, &ni.derp_latency, l.region, "v6", l.v6);
	}
	if (rc < 0)
		return rc;
	ni.derp_latency.present = ni.derp_latency.n > 0;
	*ret = ni;
	return 0;
}

static int by_region(const void *a, const void *b)
{
	const struct endpoints_latency *x = a, *y = b;

	return (x->region > y->region) - (x->region < y->region);
}

int endpoints_report(const struct endpoints *e, struct arena *a, struct endpoints_report *ret)
{
	const struct netcheck_report *r = report_of(e);
	size_t n = netcheck_n_regions(e->nc);
	struct endpoints_latency *v = arena_array(a, n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct netcheck_latency l = netcheck_latency(e->nc, i);

		v[i] = (struct endpoints_latency){ l.region, l.all, l.v4, l.v6, l.why };
	}
	qsort(v, n, sizeof(*v), by_region);
	*ret = (struct endpoints_report){ .done = netcheck_last(e->nc) != NULL,
		.udp = r->udp,
		.ipv4 = r->ipv4,
		.ipv6 = r->ipv6,
		.os_has_ipv6 = e->port6 != 0,
		.mapping_varies = r->mapping_varies,
		.global4 = r->global4,
		.global6 = r->global6,
		.home = netcheck_home(e->nc),
		.regions = v,
		.n_regions = n,
		.at = e->checked_wall };
	return 0;
}
