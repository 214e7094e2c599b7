/* POST /machine/map: what the device says goes to intake, and then it listens. */
#include "core/coord/mapper/internal.h"

#include <errno.h>

enum { REQUEST_MEM_MAX = 4 << 20 };

static int refuse(struct tailnet *c, void *owner, int status, const char *text)
{
	c->stats.bad_requests++;
	tailnet_tell_refusal(c, "a map request is refused", "", text);
	c->cfg.on_answer(owner, status, "text/plain; charset=utf-8", view_of(text, strlen(text)));
	return 1;
}

static struct map_session *session_for(
	struct tailnet *c, const struct tc_map_request *r, struct coord_node *n, void *owner)
{
	bool raw = !r->compress || strcmp(r->compress, "zstd") != 0;

	return map_session_new(c, clone_process(r), raw, n, owner);
}

/* A request for one map: it is nobody's stream, and a device that does not read them keeps few. 1: refused. */

static int once_begin(struct tailnet *c, const struct tc_map_request *r, struct coord_node *n,
	void *owner, struct map_session **ret)
{
	struct map_session *p;

	if (n->n_once >= COORD_ONCE_MAX)
		return refuse(c, owner, 429, "too many maps asked for at once\n");
	p = session_for(c, r, NULL, owner);
	if (!p)
		return -ENOMEM;
	p->once_of = n->doc.id;
	n->n_once++;
	map_session_restart(p);
	*ret = p;
	return 0;
}

/* The new stream supersedes the old one; those that wait behind it wait on. */
static void session_begin(struct map_session *p, struct now now)
{
	struct coord_node *n = p->node;

	p->ask_at = now.mono + COORD_ASK;
	map_session_restart(p);
	list_remove(&p->in_node);
	list_push_head(&n->sessions, &p->in_node);
	list_for_each_safe(l, &n->sessions) {
		struct map_session *q = container_of(l, struct map_session, in_node);

		if (q != p && (!q->waits || q->process == p->process))
			map_session_end(q);
	}
	n->process = p->process;
	presence_begin(p->tailnet, n, now);
	if (n->watched)
		map_session_watch(p);
}

static void take_over(struct map_session *p, struct now now)
{
	struct tc_map_request r;
	struct arena mem;
	int rc;

	arena_init(&mem, REQUEST_MEM_MAX);
	rc = json_decode(&tc_map_request_type, p->request, p->request_len, &r, &mem, NULL);
	if (rc == 0 && !r.read_only)
		rc = say(p->tailnet, p->node, &r, &mem, now);
	arena_fini(&mem);
	map_session_forget_turn(p);
	if (rc < 0)
		map_session_end(p);
	else
		session_begin(p, now);
}

void map_request_tick(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	while ((h = heap_pop_due(&c->mapper->turns, now.mono)))
		take_over(container_of(h, struct map_session, turn), now);
}

/* 1: refused. */
static int stream_begin(struct tailnet *c, struct coord_node *n, const struct tc_map_request *r,
	struct view body, mono_ns wait, void *owner, struct now now, struct map_session **ret)
{
	struct map_session *p = session_for(c, r, n, owner);
	int rc = 0;

	if (!p)
		return -ENOMEM;
	if (wait)
		rc = clone_wait(p, body, now.mono + wait);
	else
		session_begin(p, now);
	if (rc < 0) {
		p->node = NULL;
		map_session_close(p, now);
		return rc == -ERR_TOO_MANY
			       ? refuse(c, owner, 429,
					 "too many devices run with this device's identity\n")
			       : rc;
	}
	*ret = p;
	return 0;
}

int coord_map(struct tailnet *c, const struct machine_pub *machine, struct view body, void *owner,
	struct now now, struct map_session **ret)
{
	struct tc_map_request r;
	char why[sizeof(((struct err_at *)0)->text) + 32];
	struct err_at at;
	struct arena mem;
	struct coord_node *n;
	mono_ns wait;
	int rc;

	arena_init(&mem, REQUEST_MEM_MAX);
	if (json_decode(&tc_map_request_type, body.p, body.len, &r, &mem, &at) < 0) {
		arena_fini(&mem);
		snprintf(why, sizeof(why), "malformed map request: %s\n", at.text);
		return refuse(c, owner, 400, why);
	}
	map_news_settle(c, now); /* streams that are to end are not the one that begins */
	n = policy_sync_node_that_asks(c, &r.node_key, now);
	if (!n || memcmp(n->doc.machine.b, machine->b, KEY_LEN) != 0) {
		arena_fini(&mem);
		return refuse(c, owner, 404, "node not found\n");
	}
	c->stats.expired_asks += n->expired;
	if (r.version < COORD_CAP_MIN) {
		arena_fini(&mem);
		return refuse(c, owner, 400,
			"this client is too old for this server; please update it\n");
	}
	/* Never a lite update: it would keep the device's endpoints from its peers. */
	if ((r.stream || !r.omit_peers) && shed(c, &c->mapper->shed, owner, now)) {
		arena_fini(&mem);
		return 1;
	}
	wait = r.stream ? clone_arrives(c, n, clone_process(&r), now) : 0;
	rc = r.read_only || !clone_may_speak(c, n, clone_process(&r), now)
		     ? 0
		     : say(c, n, &r, &mem, now);
	if (rc == -EAGAIN) {
		rc = refuse(c, owner, 503, coord_store_refusal(c->cfg.store));
	} else if (rc == 0 && !r.stream && r.omit_peers) {
		c->stats.lite_updates++;
		c->cfg.on_answer(owner, 200, "application/json", view_of("", 0));
		rc = 1;
	} else if (rc == 0) {
		rc = r.stream ? stream_begin(c, n, &r, body, wait, owner, now, ret)
			      : once_begin(c, &r, n, owner, ret);
	}
	arena_fini(&mem);
	return rc < 0 ? refuse(c, owner, 500, "out of memory\n") : rc;
}

void map_session_close(struct map_session *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct coord_node *n = p->node;

	map_session_free(p);
	if (n && list_empty(&n->sessions))
		presence_start_offline_grace(c, n, now);
	else if (n)
		map_session_next_turn(n);
}
