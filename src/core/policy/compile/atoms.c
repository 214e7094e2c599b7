/* core/policy/compile: what is true of a user, of a node. */
#include "core/policy/compile/internal.h"
#include "base/text/text.h"

#include <errno.h>

int plan_room_for_users(struct policy_plan *p)
{
	uint32_t n = (uint32_t)p->directory->cap_user_slots; /* grows with those */
	struct user_plan *v;

	if (n <= p->n_user_plans)
		return 0;
	v = realloc(p->user_plans, n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memset(v + p->n_user_plans, 0, (n - p->n_user_plans) * sizeof(*v));
	p->user_plans = v;
	p->n_user_plans = n;
	return 0;
}

static const char *domain_of(const struct user_rec *u)
{
	const char *at = u->login ? strrchr(u->login, '@') : NULL;

	return at && at[1] ? at + 1 : NULL;
}

/* An atom that no selector contains would only split classes. */
static int push_asked(struct policy_plan *p, struct u32s *out, uint32_t atom)
{
	return atom == NONE || p->atoms[atom]->sets.n == 0 ? 0 : u32s_push(out, atom);
}

static bool role_is(enum policy_role role, enum autogroup ag)
{
	static const enum autogroup groups[] = {
		[POLICY_MEMBER] = N_AUTOGROUPS,
		[POLICY_AUDITOR] = AG_AUDITOR,
		[POLICY_BILLING_ADMIN] = AG_BILLING_ADMIN,
		[POLICY_NETWORK_ADMIN] = AG_NETWORK_ADMIN,
		[POLICY_IT_ADMIN] = AG_IT_ADMIN,
		[POLICY_ADMIN] = AG_ADMIN,
		[POLICY_OWNER] = AG_OWNER,
	};

	return groups[role] == ag || (role == POLICY_OWNER && ag == AG_ADMIN);
}

static int push_role(struct policy_plan *p, const struct user_rec *u, struct u32s *out)
{
	int rc = 0;

	for (int ag = AG_OWNER; ag < N_AUTOGROUPS && rc == 0; ag++)
		if (role_is(u->role, (enum autogroup)ag))
			rc = push_asked(p, out,
				plan_atom_find(p, ATOM_ROLE, autogroup_text((enum autogroup)ag)));
	return rc;
}

static int push_domain(struct policy_plan *p, const struct user_rec *u, struct u32s *out)
{
	const char *domain = domain_of(u);
	char low[256];
	size_t n = domain ? strlen(domain) : 0;

	if (n == 0 || n >= sizeof(low))
		return 0;
	for (size_t i = 0; i <= n; i++)
		low[i] = ascii_lower(domain[i]);
	return push_asked(p, out, plan_atom_find(p, ATOM_DOMAIN, low));
}

/* A name that nobody has yet is taken by the first who comes with it. */
static int bind_free(
	struct policy_plan *p, const struct user_rec *u, const char *name, bool by_provider)
{
	uint32_t id = name ? plan_atom_find(p, ATOM_USER, name) : NONE;

	if (id == NONE || p->atoms[id]->bound != NONE)
		return 0;
	p->atoms[id]->bound = u->slot;
	p->atoms[id]->by_provider = by_provider;
	return u32s_push(&p->user_plans[u->slot].bound, id);
}

void plan_unbind_user(struct policy_plan *p, const struct user_rec *u)
{
	struct u32s *bound = &p->user_plans[u->slot].bound;

	for (uint32_t i = 0; i < bound->n; i++) {
		struct atom *a = p->atoms[bound->v[i]];

		if (a->bound == u->slot) {
			a->bound = NONE;
			a->by_provider = false;
		}
	}
	bound->n = 0;
}

int plan_user_atoms(struct policy_plan *p, const struct user_rec *u)
{
	struct user_plan *up = &p->user_plans[u->slot];
	int rc = 0;

	up->atoms.n = 0;
	if (!u->known)
		return 0;
	rc = bind_free(p, u, u->provider_id, true);
	if (rc == 0)
		rc = bind_free(p, u, u->login, false);
	if (rc == 0)
		rc = bind_free(p, u, u->name, false);
	for (uint32_t i = 0; i < up->bound.n && rc == 0; i++) {
		const struct atom *a = p->atoms[up->bound.v[i]];

		if (a->bound != u->slot)
			continue; /* the provider's name of somebody else took it */
		rc = push_asked(p, &up->atoms, up->bound.v[i]);
		for (uint32_t k = 0; k < a->groups.n && rc == 0; k++)
			rc = push_asked(p, &up->atoms, a->groups.v[k]);
	}
	if (rc == 0)
		rc = push_role(p, u, &up->atoms);
	if (rc == 0)
		rc = push_domain(p, u, &up->atoms);
	u32s_sort(&up->atoms);
	return rc;
}

static int plan_prefix_atoms(const struct policy_plan *p, struct ipaddr a, struct u32s *out)
{
	unsigned max = ipaddr_bits(a);
	int rc = 0;

	for (unsigned bits = 0; a.family && bits <= max && rc == 0; bits++) {
		uint64_t used = a.family == 4 ? p->bits4 : p->bits6[bits / 64];
		uint32_t id;

		if (!(used >> bits % 64 & 1))
			continue;
		id = plan_prefix_find(p, ipprefix_masked((struct ipprefix){ a, (uint8_t)bits }));
		if (id != NONE)
			rc = u32s_push(out, id);
	}
	return rc;
}

static int push_own_atoms(struct policy_plan *p, const struct node_rec *n, struct u32s *out)
{
	int rc = u32s_push(out, ATOM_ALL);

	if (rc == 0)
		rc = u32s_push(out, n->n_tags ? ATOM_TAGGED : ATOM_MEMBER);
	if (rc == 0 && n->ip4.family && ranges_contain(&p->star, n->ip4))
		rc = u32s_push(out, ATOM_STAR4);
	if (rc == 0 && n->ip6.family && ranges_contain(&p->star, n->ip6))
		rc = u32s_push(out, ATOM_STAR6);
	for (size_t i = 0; i < n->n_tags && rc == 0; i++)
		rc = push_asked(p, out, plan_atom_find(p, ATOM_TAG, n->tags[i]));
	return rc;
}

int plan_node_atoms(struct policy_plan *p, const struct node_rec *n, struct u32s *out)
{
	int rc;

	out->n = 0;
	rc = push_own_atoms(p, n, out);
	if (n->user) {
		const struct u32s *of_user = &p->user_plans[n->user->slot].atoms;

		for (uint32_t i = 0; i < of_user->n && rc == 0; i++)
			rc = u32s_push(out, of_user->v[i]);
	}
	if (rc == 0)
		rc = plan_prefix_atoms(p, n->ip4, out);
	if (rc == 0)
		rc = plan_prefix_atoms(p, n->ip6, out);
	for (uint32_t i = 0; i < p->posture_atoms.n && rc == 0; i++)
		if (posture_holds(p->atoms[p->posture_atoms.v[i]]->posture, n->attrs, n->n_attrs))
			rc = u32s_push(out, p->posture_atoms.v[i]);
	u32s_sort(out);
	return rc;
}

/* The prefix atoms inside r are neighbours in the sorted list. */
static int push_inside(const struct policy_plan *p, struct ipprefix r, struct u32s *out)
{
	const struct u32s *v = &p->sorted_prefixes;
	struct ipaddr last = iprange_of(r).last;
	uint32_t lo = 0, hi = v->n;
	int rc = 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ipaddr_cmp(p->atoms[v->v[mid]]->prefix.ip, r.ip) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < v->n && rc == 0; lo++) {
		struct ipprefix x = p->atoms[v->v[lo]]->prefix;

		if (ipaddr_cmp(x.ip, last) > 0)
			break;
		if (x.bits > r.bits)
			rc = u32s_push(out, v->v[lo]);
	}
	return rc;
}

