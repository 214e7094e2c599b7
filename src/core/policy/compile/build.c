/* core/policy/compile: a plan from its document to the last node in its class, and its end. */
#include "core/policy/compile/internal.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>

enum { PLAN_MEM_MAX = 1 << 30 };

static int add_names(struct policy_plan *p)
{
	const struct policy_doc *d = p->doc;
	int rc = 0;

	for (size_t i = 0; i < d->n_hosts + d->n_ipsets && rc >= 0; i++) {
		struct named_thing *t = arena_new(&p->mem, struct named_thing);
		const struct ipset *set = i < d->n_hosts ? NULL : &d->ipsets[i - d->n_hosts];
		const char *name = set ? set->name : d->hosts[i].name;

		if (!t)
			return -ENOMEM;
		t->prefixes = set ? set->prefixes : &d->hosts[i].prefix;
		t->n = set ? set->n_prefixes : 1;
		rc = map_insert(&p->names, &t->node, name, strlen(name));
	}
	return rc < 0 ? rc : 0;
}

/* All groups are linked: approvers and owners ask for groups that no rule names. */
static int link_groups(struct policy_plan *p)
{
	const struct policy_doc *d = p->doc;

	for (size_t i = 0; i < d->n_groups; i++) {
		uint32_t g = plan_atom(p, ATOM_GROUP, d->groups[i].name);

		for (size_t k = 0; k < d->groups[i].members.n && g != NONE; k++) {
			const struct term *t = &d->groups[i].members.v[k];
			uint32_t u = plan_atom(p, ATOM_USER, t->text);

			if (u == NONE || u32s_push(&p->atoms[u]->groups, g) < 0)
				return -ENOMEM;
			if (p->atoms[u]->at.line == 0)
				p->atoms[u]->at = t->at;
		}
		if (g == NONE)
			return -ENOMEM;
	}
	return 0;
}

static int fill_ranges(struct policy_plan *p)
{
	static const struct {
		uint8_t first[4], last[4];
	} internet4[] = { { { 0 }, { 9, 255, 255, 255 } }, { { 11 }, { 100, 63, 255, 255 } },
		{ { 100, 128 }, { 169, 253, 255, 255 } }, { { 169, 255 }, { 172, 15, 255, 255 } },
		{ { 172, 32 }, { 192, 167, 255, 255 } }, { { 192, 169 }, { 255, 255, 255, 255 } } };
	static const struct ipprefix internet6 = { { 6, { 0x20 } }, 3 };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(internet4) && rc == 0; i++)
		rc = ranges_push(&p->internet, (struct iprange){ ipaddr_from4(internet4[i].first),
						       ipaddr_from4(internet4[i].last) });
	if (rc == 0)
		rc = ranges_push(&p->internet, iprange_of(internet6));
	if (rc == 0)
		rc = ranges_add(&p->star, iprange_of(tsaddr_cgnat));
	if (rc == 0)
		rc = ranges_remove(&p->star, iprange_of(tsaddr_chromeos_vm));
	return rc < 0 ? rc : ranges_add(&p->star, iprange_of(tsaddr_ula));
}

static int add_fixed_atoms(struct policy_plan *p)
{
	static const char *const names[N_FIXED_ATOMS] = { "4", "6", "member", "tagged", "all",
		"internet", "self", "never" };

	for (int i = 0; i < N_FIXED_ATOMS; i++)
		if (plan_atom(p, ATOM_FIXED, names[i]) != (uint32_t)i)
			return -ENOMEM;
	return 0;
}

struct prefix_at {
	struct ipprefix prefix;
	uint32_t atom;
};

static int by_address(const void *a, const void *b)
{
	const struct prefix_at *x = a, *y = b;
	int c = ipaddr_cmp(x->prefix.ip, y->prefix.ip);

	return c ? c : (int)x->prefix.bits - (int)y->prefix.bits;
}

static int sort_prefixes(struct policy_plan *p)
{
	struct u32s *v = &p->sorted_prefixes;
	struct prefix_at *tmp = malloc((v->n + 1) * sizeof(*tmp));

	if (!tmp)
		return -ENOMEM;
	for (uint32_t i = 0; i < v->n; i++)
		tmp[i] = (struct prefix_at){ p->atoms[v->v[i]]->prefix, v->v[i] };
	qsort(tmp, v->n, sizeof(*tmp), by_address);
	for (uint32_t i = 0; i < v->n; i++)
		v->v[i] = tmp[i].atom;
	free(tmp);
	return 0;
}

