/* Who waits for an answer: bounded together, and for each group. */
#include "core/dns/internal.h"

static struct group *group_find(const struct dns *d, uint64_t id)
{
	struct map_node *n = map_find(&d->groups, &id, sizeof(id));

	return n ? container_of(n, struct group, node) : NULL;
}

bool waiter_fits(struct dns *d, const struct ask *a)
{
	const struct group *g = group_find(d, a->who.group);

	if (d->n_waiters >= DNS_WAITERS_MAX) {
		d->n.refused_busy++;
		return false;
	}
	if (g && g->n >= DNS_GROUP_WAITERS_MAX) {
		d->n.refused_group++;
		return false;
	}
	return true;
}

static struct group *group_make(struct dns *d, uint64_t id)
{
	struct group *g = group_find(d, id);

	if (g || !(g = calloc(1, sizeof(*g))))
		return g;
	g->id = id;
	if (map_insert(&d->groups, &g->node, &g->id, sizeof(g->id)) != 0) {
		free(g);
		return NULL;
	}
	return g;
}

bool waiter_add(struct dns *d, struct job *j, const struct ask *a)
{
	struct group *g = group_make(d, a->who.group);
	struct ask *copy = malloc(sizeof(*copy));

	if (g && copy) {
		*copy = *a;
		list_push_tail(&j->waiters, &copy->link);
		g->n++;
		d->n_waiters++;
		return true;
	}
	if (g && !g->n) {
		map_remove(&d->groups, &g->node);
		free(g);
	}
	free(copy);
	return false;
}

void waiter_drop(struct dns *d, struct ask *a)
{
	struct group *g = group_find(d, a->who.group);

	if (--g->n == 0) {
		map_remove(&d->groups, &g->node);
		free(g);
	}
	d->n_waiters--;
	list_remove(&a->link);
	free(a);
}
