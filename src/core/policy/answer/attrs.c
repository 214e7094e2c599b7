/* core/policy/answer: attributes and capabilities of nodes, approval of routes, ownership of tags, the
 * switches. */
#include "core/policy/answer/internal.h"
#include "proto/tailcfg/tailcfg.h"

#include <errno.h>

/* A growing list of capabilities in an arena; values of one name are joined. */
struct cap_list {
	struct arena *a;
	struct policy_node_cap *v;
	size_t n, cap;
};

static char *join_values(struct arena *a, const char *x, const char *y)
{
	size_t n = strlen(x);

	if (strcmp(y, "[]") == 0 || strcmp(x, "[]") == 0)
		return arena_strdup(a, strcmp(y, "[]") == 0 ? x : y);
	return arena_printf(a, "%.*s,%s", (int)(n - 1), x, y + 1);
}

static int add_cap(struct cap_list *l, const char *name, const char *values)
{
	if (values && strcmp(values, "null") == 0)
		values = NULL;
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i].name, name) != 0)
			continue;
		if (values)
			l->v[i].values =
				l->v[i].values ? join_values(l->a, l->v[i].values, values) : values;
		return values && !l->v[i].values ? -ENOMEM : 0;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct policy_node_cap *v = arena_array(l->a, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = (struct policy_node_cap){ name, values };
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct policy_node_cap *)a)->name,
		((const struct policy_node_cap *)b)->name);
}

static int add_app(struct cap_list *l, const struct app_caps *app)
{
	int rc = 0;

	for (size_t i = 0; i < app->n && rc == 0; i++)
		rc = add_cap(l, app->v[i].name, app->v[i].values);
	return rc;
}

static int add_switches(struct cap_list *l, const struct policy_doc *d)
{
	int rc = d->randomize_client_port ? add_cap(l, "randomize-client-port", NULL) : 0;

	if (rc == 0 && d->disable_ipv4)
		rc = add_cap(l, "disable-ipv4", NULL);
	if (rc == 0 && d->one_cgnat && *d->one_cgnat)
		rc = add_cap(l,
			strcmp(d->one_cgnat, "mac-always") == 0 ? "one-cgnat?v=true"
								: "one-cgnat?v=false",
			NULL);
	return rc;
}

static int add_attr_entry(struct cap_list *l, const struct node_attr *a)
{
	int rc = 0;

	for (size_t i = 0; i < a->attr.n && rc == 0; i++) {
		rc = add_cap(l, a->attr.v[i].s, NULL);
		/* Who may use Funnel may do so on these ports. */
		if (rc == 0 && strcmp(a->attr.v[i].s, "funnel") == 0)
			rc = add_cap(l,
				"https://tailscale.com/cap/funnel-ports?ports=443,8443,10000",
				NULL);
	}
	return rc < 0 ? rc : add_app(l, &a->app);
}

int policy_node_caps(struct policy_plan *p, int64_t node, struct arena *a,
	struct policy_node_cap **ret, size_t *ret_n)
{
	struct node_rec *n = directory_node(p->directory, node);
	struct node_class *c = n ? plan_class(p, n) : NULL;
	struct cap_list l = { .a = a };
	int rc;

	if (!c)
		return -ENOENT;
	rc = add_switches(&l, p->doc);
	for (size_t i = 0; i < p->doc->n_node_attrs && rc == 0; i++)
		if (node_class_in_set(c, p->attrs[i].target))
			rc = add_attr_entry(&l, p->attrs[i].doc);
	if (rc < 0)
		return rc;
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_name);
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

bool policy_node_hides_ip4(struct policy_plan *p, int64_t node)
{
	struct node_rec *n = directory_node(p->directory, node);
	struct node_class *c = n ? plan_class(p, n) : NULL;
	bool hides = p->doc->disable_ipv4;

	for (uint32_t i = 0; c && i < p->no_ip4_sets.n && !hides; i++)
		hides = node_class_in_set(c, p->no_ip4_sets.v[i]);
	return hides;
}

