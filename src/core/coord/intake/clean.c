/* What devices say is made fit when it comes in and when it is loaded (proto/tailcfg/clean). */
#include "core/coord/intake/internal.h"
#include "proto/tailcfg/clean.h"

static void count(struct tailnet *c, const struct tc_cleaned *n)
{
	c->stats.texts_cleaned += n->texts;
	c->stats.parts_left_out += n->parts;
}

int clean_hostinfo(struct tailnet *c, struct tc_hostinfo *h, struct arena *a)
{
	struct tc_cleaned n = { 0 };
	int rc = tc_hostinfo_clean(h, a, &n);

	count(c, &n);
	return rc;
}

void clean_endpoints(struct tailnet *c, struct json_list *endpoints)
{
	struct tc_cleaned n = { 0 };

	tc_endpoints_clean(endpoints, &n);
	count(c, &n);
}

static void fit_number(int64_t *n, struct tc_cleaned *ret)
{
	if (*n >= 0 && *n <= INT32_MAX)
		return;
	*n = 0;
	ret->parts++;
}

/* A hub of before may have stored what this one would not have taken. 1: something is another thing now. */
int clean_stored(struct tailnet *c, struct coord_node_doc *d, struct arena *a)
{
	struct tc_cleaned n = { 0 };
	int rc = tc_text_clean(&d->hostname, TC_HOSTNAME_MAX, a, &n);

	if (rc == 0 && d->hostinfo)
		rc = tc_hostinfo_clean(d->hostinfo, a, &n);
	if (rc == 0 && d->hostinfo)
		rc = tc_text_clean(&d->hostinfo->hostname, TC_HOSTNAME_MAX, a, &n);
	if (d->hostinfo && tc_check_tags(&d->hostinfo->request_tags, NULL) < 0) {
		d->hostinfo->request_tags = (struct json_list){ 0 };
		n.parts++;
	}
	tc_endpoints_clean(&d->endpoints, &n);
	fit_number(&d->home_derp, &n);
	fit_number(&d->cap, &n);
	count(c, &n);
	return rc < 0 ? rc : n.texts + n.parts > 0;
}
