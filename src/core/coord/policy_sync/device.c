/*
 * A device, as the policy engine knows it. Without a policy the engine works too, on an empty document: routes have a primary then
 * as well.
 */
#include "core/coord/policy_sync/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { ATTR_MAX = 128, MEM_MAX = 4 << 20 };

struct attrs {
	char os[ATTR_MAX], os_version[ATTR_MAX], version[ATTR_MAX];
	struct policy_attr v[4];
	size_t n;
};

static void add_attr(struct attrs *a, const char *key, char *buf, const char *value)
{
	if (!value || !*value)
		return;
	if (buf) {
		snprintf(buf, ATTR_MAX, "%s", value);
		value = buf;
	}
	a->v[a->n++] = (struct policy_attr){ key, value };
}

/* What the device says about itself, in the words of posture rules. "1.80.2-t12ab" is
 * version 1.80.2; odd minors are not released. */
static void read_attrs(const struct tc_hostinfo *h, struct attrs *a)
{
	const char *minor;

	a->n = 0;
	if (!h)
		return;
	add_attr(a, "node:os", a->os, h->os);
	for (char *p = a->os; a->n && *p; p++)
		*p = ascii_lower(*p);
	add_attr(a, "node:osVersion", a->os_version, h->os_version);
	if (!h->ipn_version || !*h->ipn_version)
		return;
	add_attr(a, "node:tsVersion", a->version, h->ipn_version);
	a->version[strcspn(a->version, "-")] = 0;
	minor = strchr(a->version, '.');
	if (minor)
		add_attr(a, "node:tsReleaseTrack", NULL,
			atoi(minor + 1) % 2 ? "unstable" : "stable");
}

static int put(struct tailnet *c, const struct coord_node *n)
{
	const struct coord_node_doc *d = &n->doc;
	struct attrs attrs;
	struct policy_node doc = { .id = d->id,
		.user = d->user,
		.tags = d->tags.v,
		.n_tags = d->tags.n,
		.ip4 = d->ip4,
		.ip6 = d->ip6,
		.routes = n->use,
		.n_routes = n->n_use,
		.offline = d->online != JSON_YES && !n->expected };

	read_attrs(d->hostinfo, &attrs);
	doc.attrs = attrs.v;
	doc.n_attrs = attrs.n;
	return policy_node_put(c->policy, &doc);
}

static int take_out(struct tailnet *c, const struct coord_node *n)
{
	return policy_node_exists(c->policy, n->doc.id) ? policy_node_remove(c->policy, n->doc.id)
							: 0;
}

static void set_quarantined(
	struct tailnet *c, struct coord_node *n, bool quarantined, struct now now)
{
	if (n->quarantined == quarantined)
		return;
	n->quarantined = quarantined;
	tailnet_tell(c, quarantined ? COORD_DEVICE_QUARANTINED : COORD_DEVICE_RELEASED, n);
	if (quarantined) {
		coord_node_note_removed(c, n);
		tailnet_key_is_out(c, &n->doc.key);
	}
	coord_node_touch(c, n, true, now);
	tailnet_note(c, n, NEWS_RESYNC, now);
}

/* Approves what autoApprovers let through; 1: the document has changed. */

static int auto_approve(struct tailnet *c, struct coord_node *n, struct now now)
{
	struct policy_plan *plan = policy_installed(c->policy);
	size_t max = routes_offered(n), n_v = n->doc.routes.n;
	struct coord_route_approval *v = NULL;
	struct coord_node_doc doc = n->doc;
	struct arena a;
	int rc = 0;

	arena_init(&a, MEM_MAX);
	for (size_t i = 0; i < max && rc == 0 && n_v < COORD_ROUTES_MAX; i++) {
		struct ipprefix x = routes_offered_at(n, i);

		if (routes_approval_of(n, x) || !policy_route_auto_approved(plan, n->doc.id, x))
			continue;
		if (!v)
			v = routes_copy_approvals(n, max, &a);
		if (v)
			v[n_v++] = (struct coord_route_approval){
				.prefix = x, .by = "", .at = now.wall
			};
		else
			rc = -ENOMEM;
	}
	if (rc == 0 && v) {
		doc.routes = json_list_of(v, n_v);
		rc = coord_node_replace(c, n, &doc, TELLS_WHOLE, true, now) < 0 ? -ENOMEM : 1;
	}
	arena_fini(&a);
	return rc;
}

/* A device in quarantine is asked about like any other, because it may be trusted by now, and then
 * taken out again. */
int policy_sync_node(struct tailnet *c, struct coord_node *n, struct now now)
{
	bool changed;
	int rc;

	if (!c->policy)
		return 0;
	expiry_follow(c, n, now);
	(void)online_review(c, n, now);
	rc = expiry_watch(c, n, now);
	if (rc == 0)
		rc = routes_refresh(c, n, now);
	if (rc == 0)
		rc = n->doc.unapproved ? take_out(c, n) : put(c, n);
	if (rc == 0 && policy_installed(c->policy) && !c->cfg.store->refuses)
		rc = auto_approve(c, n, now);
	if (rc != 0)
		return rc < 0 ? rc : policy_sync_node(c, n, now); /* it is another document now */
	set_quarantined(c, n, routes_conflict(c, n), now);
	changed = online_review(c, n, now);
	if (n->quarantined)
		return take_out(c, n);
	return changed ? put(c, n) : 0; /* it was released */
}

int policy_sync_follow(struct tailnet *c, struct coord_node *n, struct now now)
{
	int rc = policy_sync_node(c, n, now);

	if (rc < 0)
		tailnet_fail(c, rc);
	return rc;
}

void policy_sync_gone(struct tailnet *c, struct coord_node *n)
{
	if (!c->policy)
		return;
	if (take_out(c, n) < 0)
		tailnet_fail(c, -ENOMEM); /* its peers would not hear of it */
	routes_leave(n);
	c->routers_changed = true;
}

int policy_sync_update(struct tailnet *c, struct coord_node *n, const struct coord_node_doc *doc,
	bool whole, bool durable, struct now now)
{
	int rc = coord_node_replace(c, n, doc, whole ? TELLS_WHOLE : TELLS_PATCH, durable, now);

	return rc < 0 ? rc : policy_sync_follow(c, n, now);
}
