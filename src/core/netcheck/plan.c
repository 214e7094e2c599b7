#include "core/netcheck/internal.h"

#include <string.h>

enum { FASTEST = 3, TRIES_FULL = 3, TRIES_HOME = 4, TRIES_FAST = 2 };
static const mono_ns retry_first = MSEC(100), retry_later = MSEC(200), retry_slack = MSEC(50);

/* "none" says never; nothing says: perhaps, by its name. */
static bool node_may_have(const struct tc_derp_node *n, uint8_t family)
{
	const char *s = family == 4 ? n->ipv4 : n->ipv6;

	return n->stun_port >= 0 && !(s && !strcmp(s, "none"));
}

static void add_try(struct probe_list *l, const struct region *r, size_t node, mono_ns after)
{
	if (node_may_have(&r->nodes[node], l->family))
		l->tries[l->n_tries++] = (struct probe){ .node = node, .after = after };
}

static size_t plan_full(const struct plan_input *in, struct probe_list *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n_regions; i++) {
		const struct region *r = &in->regions[i];

		if (!r->measured || !r->n_nodes)
			continue;
		for (uint8_t family = 4; family <= 6; family += 2) {
			struct probe_list l = { .region = i, .family = family };

			if (!(family == 4 ? in->have4 : in->have6))
				continue;
			for (size_t t = 0; t < TRIES_FULL; t++)
				add_try(&l, r, t % r->n_nodes,
					(mono_ns)t * (in->first ? retry_first : retry_later));
			if (l.n_tries)
				ret[n++] = l;
		}
	}
	return n;
}

/* By the last round's latency, regions without one last, else in the order of the map. */
static bool comes_before(const struct region *a, const struct region *b)
{
	return a->last.all && (!b->last.all || a->last.all < b->last.all);
}

static size_t sort_regions(const struct plan_input *in, size_t ret[static NETCHECK_REGIONS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < in->n_regions; i++) {
		const struct region *r = &in->regions[i];
		size_t at = n;

		if (!r->measured || !r->n_nodes || (r->avoid && r->id != in->home))
			continue;
		while (at && comes_before(r, &in->regions[ret[at - 1]])) {
			ret[at] = ret[at - 1];
			at--;
		}
		ret[at] = i;
		n++;
	}
	return n;
}

static void plan_region(
	const struct plan_input *in, const struct region *r, size_t rank, struct probe_list *l)
{
	bool home = r->id == in->home;
	size_t tries = home ? TRIES_HOME : rank < 2 ? TRIES_FAST : 1;
	mono_ns gap = r->last.all ? r->last.all * 12 / 10 : retry_later;

	for (size_t t = 0; t < tries; t++) {
		if (l->family == 6 && t && !in->last6)
			break;
		add_try(l, r, t % r->n_nodes,
			(mono_ns)t * gap + (t > 1 ? (mono_ns)t * retry_slack : 0));
	}
}

/* Families that the third and later regions are not worth. */
static bool skip_family(
	const struct plan_input *in, const struct region *r, size_t rank, uint8_t family)
{
	if (rank < 2 || r->id == in->home)
		return false;
	if (!in->last6)
		return family == 6;
	return in->have6 && (rank % 2 == 0) == (family == 6);
}

static size_t plan_incremental(const struct plan_input *in, struct probe_list *ret)
{
	size_t order[NETCHECK_REGIONS_MAX], n_order = sort_regions(in, order), n = 0;

	for (size_t rank = 0; rank < n_order; rank++) {
		const struct region *r = &in->regions[order[rank]];

		if (rank >= FASTEST && r->id != in->home)
			continue;
		for (uint8_t family = 4; family <= 6; family += 2) {
			struct probe_list l = { .region = order[rank], .family = family };

			if (!(family == 4 ? in->have4 : in->have6) ||
				skip_family(in, r, rank, family))
				continue;
			plan_region(in, r, rank, &l);
			if (l.n_tries)
				ret[n++] = l;
		}
	}
	return n;
}

size_t plan_make(const struct plan_input *in, struct probe_list *ret)
{
	return in->full ? plan_full(in, ret) : plan_incremental(in, ret);
}
