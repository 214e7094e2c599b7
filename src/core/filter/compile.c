/*
 * The line of destinations is cut where a rule's destination or a local prefix begins or ends; over
 * each local piece lies a set of rules, its class. For each class the line of sources is cut the
 * same way; over each piece lies a set of sources, and that gives what they may do: the permission.
 * Classes and permissions with the same set are made once.
 *
 * A class whose table would become too large is scanned instead, rule by rule.
 */
#include "core/filter/rules.h"
#include "base/err/err.h"
#include "base/map/map.h"
#include "base/vec/vec.h"

#include <errno.h>

/* Sets that were seen, by their hash, and the number each got. */
struct seen_set {
	struct seen_set *next;
	struct map_node node;
	uint64_t hash[2];
	uint32_t value;
};
struct seen {
	struct map map;
	struct seen_set *all;
};

static void seen_init(struct seen *s)
{
	static const uint8_t seed[16];

	*s = (struct seen){ 0 };
	map_init(&s->map, seed); /* the keys are hashes already */
}

static void seen_fini(struct seen *s)
{
	while (s->all) {
		struct seen_set *next = s->all->next;

		free(s->all);
		s->all = next;
	}
	map_fini(&s->map);
}

static struct seen_set *seen_find(const struct seen *s, const struct sweep *w)
{
	struct map_node *n = map_find(&s->map, w->hash, sizeof(w->hash));

	return n ? container_of(n, struct seen_set, node) : NULL;
}

static int seen_add(struct seen *s, const struct sweep *w, uint32_t value)
{
	struct seen_set *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	memcpy(e->hash, w->hash, sizeof(e->hash));
	e->value = value;
	e->next = s->all;
	s->all = e;
	return map_insert(&s->map, &e->node, e->hash, sizeof(e->hash)) < 0 ? -ENOMEM : 0;
}

/* -ERR_TOO_BIG: that would be more than the table may take. */
static int spend(struct filter_rules *r, size_t cells)
{
	if (cells > FILTER_TABLE_MAX - r->n_cells)
		return -ERR_TOO_BIG;
	r->n_cells += cells;
	return 0;
}

static int add_ports(struct table *t, struct ports p)
{
	int rc = t->n_ports == t->max_ports
			 ? vec_grow(&t->ports, &t->max_ports, sizeof(*t->ports), NUMBERS)
			 : 0;

	if (rc < 0)
		return rc;
	t->ports[t->n_ports++] = p;
	return 0;
}

static int by_first_port(const void *a, const void *b)
{
	return (int)((const struct ports *)a)->first - (int)((const struct ports *)b)->first;
}

/* Sorts and joins the ports from `begin` to the end; returns how many stay. */
static uint32_t merge_ports(struct table *t, size_t begin)
{
	size_t n = begin;

	if (t->n_ports > begin)
		qsort(t->ports + begin, t->n_ports - begin, sizeof(*t->ports), by_first_port);
	for (size_t i = begin; i < t->n_ports; i++) {
		struct ports *prev = n > begin ? &t->ports[n - 1] : NULL, p = t->ports[i];

		if (prev && p.first <= (unsigned)prev->last + 1)
			prev->last = MAX_OF(prev->last, p.last);
		else
			t->ports[n++] = p;
	}
	t->n_ports = n;
	return (uint32_t)(n - begin);
}

/* The rules of a class, each with its destinations there. */
struct member {
	uint32_t rule, dst, n_dst; /* dst: in `dsts` */
};
struct members {
	struct member *v;
	size_t n;
	const uint32_t *dsts; /* numbers into rules->dst[family], in order of their rules */
};

/* A source of a class: the member's rule, by its addresses or by capability. */
static uint32_t source_id(size_t member, bool by_cap)
{
	return (uint32_t)(member * 2 + by_cap);
}

static const uint8_t with_ports[N_WITH_PORTS] = { IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_SCTP };

