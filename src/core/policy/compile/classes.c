/* core/policy/compile: classes. Two nodes are of one class when the same atoms are true of both and they
 * carry the same routes. */
#include "core/policy/compile/internal.h"

#include <errno.h>

struct node_class *plan_class(const struct policy_plan *p, const struct node_rec *n)
{
	uint32_t id = n->slot < p->n_class_of ? p->class_of[n->slot] : NONE;

	return id == NONE ? NULL : p->classes[id];
}

bool node_class_in_set(const struct node_class *c, uint32_t set)
{
	return u32s_has(&c->sets, set);
}

static int room_for_nodes(struct policy_plan *p)
{
	uint32_t n = (uint32_t)p->directory->cap_node_slots; /* grows with those */
	uint32_t *classes, *pos;

	if (n <= p->n_class_of)
		return 0;
	classes = realloc(p->class_of, n * sizeof(*classes));
	if (!classes)
		return -ENOMEM;
	p->class_of = classes;
	pos = realloc(p->pos_in_class, n * sizeof(*pos));
	if (!pos)
		return -ENOMEM;
	p->pos_in_class = pos;
	for (uint32_t i = p->n_class_of; i < n; i++)
		classes[i] = NONE;
	p->n_class_of = n;
	return 0;
}

/* Atoms, flags and routes, one after another. */
static uint8_t *make_key(const struct node_rec *n, const struct u32s *atoms, size_t *ret_len)
{
	size_t atoms_len = atoms->n * sizeof(*atoms->v),
	       routes_len = n->n_subnets * sizeof(*n->routes);
	uint8_t *key = malloc(atoms_len + 1 + routes_len);

	if (!key)
		return NULL;
	memcpy(key, atoms->v, atoms_len);
	key[atoms_len] = node_rec_is_exit(n) ? 0xff : 0xfe;
	if (routes_len)
		memcpy(key + atoms_len + 1, n->routes, routes_len);
	*ret_len = atoms_len + 1 + routes_len;
	return key;
}

/* A selector with a posture wants both: one of the postures, and one of the rest. */
static bool set_holds(const struct addr_set *s, const struct u32s *atoms)
{
	bool posture = s->postures.n == 0, who = false;

	for (uint32_t i = 0; i < s->postures.n && !posture; i++)
		posture = u32s_has(atoms, s->postures.v[i]);
	for (uint32_t i = 0; i < s->atoms.n && !who && posture; i++)
		who = u32s_has(atoms, s->atoms.v[i]);
	return who && posture;
}

static int find_sets(struct policy_plan *p, struct node_class *c)
{
	uint32_t kept = 0;
	int rc = 0;

	for (uint32_t i = 0; i < c->atoms.n && rc == 0; i++) {
		const struct u32s *sets = &p->atoms[c->atoms.v[i]]->sets;

		for (uint32_t k = 0; k < sets->n && rc == 0; k++)
			rc = u32s_push(&c->sets, sets->v[k]);
	}
	if (rc < 0)
		return rc;
	u32s_sort(&c->sets);
	for (uint32_t i = 0; i < c->sets.n; i++)
		if (p->sets[c->sets.v[i]]->postures.n == 0 ||
			set_holds(p->sets[c->sets.v[i]], &c->atoms))
			c->sets.v[kept++] = c->sets.v[i];
	c->sets.n = kept;
	return 0;
}

/* What the class meets through its routes, without what it meets by itself. */
static int find_extra(struct policy_plan *p, struct node_class *c)
{
	struct u32s all = { 0 };
	int rc = 0;

	for (size_t i = 0; i < c->n_routes && rc == 0; i++)
		rc = plan_route_sides(p, c->routes[i], &all);
	for (uint32_t i = 0; c->exit && i < p->internet_sets.n && rc == 0; i++) {
		const struct addr_set *s = p->sets[p->internet_sets.v[i]];

		if (s->covers_internet && s->side[MODE_DST] != NONE)
			rc = u32s_push(&all, s->side[MODE_DST]);
	}
	u32s_sort(&all);
	for (uint32_t i = 0; i < all.n && rc == 0; i++)
		if (!p->sides[all.v[i]]->all && !node_class_in_set(c, p->sides[all.v[i]]->set))
			rc = u32s_push(&c->extra, all.v[i]);
	u32s_fini(&all);
	return rc;
}

