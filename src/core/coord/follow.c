/*
 * The policy engine beside the world: it is told of every device and user, and what it says has
 * changed becomes something to tell the readers. Without a policy it works too, on an empty
 * document: routes have a primary then as well.
 */
#include "core/coord/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { ATTR_MAX = 128, MEM_MAX = 1 << 20 };

/* users */

static const char *const role_names[] = {
	[POLICY_MEMBER] = "member",
	[POLICY_AUDITOR] = "auditor",
	[POLICY_BILLING_ADMIN] = "billing-admin",
	[POLICY_NETWORK_ADMIN] = "network-admin",
	[POLICY_IT_ADMIN] = "it-admin",
	[POLICY_ADMIN] = "admin",
	[POLICY_OWNER] = "owner",
};

int role_of(const char *name, enum policy_role *ret)
{
	*ret = POLICY_MEMBER;
	if (!name || !*name)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(role_names); i++) {
		if (strcmp(role_names[i], name) != 0)
			continue;
		*ret = (enum policy_role)i;
		return 0;
	}
	return -ERR_BAD_VALUE;
}

int follow_user(struct tailnet *c, const struct user *u)
{
	struct policy_user doc = {
		.id = u->doc.id, .login = u->doc.name, .name = u->doc.display_name
	};

	if (role_of(u->doc.role, &doc.role) < 0)
		doc.role = POLICY_MEMBER;
	return c->policy ? policy_user_put(c->policy, &doc) : 0;
}

/* devices */

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
		.offline = d->online != JSON_YES };

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
	struct coord_poll *p = poll_of(n);

	if (n->quarantined == quarantined)
		return;
	n->quarantined = quarantined;
	tell(c, quarantined ? "device quarantined" : "device released", n);
	if (quarantined) {
		note_removed(c, n);
		key_is_out(c, &n->doc.key);
	}
	coord_node_touch(c, n, true, now);
	if (p)
		p->again = true;
}

/* A device in quarantine is asked about like any other, because it may be trusted by now, and then
 * taken out again. */
int follow_node(struct tailnet *c, struct coord_node *n, struct now now)
{
	bool changed;
	int rc;

	if (!c->policy)
		return 0;
	expiry_follow(c, n, now);
	(void)presence_review(c, n, now);
	rc = expiry_watch(c, n, now);
	if (rc == 0)
		rc = routes_refresh(c, n);
	if (rc == 0)
		rc = n->doc.unapproved ? take_out(c, n) : put(c, n);
	if (rc == 0 && policy_installed(c->policy) && !c->cfg.store->refuses)
		rc = routes_auto_approve(c, n, now);
	if (rc != 0)
		return rc < 0 ? rc : 0; /* 1: the document was replaced, which brought us here once
					   more */
	set_quarantined(c, n, routes_conflict(c, n), now);
	changed = presence_review(c, n, now);
	if (n->quarantined)
		return take_out(c, n);
	return changed ? put(c, n) : 0; /* it was released */
}

void follow_gone(struct tailnet *c, struct coord_node *n)
{
	if (!c->policy)
		return;
	if (take_out(c, n) < 0)
		c->store_failed = true; /* its peers would not hear of it: better to begin anew from
					   the disk */
	router_leaves(n);
	c->routers_changed = true;
}

int follow_routes(struct tailnet *c, struct now now)
{
	int rc = 0;

	list_for_each_safe(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (rc == 0 && n->doc.hostinfo && n->doc.hostinfo->routable_ips.n)
			rc = follow_node(c, n, now);
	}
	return rc;
}

int coord_store_back(struct tailnet *c, struct now now)
{
	return follow_routes(c, now);
}

/* what has changed */

struct drain {
	struct tailnet *c;
	struct now now;
};

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 1099511628211u;
	return h;
}

/* What everybody may know of its routes; 0: nothing. */
static uint64_t shown_hash(struct tailnet *c, struct coord_node *n)
{
	struct policy_allowed al;
	struct arena a;
	uint64_t h = 1469598103934665603u;

	if (!n->n_use && !n->hides_ip4)
		return 0;
	arena_init(&a, MEM_MAX);
	if (policy_self_allowed(policy_installed(c->policy), n->doc.id, &a, &al) < 0)
		h = 0;
	for (size_t i = 0; h && i < al.n; i++) {
		uint8_t kind = i < al.n_primary; /* a standby's subnets are known to itself */

		h = mix(mix(h, &al.v[i], sizeof(al.v[i])), &kind, 1);
	}
	arena_fini(&a);
	return h;
}

static void review_node(struct drain *d, struct coord_node *n)
{
	struct tailnet *c = d->c;
	bool hides = !c->open && policy_node_hides_ip4(policy_installed(c->policy), n->doc.id);
	bool subdomains =
		!c->open && policy_node_resolves_subdomains(policy_installed(c->policy), n->doc.id);
	uint64_t shown;

	if (n->n_use)
		c->routers_changed = true;
	if (hides != n->hides_ip4) {
		n->hides_ip4 = hides;
		coord_node_touch(c, n, true, d->now);
	}
	if (subdomains != n->subdomains) {
		n->subdomains = subdomains;
		coord_node_touch(c, n, true, d->now);
	}
	shown = shown_hash(c, n);
	if (shown != n->shown) {
		n->shown = shown;
		coord_node_touch(c, n, true, d->now);
	}
}