static int plan_overlaps(const struct policy_plan *p, struct ipprefix r, struct u32s *out)
{
	int rc = push_inside(p, r, out);

	for (unsigned bits = 0; bits <= r.bits && rc == 0; bits++) {
		uint64_t used = r.ip.family == 4 ? p->bits4 : p->bits6[bits / 64];
		uint32_t id;

		if (!(used >> bits % 64 & 1))
			continue;
		id = plan_prefix_find(p, ipprefix_masked((struct ipprefix){ r.ip, (uint8_t)bits }));
		if (id != NONE)
			rc = u32s_push(out, id);
	}
	return rc;
}

static int push_sides(const struct addr_set *s, struct u32s *out)
{
	int rc = 0;

	for (int m = 0; m < N_MODES && rc == 0; m++)
		if (s->side[m] != NONE)
			rc = u32s_push(out, s->side[m]);
	return rc;
}

/*
 * Literal prefixes meet the route where they overlap. A star as source holds every approved subnet
 * route; for capabilities it is the tailnet's own range. With a posture only devices count, and no
 * literal stands for what is behind one.
 */
int plan_route_sides(const struct policy_plan *p, struct ipprefix r, struct u32s *out)
{
	struct u32s atoms = { 0 };
	bool public = ranges_overlap(&p->internet, iprange_of(r)),
	     tailnet = ranges_overlap(&p->star, iprange_of(r));
	int rc = plan_overlaps(p, r, &atoms);

	for (uint32_t i = 0; i < atoms.n && rc == 0; i++) {
		const struct u32s *sets = &p->atoms[atoms.v[i]]->sets;

		for (uint32_t k = 0; k < sets->n && rc == 0; k++)
			if (p->sets[sets->v[k]]->postures.n == 0)
				rc = push_sides(p->sets[sets->v[k]], out);
	}
	u32s_fini(&atoms);
	for (uint32_t i = 0; i < p->star_sets.n && rc == 0; i++) {
		const struct addr_set *s = p->sets[p->star_sets.v[i]];

		if (s->postures.n == 0 && s->side[MODE_SRC] != NONE)
			rc = u32s_push(out, s->side[MODE_SRC]);
		if (rc == 0 && s->postures.n == 0 && tailnet && s->side[MODE_CAP] != NONE)
			rc = u32s_push(out, s->side[MODE_CAP]);
	}
	for (uint32_t i = 0; public && i < p->internet_sets.n && rc == 0; i++)
		if (p->sets[p->internet_sets.v[i]]->internet &&
			p->sets[p->internet_sets.v[i]]->side[MODE_DST] != NONE)
			rc = u32s_push(out, p->sets[p->internet_sets.v[i]]->side[MODE_DST]);
	for (uint32_t i = 0; i < p->all_sides.n && rc == 0; i++)
		rc = u32s_push(out, p->all_sides.v[i]);
	u32s_sort(out);
	return rc;
}

