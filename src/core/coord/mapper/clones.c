/*
 * Two devices with one identity: a state directory was copied with its disk, and both copies run. Each takes the stream from
 * the other, for ever. A process is known by what it draws at its start (disco key, connection handle). That two of them live
 * shows when one comes back after another took its stream: a device that restarts never comes back as who it was, and one
 * that roams is the same process all the time.
 *
 * From the third return on both are told, and who comes waits ever longer for its turn while the other one keeps the stream.
 */
#include "core/coord/mapper/internal.h"

#include <errno.h>

enum { FORMER_MAX = 32, RETURNS = 3, WAITING_MAX = 4 };

#define WAIT_MAX SEC(30) /* clients wait 120 s for a stream's first word */

#define CLEAR_AFTER SEC(60) /* without a sign of the other one; clients come back within 45 s */

struct rivals {
	struct heap_node clear; /* in mapper.rivals */
	struct coord_node *node;
	uint64_t former[FORMER_MAX]; /* who lost the stream to another process; 0: nobody */
	size_t next_former;
	unsigned returns;
	bool duplicate;
};

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 1099511628211u;
	return h;
}

uint64_t clone_process(const struct tc_map_request *r)
{
	uint64_t h = 1469598103934665603u;
	bool known = !key_is_zero(r->disco_key.b);

	if (known)
		h = mix(h, r->disco_key.b, KEY_LEN);
	if (r->connection_handle && *r->connection_handle) {
		h = mix(h, r->connection_handle, strlen(r->connection_handle));
		known = true;
	}
	return known ? h : 0;
}

bool clones_is_duplicate(const struct coord_node *n)
{
	return n->rivals && n->rivals->duplicate;
}

static bool is_another(const struct coord_node *n, uint64_t process)
{
	return process && n->process && process != n->process && !list_empty(&n->sessions);
}

static void set_duplicate(struct tailnet *c, struct rivals *r, bool duplicate, struct now now)
{
	if (r->duplicate == duplicate)
		return;
	r->duplicate = duplicate;
	c->stats.duplicates += duplicate ? 1 : (size_t)-1;
	tailnet_tell(c, duplicate ? COORD_DEVICE_DUPLICATED : COORD_DEVICE_SINGLE, r->node);
	tailnet_note(c, r->node, NEWS_HEALTH, now);
}

void clones_forget(struct tailnet *c, struct coord_node *n)
{
	if (!n->rivals)
		return;
	c->stats.duplicates -= n->rivals->duplicate;
	heap_remove(&c->mapper->rivals, &n->rivals->clear);
	free(n->rivals);
	n->rivals = NULL;
}

/* The other one has shown itself. NULL: no memory, and all goes on as without. */
static struct rivals *rivals_seen(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (!n->rivals) {
		n->rivals = calloc(1, sizeof(*n->rivals));
		if (!n->rivals)
			return NULL;
		n->rivals->node = n;
	}
	if (heap_set(&c->mapper->rivals, &n->rivals->clear, now.mono + CLEAR_AFTER) < 0) {
		clones_forget(c, n);
		return NULL;
	}
	return n->rivals;
}

static bool was_here(const struct rivals *r, uint64_t process)
{
	for (size_t i = 0; i < FORMER_MAX; i++)
		if (r->former[i] == process)
			return true;
	return false;
}

bool clone_may_speak(struct tailnet *c, struct coord_node *n, uint64_t process, struct now now)
{
	if (!clones_is_duplicate(n) || !is_another(n, process))
		return true;
	(void)rivals_seen(c, n, now);
	return false;
}

mono_ns clone_arrives(struct tailnet *c, struct coord_node *n, uint64_t process, struct now now)
{
	struct rivals *r = is_another(n, process) ? rivals_seen(c, n, now) : NULL;
	unsigned beyond;

	if (!r)
		return 0;
	if (was_here(r, process))
		r->returns++;
	if (!was_here(r, n->process)) {
		r->former[r->next_former] = n->process;
		r->next_former = (r->next_former + 1) % FORMER_MAX;
	}
	if (r->returns < RETURNS)
		return 0;
	set_duplicate(c, r, true, now);
	beyond = MIN_OF(r->returns - RETURNS, 16u);
	return mono_min(SEC(2) << beyond, WAIT_MAX);
}

/* Waiting */

int clone_wait(struct map_session *p, struct view request, mono_ns until)
{
	struct tailnet *c = p->tailnet;
	size_t n_waiting = 0;
	int rc;

	list_for_each_safe(l, &p->node->sessions) {
		struct map_session *q = container_of(l, struct map_session, in_node);

		if (q->waits && q->process == p->process)
			map_session_end(q); /* it asks anew */
		else
			n_waiting += q->waits;
	}
	if (n_waiting >= WAITING_MAX)
		return -ERR_TOO_MANY;
	p->request = malloc(request.len);
	if (!p->request)
		return -ENOMEM;
	memcpy(p->request, request.p, request.len);
	p->request_len = request.len;
	rc = heap_set(&c->mapper->turns, &p->turn, until);
	if (rc < 0)
		return rc;
	p->waits = true;
	list_push_tail(&p->node->sessions, &p->in_node);
	c->stats.waited++;
	return 0;
}

static bool somebody_waits(const struct coord_node *n)
{
	list_for_each(l, &n->sessions)
		if (container_of(l, struct map_session, in_node)->waits)
			return true;
	return false;
}

void clones_tick(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	while ((h = heap_pop_due(&c->mapper->rivals, now.mono))) {
		struct rivals *r = container_of(h, struct rivals, clear);

		if (somebody_waits(r->node) && rivals_seen(c, r->node, now))
			continue;
		set_duplicate(c, r, false, now);
		clones_forget(c, r->node);
	}
}

bool coord_node_duplicate(const struct tailnet *c, int64_t id)
{
	const struct coord_node *n = coord_node_by_id(c, id);

	return n && clones_is_duplicate(n);
}