static void retell_routers(struct coord_poll *p)
{
	struct tailnet *c = p->tailnet;

	list_for_each(l, &c->routers) {
		struct coord_node *r = container_of(l, struct coord_node, in_routers);

		if (policy_visible(policy_installed(c->policy), p->node->doc.id, r->doc.id))
			retell(p, r->doc.id, true);
	}
}

static void review_poll(struct coord_poll *p)
{
	bool plain = p->plain, hides = p->hides_ip4;

	p->self_stale = p->filter_stale = p->ssh_stale = true;
	if (!p->started)
		return;
	poll_review(p);
	if (plain != p->plain || hides != p->hides_ip4 || (!p->plain && !p->tailnet->installing))
		p->again = true;
	else if (!p->plain)
		retell_routers(p);
}

static void on_touched(void *ctx, int64_t node, unsigned what, int64_t peer)
{
	struct drain *d = ctx;
	struct coord_node *n;
	struct coord_poll *p;

	if (what == POLICY_TOUCHED_PEER && d->c->n_own == 0)
		return;
	n = coord_node_by_id(d->c, node);
	if (!n)
		return;
	p = poll_of(n);
	if (what & (POLICY_TOUCHED_SELF | POLICY_TOUCHED_ALL))
		review_node(d, n);
	if (!p)
		return;
	p->self_stale |= (what & POLICY_TOUCHED_SELF) != 0;
	p->filter_stale |= (what & POLICY_TOUCHED_FILTER) != 0;
	p->ssh_stale |= (what & POLICY_TOUCHED_SSH) != 0;
	if (what & POLICY_TOUCHED_ALL)
		review_poll(p);
	if (what & POLICY_TOUCHED_PEER)
		retell(p, peer, true);
	if (d->c->flush_at == MONO_NEVER)
		d->c->flush_at = d->now.mono + COORD_COALESCE;
}

void follow_drain(struct tailnet *c, struct now now)
{
	struct drain d = { c, now };

	if (policy_drain(c->policy, on_touched, &d) < 0)
		c->store_failed = true;
	if (c->routers_changed)
		routes_watch(c);
}

/* another policy */

struct ids {
	int64_t *v;
	size_t n, cap;
};

static int note_id(void *ctx, int64_t id)
{
	struct ids *s = ctx;

	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		int64_t *v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = id;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int ids_of(struct policy_plan *p, int64_t node, struct ids *s)
{
	int rc;

	s->n = 0;
	rc = policy_peers(p, node, note_id, s);
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_value);
	return rc == -ENOENT ? 0 : rc;
}

static void retell_differences(struct coord_poll *p, const struct ids *a, const struct ids *b)
{
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		if (k == b->n || (i < a->n && a->v[i] < b->v[k])) {
			retell(p, a->v[i++], true);
		} else if (i == a->n || b->v[k] < a->v[i]) {
			retell(p, b->v[k++], true);
		} else {
			i++;
			k++;
		}
	}
}

/*
 * Of readers that see some and will see some, only the difference is told. Which they see of what
 * they see, its routes, is told anew of each router once the plan is installed: primaries are not
 * settled before.
 */
int follow_before_install(struct tailnet *c, struct policy_plan *next)
{
	struct ids before = { 0 }, after = { 0 };
	int rc = 0;

	list_for_each(l, &c->polls) {
		struct coord_poll *p = container_of(l, struct coord_poll, all);

		if (rc < 0 || p->plain || !p->started || !p->node || p->again)
			continue;
		rc = ids_of(policy_installed(c->policy), p->node->doc.id, &before);
		if (rc == 0)
			rc = ids_of(next, p->node->doc.id, &after);
		if (rc == 0)
			retell_differences(p, &before, &after);
	}
	free(before.v);
	free(after.v);
	return rc;
}

/* start and end */

int follow_start(struct tailnet *c, struct now now, struct err_at *at)
{
	struct policy_cfg cfg = { .domains = c->cfg.login_domains,
		.n_domains = c->cfg.n_login_domains };
	struct view text = VIEW_LIT("");
	struct policy_doc *doc;
	struct policy_plan *plan;
	int rc;

	memcpy(cfg.seed, c->seed, sizeof(cfg.seed));
	rc = policy_directory_new(&c->policy, &cfg);
	list_for_each(l, &c->users)
		if (rc == 0)
			rc = follow_user(c, container_of(l, struct user, link));
	list_for_each_safe(l, &c->nodes)
		if (rc == 0)
			rc = follow_node(c, container_of(l, struct coord_node, link), now);
	if (rc == 0 && coord_policy_current(c))
		rc = coord_policy_text(c, 0, &text);
	c->open = text.len == 0;
	if (rc == 0)
		rc = policy_doc_parse(&doc, text.p, text.len, at);
	if (rc == 0)
		rc = policy_plan_new(&plan, c->policy, doc, POLICY_STORED, at);
	if (rc < 0)
		return rc;
	policy_install(c->policy, plan);
	rc = follow_routes(c, now);
	follow_drain(c, now);
	return rc;
}

void follow_end(struct tailnet *c)
{
	c->policy = policy_directory_free(c->policy);
}