static int compile(struct policy_plan *p, enum policy_origin origin, struct err_at *at)
{
	int rc = add_fixed_atoms(p);

	if (rc == 0)
		rc = fill_ranges(p);
	if (rc == 0)
		rc = add_names(p);
	if (rc == 0)
		rc = plan_compile_rules(p);
	if (rc == 0)
		rc = plan_compile_rest(p);
	if (rc == 0)
		rc = link_groups(p);
	if (rc == 0)
		rc = sort_prefixes(p);
	for (uint32_t i = 0; i < p->n_sides && rc == 0; i++)
		if (p->sides[i]->mode == MODE_DST &&
			(p->sides[i]->all || p->sets[p->sides[i]->set]->meets_internet))
			rc = u32s_push(&p->exit_sides, i);
	if (rc == 0)
		rc = plan_room_for_users(p);
	return rc < 0 ? rc : plan_check_names(p, origin, at);
}

static int place_all(struct policy_plan *p)
{
	struct policy_directory *w = p->directory;
	int rc = 0;

	for (uint32_t i = 0; i < w->n_user_slots && rc == 0; i++)
		if (w->user_at[i])
			rc = plan_user_atoms(p, w->user_at[i]);
	for (uint32_t i = 0; i < w->n_node_slots && rc == 0; i++) {
		bool moved;

		if (!w->node_at[i])
			continue;
		rc = routes_add(p, w->node_at[i]);
		if (rc == 0)
			rc = plan_place(p, w->node_at[i], &moved);
	}
	for (uint32_t i = 0; i < w->n_node_slots && rc == 0; i++)
		if (w->node_at[i] && w->node_at[i]->n_subnets)
			rc = routes_elect(p, w->node_at[i]);
	p->n_touches = 0;
	return rc;
}

int policy_plan_new(struct policy_plan **ret, struct policy_directory *w, struct policy_doc *d,
	enum policy_origin origin, struct err_at *at)
{
	struct policy_plan *p = calloc(1, sizeof(*p));
	int rc;

	if (!p) {
		policy_doc_free(d);
		return -ENOMEM;
	}
	p->directory = w;
	p->doc = d;
	arena_init(&p->mem, PLAN_MEM_MAX);
	map_init(&p->atom_by_key, w->seed);
	map_init(&p->set_by_key, w->seed);
	map_init(&p->class_by_key, w->seed);
	map_init(&p->route_by_prefix, w->seed);
	map_init(&p->names, w->seed);
	rc = compile(p, origin, at);
	if (rc == 0)
		rc = place_all(p);
	if (rc == -ENOMEM)
		err_at_set(at, 0, 0, "not enough memory to compile the policy");
	if (rc < 0) {
		policy_plan_free(p);
		return rc;
	}
	*ret = p;
	return 0;
}

static void routes_free(struct policy_plan *p)
{
	map_for_each(n, &p->route_by_prefix) {
		struct route *r = container_of(n, struct route, node);

		u32s_fini(&r->nodes);
		u32s_fini(&r->sides);
		free(r);
	}
	map_fini(&p->route_by_prefix);
}

struct policy_plan *policy_plan_free(struct policy_plan *p)
{
	if (!p)
		return NULL;
	for (uint32_t i = 0; i < p->n_atoms; i++) {
		u32s_fini(&p->atoms[i]->groups);
		u32s_fini(&p->atoms[i]->sets);
	}
	for (uint32_t i = 0; i < p->n_sets; i++) {
		addr_set_fini(p->sets[i]);
		free(p->sets[i]);
	}
	for (uint32_t i = 0; i < p->n_sides; i++) {
		u32s_fini(&p->sides[i]->rules);
		u32s_fini(&p->sides[i]->counter);
		u32s_fini(&p->sides[i]->extra);
		free(p->sides[i]);
	}
	for (uint32_t i = 0; i < p->n_classes; i++)
		node_class_free(p->classes[i]);
	for (uint32_t i = 0; i < p->n_user_plans; i++) {
		u32s_fini(&p->user_plans[i].atoms);
		u32s_fini(&p->user_plans[i].bound);
	}
	for (uint32_t i = 0; i < p->n_rules; i++)
		u32s_fini(&p->rules[i].via);
	for (size_t i = 0; p->ssh && i < p->doc->n_ssh; i++)
		free(p->ssh[i].principals);
	routes_free(p);
	map_fini(&p->atom_by_key);
	map_fini(&p->set_by_key);
	map_fini(&p->class_by_key);
	map_fini(&p->names);
	ranges_fini(&p->internet);
	ranges_fini(&p->star);
	struct u32s *lists[] = { &p->free_classes, &p->dying, &p->sorted_prefixes, &p->no_ip4_sets,
		&p->subdomain_sets, &p->exit_sides, &p->star_sets, &p->internet_sets, &p->all_sides,
		&p->posture_atoms, &p->self_rules, &p->via_rules, &p->router_classes,
		&p->touched_classes, &p->orphans, &p->scratch };
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		u32s_fini(lists[i]);
	free(p->atoms);
	free(p->sets);
	free(p->sides);
	free(p->rules);
	free(p->classes);
	free(p->user_plans);
	free(p->class_of);
	free(p->pos_in_class);
	free(p->touches);
	arena_fini(&p->mem);
	policy_doc_free(p->doc);
	free(p);
	return NULL;
}
