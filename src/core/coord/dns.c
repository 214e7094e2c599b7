/* Administration of DNS. */
#include "core/coord/internal.h"

#include <errno.h>

enum { MEM_MAX = 8 << 20 };

const struct coord_dns *coord_dns(const struct tailnet *c)
{
	return &c->dns;
}

int coord_dns_copy(const struct coord_dns *d, struct arena *a, struct coord_dns *ret)
{
	return json_clone(&coord_dns_type, d, ret, a);
}

/* Whether names below a device's are its own is told with the device. */
static void review_nodes(struct tailnet *c, struct now now)
{
	struct coord_node *n;

	/* who is touched goes to the end: the last one of now ends the walk */
	list_for_each_safe(l, &c->nodes) {
		n = container_of(l, struct coord_node, link);
		policy_sync_review(c, n, now);
	}
}

/* The base domain may have been another one when it was stored, so what is judged is all but that. */
int dns_load(struct tailnet *c, const struct coord_dns *doc, struct arena mem)
{
	struct err_at at;
	int rc = coord_dns_clean(doc, "", &mem, &c->dns, &at);

	if (rc < 0) {
		arena_fini(&mem);
		return rc;
	}
	arena_fini(&c->dns_mem);
	c->dns_mem = mem;
	c->dns_at++;
	return 0;
}

/* Copied; told to those for whom it is another thing. */
static int replace(struct tailnet *c, const struct coord_dns *clean, struct now now)
{
	bool wildcard = c->dns.wildcard;
	struct coord_dns copy;
	struct arena mem;
	int rc = store_copy_doc(&coord_dns_type, clean, &copy, &mem);

	if (rc < 0)
		return rc;
	arena_fini(&c->dns_mem);
	c->dns = copy;
	c->dns_mem = mem;
	c->dns_at++;
	if (c->dns.wildcard != wildcard)
		review_nodes(c, now);
	mapper_dns_changed(c, now);
	return 0;
}

int dns_apply(struct tailnet *c, const struct coord_dns *doc, struct now now)
{
	struct coord_dns clean;
	struct err_at at;
	struct arena a;
	int rc;

	arena_init(&a, MEM_MAX);
	rc = coord_dns_clean(doc, "", &a, &clean, &at);
	if (rc == 0)
		rc = replace(c, &clean, now);
	arena_fini(&a);
	return rc;
}

int coord_dns_set(struct tailnet *c, const struct coord_dns *d, struct now now, struct err_at *at)
{
	struct coord_dns clean;
	struct arena a;
	int rc;

	arena_init(&a, MEM_MAX);
	rc = coord_dns_clean(d, c->cfg.base_domain, &a, &clean, at);
	if (rc == 0 && json_same(&coord_dns_type, &clean, &c->dns)) {
		arena_fini(&a);
		return 0;
	}
	if (rc == 0)
		rc = replace(c, &clean, now);
	if (rc == -ERR_TOO_BIG)
		err_at_set(at, 0, 0,
			"all settings together would be more than devices are told: take some records or resolvers out");
	arena_fini(&a);
	return rc < 0 ? rc : store_doc(c, COORD_DNS, 1, &coord_dns_type, &c->dns);
}