bool policy_node_resolves_subdomains(struct policy_plan *p, int64_t node)
{
	struct node_rec *n = p->subdomain_sets.n ? directory_node(p->directory, node) : NULL;
	struct node_class *c = n ? plan_class(p, n) : NULL;

	for (uint32_t i = 0; c && i < p->subdomain_sets.n; i++)
		if (node_class_in_set(c, p->subdomain_sets.v[i]))
			return true;
	return false;
}

bool policy_node_suggests_exit(struct policy_plan *p, int64_t node)
{
	struct node_rec *n = directory_node(p->directory, node);
	struct node_class *c = n ? plan_class(p, n) : NULL;

	return c && c->exit;
}

size_t policy_node_pools(
	struct policy_plan *p, int64_t node, const struct ipprefix **ret, size_t max)
{
	struct node_rec *n = directory_node(p->directory, node);
	struct node_class *c = n ? plan_class(p, n) : NULL;
	size_t found = 0;

	for (size_t i = 0; c && i < p->doc->n_node_attrs; i++) {
		const struct node_attr *a = p->attrs[i].doc;

		for (size_t k = 0;
			k < a->n_pools && found < max && node_class_in_set(c, p->attrs[i].target);
			k++)
			ret[found++] = &a->pools[k];
	}
	return found;
}

static bool src_is(const struct policy_plan *p, const struct rule *r, const struct node_rec *src,
	const struct node_class *cs, const struct node_rec *dst, const struct node_class *cd)
{
	const struct addr_set *s = p->sets[r->src];

	if (r->dst != NONE)
		return node_class_in_set(cs, r->src) || (s->danger && !s->postures.n);
	if (!src->user || src->user != dst->user)
		return false;
	return node_class_in_set(r->reversed ? cd : cs, r->src);
}

int policy_peer_caps(struct policy_plan *p, int64_t src, int64_t dst, struct arena *a,
	struct policy_node_cap **ret, size_t *ret_n)
{
	struct node_rec *ns = directory_node(p->directory, src),
			*nd = directory_node(p->directory, dst);
	struct node_class *cs = ns ? plan_class(p, ns) : NULL, *cd = nd ? plan_class(p, nd) : NULL;
	struct cap_list l = { .a = a };
	int rc;

	if (!cs || !cd)
		return -ENOENT;
	rc = node_class_slices(p, cd);
	for (size_t i = 0; i < cd->n_slices && rc == 0; i++) {
		const struct rule_slice *slice = &cd->slices[i];
		const struct rule *r = &p->rules[slice->rule];

		if ((!slice->self4 && !slice->self6) || !src_is(p, r, ns, cs, nd, cd))
			continue;
		rc = r->app ? add_app(&l, r->app) : add_cap(&l, r->companion, NULL);
	}
	if (rc < 0)
		return rc;
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_name);
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

static bool means_node(const struct policy_plan *p, const struct terms *t, const struct node_rec *n)
{
	for (size_t i = 0; i < t->n; i++)
		if (plan_term_means_node(p, &t->v[i], n))
			return true;
	return false;
}

/* Default routes come from exitNode alone, whatever routes says of them. */
static bool approves(const struct policy_plan *p, const struct node_rec *n, struct ipprefix route)
{
	const struct policy_doc *d = p->doc;

	if (route.bits == 0)
		return means_node(p, &d->exit_approvers, n);
	for (size_t i = 0; i < d->n_approvers; i++)
		if (d->approvers[i].prefix.bits <= route.bits &&
			ipprefix_overlaps(d->approvers[i].prefix, route) &&
			means_node(p, &d->approvers[i].who, n))
			return true;
	return false;
}

bool policy_route_auto_approved(struct policy_plan *p, int64_t node, struct ipprefix route)
{
	const struct node_rec *n = directory_node(p->directory, node);

	return n && approves(p, n, route);
}

