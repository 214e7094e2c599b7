/*
 * core/policy/answer: reduction. Of each rule a class keeps the destinations that concern it: its own
 * addresses, what overlaps its routes, and for an exit node what lies in the internet. Only the
 * addresses differ between nodes of a class.
 */
#include "core/policy/answer/internal.h"

#include "base/vec/vec.h"

#include <errno.h>

/* A slice while it is put together. */
struct slice_writer {
	struct policy_plan *p;
	struct node_class *c;
	struct buf fixed;
	struct port_range *self_ports;
	size_t n_self_ports, cap_self_ports, cap_slices;
};

static int put_entry(struct slice_writer *w, const char *ip, const struct ports *ports)
{
	int rc = 0;

	for (size_t i = 0; i < ports->n && rc == 0; i++)
		rc = buf_printf(&w->fixed, "%s{\"IP\":\"%s\",\"Ports\":{\"First\":%u,\"Last\":%u}}",
			buf_len(&w->fixed) ? "," : "", ip, ports->v[i].first, ports->v[i].last);
	return rc;
}

/* Single addresses are bare, except where a rule has via. */
static int put_prefix_entry(
	struct slice_writer *w, struct ipprefix x, const struct ports *ports, bool with_bits)
{
	char text[IPPREFIX_TEXT_MAX];

	if (x.bits == ipaddr_bits(x.ip) && !with_bits)
		ipaddr_format(x.ip, text);
	else
		ipprefix_format(x, text);
	return put_entry(w, text, ports);
}

static int put_range_entry(struct slice_writer *w, struct iprange r, const struct ports *ports)
{
	char first[IPADDR_TEXT_MAX], last[IPADDR_TEXT_MAX], text[2 * IPADDR_TEXT_MAX];

	snprintf(text, sizeof(text), "%s-%s", ipaddr_format(r.first, first),
		ipaddr_format(r.last, last));
	return put_entry(w, text, ports);
}

static int put_self(struct slice_writer *w, const struct ports *ports)
{
	int rc = 0;

	for (size_t i = 0; i < ports->n && rc == 0; i++) {
		if (w->n_self_ports == w->cap_self_ports)
			rc = vec_grow(
				&w->self_ports, &w->cap_self_ports, sizeof(*w->self_ports), NONE);
		if (rc == 0)
			w->self_ports[w->n_self_ports++] = ports->v[i];
	}
	return rc;
}

static bool in_internet(const struct policy_plan *p, struct ipprefix x)
{
	return ranges_cover(&p->internet, iprange_of(x));
}

static int put_internet(struct slice_writer *w, const struct ports *ports)
{
	int rc = 0;

	for (size_t i = 0; i < w->p->internet.n && rc == 0; i++) {
		bool keep = w->c->exit;

		for (size_t k = 0; k < w->c->n_routes && !keep; k++) {
			struct ranges one = { .v = &w->p->internet.v[i], .n = 1 };

			keep = ranges_overlap(&one, iprange_of(w->c->routes[k]));
		}
		if (keep)
			rc = put_range_entry(w, w->p->internet.v[i], ports);
	}
	return rc;
}

static int put_dst(struct slice_writer *w, uint32_t atom, const struct ports *ports)
{
	const struct atom *a = w->p->atoms[atom];

	if (atom == ATOM_STAR4)
		return put_entry(w, "*", ports);
	if (atom == ATOM_STAR6)
		return 0; /* said with the other */
	if (atom == ATOM_INTERNET)
		return put_internet(w, ports);
	if (a->kind != ATOM_PREFIX)
		return u32s_has(&w->c->atoms, atom) ? put_self(w, ports) : 0;
	if (u32s_has(&w->c->atoms, atom) || node_class_routes_meet(w->c, a->prefix) ||
		(w->c->exit && in_internet(w->p, a->prefix)))
		return put_prefix_entry(w, a->prefix, ports, false);
	return 0;
}