static int perm_ports(struct filter_rules *r, int f, const struct members *m, const struct sweep *w,
	int which, struct perm *p)
{
	struct table *t = &r->table[f];
	size_t begin = t->n_ports;
	int rc = 0;

	for (size_t i = 0; i < w->n_active; i++) {
		const struct member *x = &m->v[w->active[i] / 2];

		if (!protos_have(&r->rules[x->rule].protos, with_ports[which]))
			continue;
		rc = spend(r, x->n_dst);
		for (uint32_t k = 0; k < x->n_dst && rc == 0; k++) {
			struct ports ports = r->dst[f][m->dsts[x->dst + k]].ports;

			if (ports.first <= ports.last)
				rc = add_ports(t, ports);
		}
		if (rc < 0)
			return rc;
	}
	p->ports[which] = (uint32_t)begin;
	p->n_ports[which] = merge_ports(t, begin);
	return 0;
}

static void perm_other(const struct filter_rules *r, int f, const struct members *m,
	const struct member *x, struct perm *p)
{
	p->any = true;
	for (uint32_t k = 0; k < x->n_dst; k++) {
		struct ports ports = r->dst[f][m->dsts[x->dst + k]].ports;

		if (ports.first == 0 && ports.last == UINT16_MAX)
			for (int i = 0; i < 4; i++)
				p->other.bits[i] |= r->rules[x->rule].protos.bits[i];
	}
}

static int room_for_perm(struct table *t)
{
	return t->n_perms == t->max_perms
		       ? vec_grow(&t->perms, &t->max_perms, sizeof(*t->perms), NUMBERS)
		       : 0;
}

static int new_perm(struct filter_rules *r, int f, const struct members *m, const struct sweep *w,
	uint32_t *ret)
{
	struct table *t = &r->table[f];
	struct perm p = { 0 };
	int rc = room_for_perm(t);

	if (rc == 0)
		rc = spend(r, 1 + w->n_active);
	for (int i = 0; i < N_WITH_PORTS && rc == 0; i++)
		rc = perm_ports(r, f, m, w, i, &p);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < w->n_active; i++)
		if (w->active[i] % 2 == 0) /* by address */
			perm_other(r, f, m, &m->v[w->active[i] / 2], &p);
	*ret = (uint32_t)t->n_perms;
	t->perms[t->n_perms++] = p;
	return 0;
}