bool policy_route_would_be_approved(struct policy_plan *p, int64_t user, const char *const *tags,
	size_t n_tags, struct ipprefix route)
{
	struct node_rec n = { .n_tags = n_tags };

	n.tags = (const char **)(uintptr_t)tags;
	n.user = n_tags ? NULL : directory_user(p->directory, user);
	return (n_tags || n.user) && approves(p, &n, route);
}

bool policy_tag_exists(const struct policy_plan *p, const char *tag)
{
	return doc_tag(p->doc, tag) != NULL;
}

enum { TAG_CHAIN_MAX = 256 }; /* tags that own one tag through each other */

static bool owner_found(const struct policy_plan *p, const char *tag, const struct user_rec *u,
	const struct node_rec *n)
{
	const struct tag_owner *t = doc_tag(p->doc, tag);

	for (size_t i = 0; t && i < t->owners.n; i++) {
		const struct term *o = &t->owners.v[i];

		if ((u && plan_term_means_user(p, o, u)) || (n && plan_term_means_node(p, o, n)))
			return true;
	}
	return false;
}

/* The tags that own `tag`, itself too: who owns one of them owns it. Cycles are legal and add
 * nothing. */
static size_t owning_tags(const struct policy_plan *p, const char *tag, const char **out)
{
	size_t n = 1;

	out[0] = tag;
	for (size_t i = 0; i < n; i++) {
		const struct tag_owner *t = doc_tag(p->doc, out[i]);

		for (size_t k = 0; t && k < t->owners.n && n < TAG_CHAIN_MAX; k++) {
			size_t seen = 0;

			if (t->owners.v[k].kind != TERM_TAG)
				continue;
			while (seen < n && strcmp(out[seen], t->owners.v[k].full) != 0)
				seen++;
			if (seen == n)
				out[n++] = t->owners.v[k].full;
		}
	}
	return n;
}

bool policy_tag_allowed(struct policy_plan *p, const char *tag, int64_t user, int64_t node)
{
	const char *tags[TAG_CHAIN_MAX];
	size_t n = policy_tag_exists(p, tag) ? owning_tags(p, tag, tags) : 0;

	for (size_t i = 0; i < n; i++)
		if (owner_found(p, tags[i], directory_user(p->directory, user),
			    directory_node(p->directory, node)))
			return true;
	return false;
}

bool policy_tag_owned_by_tag(struct policy_plan *p, const char *tag, const char *owner)
{
	const char *tags[TAG_CHAIN_MAX];
	size_t n = policy_tag_exists(p, tag) ? owning_tags(p, tag, tags) : 0;

	for (size_t i = 1; i < n; i++)
		if (strcmp(tags[i], owner) == 0)
			return true;
	return false;
}

bool policy_disable_ipv4(const struct policy_plan *p)
{
	return p->doc->disable_ipv4;
}

void policy_stats(const struct policy_plan *p, struct policy_stats *ret)
{
	*ret = (struct policy_stats){ .nodes = p->directory->nodes.n_items,
		.users = p->directory->users.n_items,
		.classes = p->class_by_key.n_items,
		.selectors = p->n_sets,
		.rules = p->n_rules };
}

const struct policy_derp_map *policy_derp_map(const struct policy_plan *p)
{
	return &p->doc->derp_map;
}

bool policy_derp_map_same(const struct policy_plan *a, const struct policy_plan *b)
{
	const struct policy_derp_map *x = policy_derp_map(a), *y = policy_derp_map(b);
	bool same = x->n == y->n && x->omit_default == y->omit_default;

	for (size_t i = 0; i < x->n && same; i++) {
		const struct policy_derp_region *s = &x->regions[i], *t = &y->regions[i];

		same = !strcmp(s->number, t->number) && !s->region == !t->region &&
		       (!s->region || json_same(&tc_derp_region_type, s->region, t->region));
	}
	return same;
}