static int find_sides(struct policy_plan *p, struct node_class *c)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->sets.n && rc == 0; i++)
		for (int m = 0; m < N_MODES && rc == 0; m++)
			if (p->sets[c->sets.v[i]]->side[m] != NONE)
				rc = u32s_push(&c->sides, p->sets[c->sets.v[i]]->side[m]);
	for (uint32_t i = 0; i < c->extra.n && rc == 0; i++)
		rc = u32s_push(&c->sides, c->extra.v[i]);
	for (uint32_t i = 0; i < p->all_sides.n && rc == 0; i++)
		rc = u32s_push(&c->sides, p->all_sides.v[i]);
	u32s_sort(&c->sides);
	return rc;
}

static bool has_via_tag(const struct node_class *c, const struct rule *r)
{
	for (uint32_t i = 0; i < r->via.n; i++)
		if (u32s_has(&c->atoms, r->via.v[i]))
			return true;
	return false;
}

bool node_class_routes_meet(const struct node_class *c, struct ipprefix x)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (ipprefix_overlaps(x, c->routes[i]))
			return true;
	return false;
}

/* A rule with via is carried out by routers that have one of its tags and a route that it names. */
static int find_vias(struct policy_plan *p, struct node_class *c)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->via_rules.n && rc == 0; i++) {
		const struct rule *r = &p->rules[p->via_rules.v[i]];
		const struct addr_set *dst = p->sets[r->dst];
		bool carries = dst->internet && c->exit;

		if (!has_via_tag(c, r))
			continue;
		for (uint32_t k = 0; k < dst->atoms.n && !carries; k++)
			carries = p->atoms[dst->atoms.v[k]]->kind == ATOM_PREFIX &&
				  node_class_routes_meet(c, p->atoms[dst->atoms.v[k]]->prefix);
		if (carries)
			rc = u32s_push(&c->vias, p->via_rules.v[i]);
	}
	return rc;
}

static int link_list(struct u32s *list, uint32_t id, struct u32s *pos)
{
	int rc = u32s_push(list, id);

	if (rc < 0)
		return rc;
	rc = u32s_push(pos, list->n - 1);
	if (rc < 0)
		list->n--;
	return rc;
}

static int link_class(struct policy_plan *p, struct node_class *c)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->sets.n && rc == 0; i++)
		rc = link_list(&p->sets[c->sets.v[i]]->classes, c->id, &c->sets_pos);
	for (uint32_t i = 0; i < c->extra.n && rc == 0; i++)
		rc = link_list(&p->sides[c->extra.v[i]]->extra, c->id, &c->extra_pos);
	if (rc == 0 && (c->n_routes || c->exit))
		rc = u32s_push(&p->router_classes, c->id);
	return rc;
}

/* Takes the entry at pos out of a list of classes; the last one takes its place, and is told. */
static void unlink_list(
	struct policy_plan *p, struct u32s *list, uint32_t pos, uint32_t what, bool own)
{
	struct node_class *moved = p->classes[list->v[--list->n]];

	list->v[pos] = list->v[list->n];
	if (pos == list->n)
		return;
	if (own)
		moved->sets_pos.v[u32s_place(&moved->sets, what)] = pos;
	else
		moved->extra_pos.v[u32s_place(&moved->extra, what)] = pos;
}

static void unlink_class(struct policy_plan *p, struct node_class *c)
{
	for (uint32_t i = 0; i < c->sets_pos.n; i++)
		unlink_list(
			p, &p->sets[c->sets.v[i]]->classes, c->sets_pos.v[i], c->sets.v[i], true);
	for (uint32_t i = 0; i < c->extra_pos.n; i++)
		unlink_list(p, &p->sides[c->extra.v[i]]->extra, c->extra_pos.v[i], c->extra.v[i],
			false);
	for (uint32_t i = 0; i < p->router_classes.n; i++)
		if (p->router_classes.v[i] == c->id)
			p->router_classes.v[i--] = p->router_classes.v[--p->router_classes.n];
}

void node_class_slices_free(struct node_class *c)
{
	for (size_t i = 0; i < c->n_slices; i++) {
		free(c->slices[i].fixed);
		free(c->slices[i].self_ports.v);
	}
	free(c->slices);
	c->slices = NULL;
	c->n_slices = 0;
	c->has_slices = false;
}

void node_class_free(struct node_class *c)
{
	struct u32s *lists[10];

	if (!c)
		return;
	lists[0] = &c->atoms;
	lists[1] = &c->sets;
	lists[2] = &c->sets_pos;
	lists[3] = &c->extra;
	lists[4] = &c->extra_pos;
	lists[5] = &c->sides;
	lists[6] = &c->sees;
	lists[7] = &c->vias;
	lists[8] = &c->nodes;
	for (size_t i = 0; i < 9; i++)
		u32s_fini(lists[i]);
	node_class_slices_free(c);
	free(c->routes);
	free(c->key);
	free(c);
}