static int add_sources(struct filter_rules *r, int f, const struct members *m, struct sweep *w)
{
	int rc = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct rule *x = &r->rules[m->v[i].rule];

		rc = spend(r, x->src[f].n + x->cap_src[f].n);
		for (size_t k = 0; k < x->src[f].n && rc == 0; k++)
			rc = sweep_add(w, x->src[f].v[k], source_id(i, false));
		for (size_t k = 0; k < x->cap_src[f].n && rc == 0; k++)
			rc = sweep_add(w, x->cap_src[f].v[k], source_id(i, true));
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int sweep_sources(struct filter_rules *r, int f, const struct members *m, struct sweep *w,
	struct seen *seen, struct pieces *out)
{
	int rc = add_sources(r, f, m, w);

	if (rc == 0)
		rc = pieces_add(out, (struct akey){ 0, 0 }, 0);
	sweep_begin(w);
	while (rc == 0 && sweep_next(w)) {
		struct seen_set *e = seen_find(seen, w);
		uint32_t perm = 0;

		if (e) {
			perm = e->value;
		} else if (w->n_active) {
			rc = new_perm(r, f, m, w, &perm);
			if (rc == 0)
				rc = seen_add(seen, w, perm);
		}
		if (rc == 0)
			rc = pieces_add(out, w->here, perm);
	}
	return rc;
}

/* Fills c->src. -ERR_TOO_BIG: it is to be scanned; what the table had before is as it was. */
static int compile_class(struct filter_rules *r, int f, const struct members *m, struct class *c)
{
	struct table *t = &r->table[f];
	size_t n_perms = t->n_perms, n_ports = t->n_ports, n_cells = r->n_cells;
	struct sweep w;
	struct seen seen;
	int rc = sweep_init(&w, m->n * 2);

	seen_init(&seen);
	if (rc == 0)
		rc = sweep_sources(r, f, m, &w, &seen, &c->src);
	if (rc < 0) {
		pieces_fini(&c->src);
		t->n_perms = n_perms;
		t->n_ports = n_ports;
		r->n_cells = n_cells;
	}
	seen_fini(&seen);
	sweep_fini(&w);
	return rc;
}

static int add_scan(struct filter_rules *r, int f, const uint32_t *dsts, size_t n, struct class *c)
{
	struct table *t = &r->table[f];

	c->scan = true;
	c->dst = (uint32_t)t->n_scan;
	c->n_dst = (uint32_t)n;
	r->n_scanned++;
	for (size_t i = 0; i < n; i++) {
		int rc = t->n_scan == t->max_scan
				 ? vec_grow(&t->scan, &t->max_scan, sizeof(*t->scan), NUMBERS)
				 : 0;

		if (rc < 0)
			return rc;
		t->scan[t->n_scan++] = dsts[i];
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* dsts: numbers into r->dst[f]; sorted here, and so by rule. v: room for n. */
static void group_by_rule(
	const struct filter_rules *r, int f, uint32_t *dsts, size_t n, struct members *m)
{
	if (n)
		qsort(dsts, n, sizeof(*dsts), by_number);
	m->n = 0;
	m->dsts = dsts;
	for (size_t i = 0; i < n; i++) {
		uint32_t rule = r->dst[f][dsts[i]].rule;

		if (!m->n || m->v[m->n - 1].rule != rule)
			m->v[m->n++] = (struct member){ .rule = rule, .dst = (uint32_t)i };
		m->v[m->n - 1].n_dst++;
	}
}

static int new_class(
	struct filter_rules *r, int f, uint32_t *dsts, size_t n, bool scan, uint32_t *ret)
{
	struct table *t = &r->table[f];
	struct class c = { 0 };
	struct members m = { .v = calloc(n + 1, sizeof(*m.v)) };
	int rc = m.v ? 0 : -ENOMEM;

	if (rc == 0 && t->n_classes == t->max_classes)
		rc = vec_grow(&t->classes, &t->max_classes, sizeof(*t->classes), NUMBERS);
	if (rc == 0) {
		group_by_rule(r, f, dsts, n, &m);
		rc = scan ? -ERR_TOO_BIG : compile_class(r, f, &m, &c);
	}
	if (rc == -ERR_TOO_BIG)
		rc = add_scan(r, f, dsts, n, &c);
	free(m.v);
	if (rc < 0) {
		pieces_fini(&c.src);
		return rc;
	}
	*ret = (uint32_t)t->n_classes;
	t->classes[t->n_classes++] = c;
	return 0;
}

/* The numbers of the destinations that lie over the current piece. Number 0 of the sweep is
 * "local". */
static int class_here(struct filter_rules *r, int f, const struct sweep *w, uint32_t *ret)
{
	uint32_t *dsts = calloc(w->n_active + 1, sizeof(*dsts));
	size_t n = 0;
	int rc = dsts ? spend(r, w->n_active) : -ENOMEM;

	for (size_t i = 0; i < w->n_active && rc == 0; i++)
		if (w->active[i] > 0)
			dsts[n++] = w->active[i] - 1;
	if (rc == 0)
		rc = new_class(r, f, dsts, n, false, ret);
	free(dsts);
	return rc;
}

static int sweep_dsts(struct filter_rules *r, int f, struct sweep *w, struct seen *seen)
{
	struct table *t = &r->table[f];
	int rc = pieces_add(&t->dst, (struct akey){ 0, 0 }, CLASS_NOT_LOCAL);

	sweep_begin(w);
	while (rc == 0 && sweep_next(w)) {
		struct seen_set *e = seen_find(seen, w);
		uint32_t class = CLASS_NOT_LOCAL;

		if (e) {
			class = e->value;
		} else if (sweep_is_active(w, 0)) {
			rc = class_here(r, f, w, &class);
			if (rc == 0)
				rc = seen_add(seen, w, class);
		}
		if (rc == 0)
			rc = pieces_add(&t->dst, w->here, class);
	}
	return rc;
}

static int compile_family(struct filter_rules *r, int f, size_t n_dst)
{
	struct table *t = &r->table[f];
	struct sweep w;
	struct seen seen;
	int rc = sweep_init(&w, n_dst + 1);

	seen_init(&seen);
	if (rc == 0)
		rc = room_for_perm(t);
	if (rc == 0)
		t->perms[t->n_perms++] = (struct perm){ 0 };
	for (size_t i = 0; i < r->local[f].n && rc == 0; i++)
		rc = sweep_add(&w, r->local[f].v[i], 0);
	for (size_t i = 0; i < n_dst && rc == 0; i++)
		if (spans_overlap(&r->local[f], r->dst[f][i].span))
			rc = sweep_add(&w, r->dst[f][i].span, (uint32_t)i + 1);
	if (rc == 0)
		rc = sweep_dsts(r, f, &w, &seen);
	seen_fini(&seen);
	sweep_fini(&w);
	return rc;
}

/* Even the destinations are too many: one class for all that is local, and every rule is scanned
 * for it. */
static int scan_family(struct filter_rules *r, int f)
{
	uint32_t *all = calloc(r->n_dst[f] + 1, sizeof(*all)), class;
	int rc = all ? 0 : -ENOMEM;

	table_fini(&r->table[f]);
	if (rc == 0)
		rc = compile_family(r, f, 0);
	for (size_t i = 0; i < r->n_dst[f] && rc == 0; i++)
		all[i] = (uint32_t)i;
	if (rc == 0)
		rc = new_class(r, f, all, r->n_dst[f], true, &class);
	for (size_t i = 0; i < r->table[f].dst.n && rc == 0; i++)
		if (r->table[f].dst.value[i] != CLASS_NOT_LOCAL)
			r->table[f].dst.value[i] = class;
	free(all);
	return rc;
}

/* Sources by capability may ping, whatever their rules' destinations are, if there is one in this
 * family. */
static int cap_sources(struct filter_rules *r, int f)
{
	struct spans *out = &r->table[f].cap_src;
	int rc = 0;

	for (size_t i = 0; i < r->n_dst[f]; i++) {
		const struct spans *src = &r->rules[r->dst[f][i].rule].cap_src[f];

		if (i && r->dst[f][i].rule == r->dst[f][i - 1].rule)
			continue;
		for (size_t k = 0; k < src->n && rc == 0; k++)
			rc = spans_add(out, src->v[k]);
	}
	spans_merge(out);
	return rc;
}

int filter_rules_compile(struct filter_rules *r)
{
	int rc = 0;

	for (int f = 0; f < N_FAMILIES && rc == 0; f++) {
		size_t cells = r->n_cells, scanned = r->n_scanned;

		rc = compile_family(r, f, r->n_dst[f]);
		if (rc == -ERR_TOO_BIG) {
			r->n_cells = cells;
			r->n_scanned = scanned;
			rc = scan_family(r, f);
		}
		if (rc == 0)
			rc = cap_sources(r, f);
	}
	return rc;
}

void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->n_classes; i++)
		pieces_fini(&t->classes[i].src);
	pieces_fini(&t->dst);
	spans_fini(&t->cap_src);
	free(t->classes);
	free(t->perms);
	free(t->ports);
	free(t->scan);
	*t = (struct table){ 0 };
}