static bool user_is_named(const struct policy_plan *p, const char *name, const struct user_rec *u)
{
	uint32_t id = plan_atom_find(p, ATOM_USER, name);

	if (id != NONE && p->atoms[id]->bound != NONE)
		return p->atoms[id]->bound == u->slot;
	return (u->login && strcmp(u->login, name) == 0) ||
	       (u->name && strcmp(u->name, name) == 0) ||
	       (u->provider_id && strcmp(u->provider_id, name) == 0);
}

static bool user_in_group(const struct policy_plan *p, const char *name, const struct user_rec *u)
{
	const struct group *g = doc_group(p->doc, name);

	for (size_t i = 0; g && i < g->members.n; i++)
		if (user_is_named(p, g->members.v[i].text, u))
			return true;
	return false;
}

bool plan_term_means_user(
	const struct policy_plan *p, const struct term *t, const struct user_rec *u)
{
	if (!u || !u->known)
		return false;
	if (t->kind == TERM_USER)
		return user_is_named(p, t->text, u);
	if (t->kind == TERM_GROUP)
		return user_in_group(p, t->full, u);
	return t->kind == TERM_AUTOGROUP && (t->ag == AG_MEMBER || role_is(u->role, t->ag));
}

bool plan_term_means_node(
	const struct policy_plan *p, const struct term *t, const struct node_rec *n)
{
	if (t->kind == TERM_AUTOGROUP && t->ag == AG_TAGGED)
		return n->n_tags > 0;
	if (t->kind != TERM_TAG)
		return n->n_tags == 0 && plan_term_means_user(p, t, n->user);
	for (size_t i = 0; i < n->n_tags; i++)
		if (strcmp(n->tags[i], t->full) == 0)
			return true;
	return false;
}
