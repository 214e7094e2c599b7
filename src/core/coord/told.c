/*
 * What devices say and others are told. It is made fit when it comes in and when it is loaded (proto/tailcfg/clean), and what is
 * about to go out is read first, as the strictest of its readers will: one device's document must not cost the others their map.
 */
#include "core/coord/internal.h"
#include "proto/tailcfg/clean.h"

#include <errno.h>

enum { READ_MEM_MAX = 16 << 20 };

static void count(struct tailnet *c, const struct tc_cleaned *n)
{
	c->stats.texts_cleaned += n->texts;
	c->stats.parts_left_out += n->parts;
}

int told_hostinfo(struct tailnet *c, struct tc_hostinfo *h, struct arena *a)
{
	struct tc_cleaned n = { 0 };
	int rc = tc_hostinfo_clean(h, a, &n);

	count(c, &n);
	return rc;
}

void told_endpoints(struct tailnet *c, struct json_list *endpoints)
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
int told_stored(struct tailnet *c, struct coord_node_doc *d, struct arena *a)
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

static bool is_readable(struct view json)
{
	struct tc_node doc;
	struct arena a;
	int rc;

	arena_init(&a, READ_MEM_MAX);
	rc = json_decode(&tc_node_type, json.p, json.len, &doc, &a, NULL);
	arena_fini(&a);
	return rc != 0 ? rc == -ENOMEM : true;
}

/* What is the hub's own of a device: its name, key and addresses. */
static int put_bare(struct tailnet *c, const struct coord_node *n, struct arena *a, struct buf *out)
{
	const struct coord_node_doc *d = &n->doc;
	struct ipprefix own[] = { ipprefix_single(d->ip4), ipprefix_single(d->ip6) };
	struct tc_hostinfo none = { 0 };
	struct tc_node t = { .id = d->id,
		.stable_id = arena_printf(a, "n%lld", (long long)d->id),
		.name = arena_printf(a, "%s.%s.", d->name, c->cfg.base_domain),
		.user = d->tags.n ? TAGGED_USER : d->user,
		.key = d->key,
		.addresses = json_list_of(own, 2),
		.allowed_ips = json_list_of(own, 2),
		.hostinfo = &none };

	return t.stable_id && t.name ? json_encode(&tc_node_type, &t, out) : -ENOMEM;
}

/*
 * rc: of putting the document, which is in out from `from` on. Looked at once for each revision that is more than a patch: what
 * patches tell is numbers and addresses.
 */
int told_check(struct tailnet *c, struct coord_node *n, int rc, size_t from, struct arena *a,
	struct buf *out)
{
	if (rc == -ENOMEM || (rc == 0 && n->readable_at == n->changed_whole))
		return rc;
	if (rc == 0 && is_readable(view_of(buf_data(out) + from, buf_len(out) - from))) {
		n->readable_at = n->changed_whole;
		return 0;
	}
	c->stats.unreadable++;
	tell_refusal(c,
		"what others are told of a device could not be read by them; they get its name, key and addresses",
		n->doc.name, err_text(rc < 0 ? rc : -ERR_BAD_FORMAT));
	buf_truncate(out, from);
	return put_bare(c, n, a, out);
}