/* The literal destination, where it overlaps a route of the router; not the route. */
static int put_via_dst(struct slice_writer *w, uint32_t atom, const struct ports *ports)
{
	const struct atom *a = w->p->atoms[atom];

	if (atom == ATOM_INTERNET)
		return w->c->exit ? put_internet(w, ports) : 0;
	if (a->kind == ATOM_PREFIX && node_class_routes_meet(w->c, a->prefix))
		return put_prefix_entry(w, a->prefix, ports, true);
	return 0;
}

static int keep_slice(struct slice_writer *w, uint32_t rule, bool self4, bool self6)
{
	struct node_class *c = w->c;
	struct rule_slice *slice;
	int rc;

	if (buf_len(&w->fixed) == 0 && w->n_self_ports == 0 && !self4 && !self6)
		return 0;
	rc = c->n_slices == w->cap_slices
		     ? vec_grow(&c->slices, &w->cap_slices, sizeof(*c->slices), NONE)
		     : 0;
	if (rc < 0)
		return rc;
	slice = &c->slices[c->n_slices];
	*slice = (struct rule_slice){ .rule = rule, .next = NONE, .self4 = self4, .self6 = self6 };
	if (buf_len(&w->fixed)) {
		slice->fixed = strdup(buf_cstr(&w->fixed) ? buf_cstr(&w->fixed) : "");
		if (!slice->fixed)
			return -ENOMEM;
	}
	slice->self_ports = (struct ports){ w->self_ports, w->n_self_ports };
	w->self_ports = NULL;
	w->n_self_ports = w->cap_self_ports = 0;
	c->n_slices++;
	return 0;
}

static int add_port_part(struct slice_writer *w, uint32_t id)
{
	const struct rule *r = &w->p->rules[id];
	const struct addr_set *dst = r->dst == NONE ? NULL : w->p->sets[r->dst];
	int rc = 0;

	buf_clear(&w->fixed);
	w->n_self_ports = 0;
	if (!dst)
		rc = put_self(w, &r->ports); /* autogroup:self */
	for (uint32_t i = 0; dst && i < dst->atoms.n && rc == 0; i++)
		rc = (r->kind == RULE_VIA ? put_via_dst : put_dst)(w, dst->atoms.v[i], &r->ports);
	return rc < 0 ? rc : keep_slice(w, id, false, false);
}

static int put_dsts(struct slice_writer *w, struct ipprefix x)
{
	char text[IPPREFIX_TEXT_MAX];

	if (!node_class_routes_meet(w->c, x))
		return 0;
	return buf_printf(
		&w->fixed, "%s\"%s\"", buf_len(&w->fixed) ? "," : "", ipprefix_format(x, text));
}

/* The prefixes of the tailnet's own range that a route of the class overlaps. */
static int put_star_dsts(struct slice_writer *w)
{
	struct ipprefix *v;
	struct arena a;
	size_t n = 0;
	int rc;

	arena_init(&a, 1 << 16);
	rc = ranges_prefixes(&w->p->star, &a, &v, &n);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_dsts(w, v[i]);
	arena_fini(&a);
	return rc;
}

static int put_cap_atom(
	struct slice_writer *w, const struct addr_set *dst, uint32_t atom, bool *self4, bool *self6)
{
	static const struct ipprefix whole4 = { { 4, { 0 } }, 0 }, whole6 = { { 6, { 0 } }, 0 };
	const struct atom *a = w->p->atoms[atom];
	bool own = u32s_has(&w->c->atoms, atom) && node_class_in_set(w->c, dst->id);
	int rc = 0;

	*self4 |= own && atom != ATOM_STAR6 && (a->kind != ATOM_PREFIX || a->prefix.ip.family == 4);
	*self6 |= own && atom != ATOM_STAR4 && (a->kind != ATOM_PREFIX || a->prefix.ip.family == 6);
	if (dst->postures.n)
		return 0; /* only devices */
	if (a->kind == ATOM_PREFIX)
		rc = put_dsts(w, a->prefix);
	else if (atom == ATOM_STAR4)
		rc = put_star_dsts(w);
	else if (atom == ATOM_ALL)
		rc = put_dsts(w, whole4) < 0 ? -ENOMEM : put_dsts(w, whole6);
	return rc;
}

