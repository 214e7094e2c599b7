/* core/policy/answer: what another document would change, node by node. */
#include "core/policy/answer/internal.h"

#include <errno.h>

struct outcome {
	struct policy_plan *p;
	struct buf filter, ssh;
	struct u32s peers; /* slots, sorted */
};

static int note_peer(void *ctx, int64_t id)
{
	struct outcome *s = ctx;

	return u32s_push(&s->peers, directory_node(s->p->directory, id)->slot);
}

static int look(struct outcome *s, int64_t node)
{
	int rc;

	buf_clear(&s->filter);
	buf_clear(&s->ssh);
	s->peers.n = 0;
	rc = policy_filter(s->p, node, &s->filter);
	if (rc == 0)
		rc = policy_ssh(s->p, node, "https://unused/", &s->ssh);
	if (rc >= 0)
		rc = policy_peers(s->p, node, note_peer, s);
	u32s_sort(&s->peers);
	return rc;
}

static void compare(const struct outcome *a, const struct outcome *b, struct policy_change *c)
{
	uint32_t i = 0, k = 0;

	if (!view_eq(buf_view(&a->filter), buf_view(&b->filter)))
		c->what |= POLICY_TOUCHED_FILTER;
	if (!view_eq(buf_view(&a->ssh), buf_view(&b->ssh)))
		c->what |= POLICY_TOUCHED_SSH;
	while (i < a->peers.n || k < b->peers.n) {
		if (k == b->peers.n || (i < a->peers.n && a->peers.v[i] < b->peers.v[k])) {
			c->peers_lost++;
			i++;
		} else if (i == a->peers.n || b->peers.v[k] < a->peers.v[i]) {
			c->peers_gained++;
			k++;
		} else {
			i++;
			k++;
		}
	}
	if (c->peers_gained || c->peers_lost)
		c->what |= POLICY_TOUCHED_PEER;
}

int policy_preview(struct policy_plan *now, struct policy_plan *next,
	void (*fn)(void *ctx, const struct policy_change *c), void *ctx)
{
	struct outcome a = { .p = now }, b = { .p = next };
	int rc = 0;

	buf_init(&a.filter, POLICY_FILTER_MAX);
	buf_init(&b.filter, POLICY_FILTER_MAX);
	buf_init(&a.ssh, POLICY_FILTER_MAX);
	buf_init(&b.ssh, POLICY_FILTER_MAX);
	for (uint32_t i = 0; i < now->directory->n_node_slots && rc >= 0; i++) {
		struct policy_change c = { 0 };

		if (!now->directory->node_at[i])
			continue;
		c.node = now->directory->node_at[i]->id;
		rc = look(&a, c.node);
		if (rc >= 0)
			rc = look(&b, c.node);
		if (rc < 0)
			break;
		compare(&a, &b, &c);
		if (c.what)
			fn(ctx, &c);
	}
	buf_fini(&a.filter);
	buf_fini(&b.filter);
	buf_fini(&a.ssh);
	buf_fini(&b.ssh);
	u32s_fini(&a.peers);
	u32s_fini(&b.peers);
	return rc < 0 ? rc : 0;
}