static int take_id(struct policy_plan *p, struct node_class *c)
{
	if (p->free_classes.n) {
		c->id = p->free_classes.v[--p->free_classes.n];
	} else {
		if (plan_room(&p->classes, p->n_classes, &p->cap_classes, sizeof(*p->classes)) < 0)
			return -ENOMEM;
		c->id = p->n_classes++;
	}
	p->classes[c->id] = c;
	return 0;
}

static int fill_class(struct policy_plan *p, struct node_class *c, const struct node_rec *n,
	const struct u32s *atoms)
{
	int rc = 0;

	for (uint32_t i = 0; i < atoms->n && rc == 0; i++)
		rc = u32s_push(&c->atoms, atoms->v[i]);
	c->routes = malloc((n->n_subnets + 1) * sizeof(*c->routes));
	if (!c->routes || rc < 0)
		return -ENOMEM;
	if (n->n_subnets)
		memcpy(c->routes, n->routes, n->n_subnets * sizeof(*c->routes));
	c->n_routes = n->n_subnets;
	c->exit = node_rec_is_exit(n);
	c->tagged = n->n_tags > 0;
	rc = find_sets(p, c);
	if (rc == 0)
		rc = find_extra(p, c);
	if (rc == 0)
		rc = find_sides(p, c);
	if (rc == 0)
		rc = find_vias(p, c);
	for (uint32_t i = 0; i < p->self_rules.n; i++)
		c->self_src |= !c->tagged && node_class_in_set(c, p->rules[p->self_rules.v[i]].src);
	return rc < 0 ? rc : link_class(p, c);
}

static int node_class_new(struct policy_plan *p, const struct node_rec *n, const struct u32s *atoms,
	uint8_t *key, size_t key_len, struct node_class **ret)
{
	struct node_class *c = calloc(1, sizeof(*c));
	int rc;

	if (!c) {
		free(key);
		return -ENOMEM;
	}
	c->key = key;
	c->key_len = key_len;
	rc = take_id(p, c);
	if (rc < 0) {
		node_class_free(c);
		return rc;
	}
	rc = fill_class(p, c, n, atoms);
	if (rc == 0)
		rc = map_insert(&p->class_by_key, &c->node, c->key, c->key_len);
	if (rc < 0) {
		unlink_class(p, c);
		p->classes[c->id] = NULL; /* the id is lost; memory is out anyway */
		node_class_free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

static int join_class(struct policy_plan *p, struct node_class *c, uint32_t slot)
{
	int rc = u32s_push(&c->nodes, slot);

	if (rc < 0)
		return rc;
	p->class_of[slot] = c->id;
	p->pos_in_class[slot] = c->nodes.n - 1;
	return 0;
}

void plan_unplace(struct policy_plan *p, struct node_rec *n)
{
	struct node_class *c = plan_class(p, n);
	uint32_t pos;

	if (!c)
		return;
	pos = p->pos_in_class[n->slot];
	c->nodes.v[pos] = c->nodes.v[--c->nodes.n];
	p->pos_in_class[c->nodes.v[pos]] = pos;
	p->class_of[n->slot] = NONE;
	/* It stays until what happened is told: events name it. */
	if (c->nodes.n == 0 && u32s_push(&p->dying, c->id) < 0)
		p->failed = true;
}

int plan_place(struct policy_plan *p, struct node_rec *n, bool *ret_moved)
{
	struct node_class *before, *c = NULL;
	struct map_node *found;
	size_t key_len;
	uint8_t *key;
	int rc = room_for_nodes(p);

	if (rc == 0)
		rc = plan_node_atoms(p, n, &p->scratch);
	if (rc < 0)
		return rc;
	before = plan_class(p, n);
	key = make_key(n, &p->scratch, &key_len);
	if (!key)
		return -ENOMEM;
	found = map_find(&p->class_by_key, key, key_len);
	if (found) {
		free(key);
		c = container_of(found, struct node_class, node);
	} else {
		rc = node_class_new(p, n, &p->scratch, key, key_len, &c);
	}
	if (rc < 0)
		return rc;
	*ret_moved = c != before;
	if (!*ret_moved)
		return 0;
	plan_unplace(p, n);
	return join_class(p, c, n->slot);
}

int plan_reap(struct policy_plan *p)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->dying.n; i++) {
		struct node_class *c = p->classes[p->dying.v[i]];

		if (!c || c->nodes.n)
			continue;
		unlink_class(p, c);
		map_remove(&p->class_by_key, &c->node);
		p->classes[c->id] = NULL;
		if (u32s_push(&p->free_classes, c->id) < 0)
			rc = -ENOMEM;
		node_class_free(c);
	}
	p->dying.n = 0;
	return rc;
}