/* One slice for each selector of the destination: each is a CapGrant of its own. */
static int add_cap_parts(struct slice_writer *w, uint32_t id)
{
	const struct rule *r = &w->p->rules[id];
	const struct addr_set *dst = r->dst == NONE ? NULL : w->p->sets[r->dst];
	uint32_t i = 0;
	int rc = 0;

	buf_clear(&w->fixed);
	if (!dst)
		return keep_slice(w, id, true, true);
	while (i < dst->atoms.n && rc == 0) {
		uint32_t term = dst->terms.v[i];
		bool self4 = false, self6 = false;

		buf_clear(&w->fixed);
		for (; i < dst->atoms.n && dst->terms.v[i] == term && rc == 0; i++)
			rc = put_cap_atom(w, dst, dst->atoms.v[i], &self4, &self6);
		if (rc == 0)
			rc = keep_slice(w, id, self4, self6);
	}
	return rc;
}

/* The rules that may concern the class, in their order. */
static int candidates(const struct policy_plan *p, const struct node_class *c, struct u32s *out)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->sides.n && rc == 0; i++) {
		const struct side *e = p->sides[c->sides.v[i]];

		for (uint32_t k = 0; e->mode != MODE_SRC && k < e->rules.n && rc == 0; k++)
			if (p->rules[e->rules.v[k]].dst_side == c->sides.v[i])
				rc = u32s_push(out, e->rules.v[k]);
	}
	/* An exit node lets out what lies in the internet, though a small piece of it makes nobody
	 * its peer. */
	for (uint32_t i = 0; c->exit && i < p->exit_sides.n && rc == 0; i++)
		for (uint32_t k = 0; k < p->sides[p->exit_sides.v[i]]->rules.n && rc == 0; k++)
			rc = u32s_push(out, p->sides[p->exit_sides.v[i]]->rules.v[k]);
	for (uint32_t i = 0; !c->tagged && i < p->self_rules.n && rc == 0; i++)
		rc = u32s_push(out, p->self_rules.v[i]);
	for (uint32_t i = 0; i < c->vias.n && rc == 0; i++)
		if (!p->rules[c->vias.v[i]].silent)
			rc = u32s_push(out, c->vias.v[i]);
	u32s_sort(out);
	return rc;
}

static bool is_cap(const struct rule *r)
{
	return r->kind == RULE_CAP || r->kind == RULE_SELF_CAP;
}

/* Port rules of one source and protocol become one on the wire, and so do the grants of one
 * capability rule. */
static void chain(struct policy_plan *p, struct node_class *c)
{
	uint32_t mark = ++p->mark;

	for (size_t i = 0; i < c->n_slices; i++) {
		struct rule_slice *slice = &c->slices[i];
		const struct rule *r = &p->rules[slice->rule], *before;
		struct addr_set *src = p->sets[r->src];
		struct rule_slice *last;

		if (is_cap(r)) {
			if (i && c->slices[i - 1].rule == slice->rule) {
				c->slices[i - 1].next = (uint32_t)i;
				slice->follows = true;
			}
			continue;
		}
		last = src->mark == mark ? &c->slices[src->marked_slice] : NULL;
		before = last ? &p->rules[last->rule] : NULL;
		if (before && before->proto == r->proto &&
			(before->dst == NONE) == (r->dst == NONE)) {
			last->next = (uint32_t)i;
			slice->follows = true;
		}
		src->mark = mark;
		src->marked_slice = (uint32_t)i;
	}
}

int node_class_slices(struct policy_plan *p, struct node_class *c)
{
	struct slice_writer w = { .p = p, .c = c };
	struct u32s rules = { 0 };
	int rc;

	if (c->has_slices)
		return 0;
	node_class_slices_free(c);
	buf_init(&w.fixed, POLICY_FILTER_MAX);
	rc = candidates(p, c, &rules);
	for (uint32_t i = 0; i < rules.n && rc == 0; i++)
		rc = (is_cap(&p->rules[rules.v[i]]) ? add_cap_parts : add_port_part)(
			&w, rules.v[i]);
	if (rc == 0)
		chain(p, c);
	c->has_slices = rc == 0;
	free(w.self_ports);
	buf_fini(&w.fixed);
	u32s_fini(&rules);
	return rc;
}
