/*
 *	IDLE --resolver_want--> WORKING: look for the manager --> tell it --> SET ----resolver_want(empty)----> WORKING --> IDLE
 *	                                                           |  ^        '-- others rewrite twice --> YIELDED
 *	                                                           v  '-- the next want, a change of the network
 *	                                                         FAILED
 */
#include "os/resolver/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { WANT_MEM = 1 << 20, BASE_MEM = 64 << 10 };
#define RETRY_MIN SEC(1) /* a link that was just made is not known everywhere yet */
#define RETRY_MAX SEC(64)
#define CLOSE_TIMEOUT SEC(12) /* more than a program may take */

static void tell_now(void *ctx)
{
	struct resolver *r = ctx;

	loop_timer_set(r->tell, MONO_NEVER);
	if (r->cfg.changed && !r->closing)
		r->cfg.changed(r->cfg.ctx);
}

static void enter(struct resolver *r, enum resolver_state s, int rc)
{
	if (s != r->state)
		r->since = loop_now(r->cfg.loop).wall;
	r->state = s;
	r->rc = rc;
	if (s == RESOLVER_SET || s == RESOLVER_IDLE)
		r->retry_after = RETRY_MIN;
}

static void retry_later(struct resolver *r)
{
	loop_timer_set(r->retry, mono_add(loop_now(r->cfg.loop).mono, r->retry_after));
	r->retry_after = MIN_OF(2 * r->retry_after, RETRY_MAX);
}

static void go(struct resolver *r);
static void again(struct resolver *r);

static void on_retry(void *ctx)
{
	struct resolver *r = ctx;

	loop_timer_set(r->retry, MONO_NEVER);
	if (r->state == RESOLVER_FAILED)
		again(r);
}

static bool is_wanted(const struct resolver *r)
{
	return !os_dns_config_is_empty(&r->whole);
}

static void told(struct resolver *r, enum resolver_state s, int rc)
{
	r->busy = false;
	if (s == RESOLVER_SET && !is_wanted(r))
		s = RESOLVER_IDLE;
	enter(r, s, rc);
	if (s == RESOLVER_FAILED && !r->closing)
		retry_later(r);
	if (s == RESOLVER_IDLE) {
		if (r->ops)
			r->ops->forget(r);
		r->ops = NULL; /* the next time it is looked anew who it is */
		r->manager = RESOLVER_NOBODY;
		r->why = "";
	}
	resolver_read_base(r);
	resolver_tell(r);
	if (r->again)
		go(r);
	if (r->closing && !r->busy)
		loop_stop(r->cfg.loop);
}

static void sync_now(struct resolver *r)
{
	struct resolver_result result;

	r->busy = true;
	if (r->state != RESOLVER_YIELDED)
		enter(r, RESOLVER_WORKING, 0);
	r->done = false; /* what came before counts no more */
	resolver_select(r);
	if (r->ops->sync(r, &result))
		told(r, result.state, result.rc);
}

static void on_settle(void *ctx)
{
	struct resolver *r = ctx;
	bool once_more = r->once_more;

	loop_timer_set(r->settle, MONO_NEVER);
	r->once_more = false;
	if (r->done) {
		r->done = false;
		told(r, r->result.state, r->result.rc);
	}
	if (once_more && !r->closing)
		again(r);
}

static void looked(struct resolver *r)
{
	static const struct resolver_ops *const ops[] = {
		[RESOLVER_FILE] = &resolver_file_ops,
		[RESOLVER_NETWORKMANAGER] = &resolver_file_ops,
		[RESOLVER_DEBIAN_RESOLVCONF] = &resolver_program_ops,
		[RESOLVER_OPENRESOLV] = &resolver_program_ops,
		[RESOLVER_RESOLVED] = &resolver_resolved_ops,
	};

	r->looking = r->again = false;
	r->manager = resolver_choose(r->cfg.choice, &r->facts, &r->why);
	r->ops = ops[r->manager];
	if (r->manager != RESOLVER_RESOLVED)
		r->bus = dbus_close(r->bus);
	if (r->ops && is_wanted(r)) {
		sync_now(r);
		return;
	}
	r->ops = NULL;
	enter(r, RESOLVER_IDLE, 0);
	resolver_read_base(r);
	resolver_tell(r);
}

static void go(struct resolver *r)
{
	r->again = r->looking || r->busy;
	if (r->again)
		return;
	if (r->ops && r->state == RESOLVER_FAILED && is_wanted(r)) {
		r->ops->forget(r); /* another one may manage by now */
		r->ops = NULL;
	}
	if (r->ops) {
		sync_now(r);
	} else if (is_wanted(r)) {
		r->overwritten = 0;
		r->looking = true;
		enter(r, RESOLVER_WORKING, 0);
		resolver_look(r, looked);
	} else {
		enter(r, RESOLVER_IDLE, 0);
	}
}

static void again(struct resolver *r)
{
	if (r->ops || is_wanted(r))
		go(r);
}

/* ---- what is wanted ---- */

static bool same_names(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool same(const struct os_dns_config *a, const struct os_dns_config *b)
{
	if (a->n_servers != b->n_servers)
		return false;
	for (size_t i = 0; i < a->n_servers; i++)
		if (!ipaddr_eq(a->server[i], b->server[i]))
			return false;
	return same_names(a->search, a->n_search, b->search, b->n_search) &&
	       same_names(a->match, a->n_match, b->match, b->n_match);
}

static const char *const *copy_names(struct arena *a, const char *const *from, size_t n)
{
	const char **to = arena_array(a, n, sizeof(*to));

	for (size_t i = 0; to && i < n; i++) {
		to[i] = arena_strdup(a, from[i]);
		if (!to[i])
			return NULL;
	}
	return to;
}

static int copy(struct arena *mem, const struct os_dns_config *c, struct os_dns_config *ret)
{
	struct os_dns_config new = *c;

	new.n_servers = MIN_OF(c->n_servers, (size_t)OSDNS_SERVERS_MAX);
	new.n_search = MIN_OF(c->n_search, (size_t)OSDNS_SEARCH_MAX);
	new.n_match = MIN_OF(c->n_match, (size_t)OSDNS_MATCH_MAX);
	new.search = copy_names(mem, c->search, new.n_search);
	new.match = copy_names(mem, c->match, new.n_match);
	if (!new.search || !new.match)
		return -ENOMEM;
	*ret = new;
	return 0;
}

static int take(struct resolver *r, const struct resolver_wish *w)
{
	struct os_dns_config whole, split;
	struct arena mem;
	int rc;

	arena_init(&mem, WANT_MEM);
	rc = copy(&mem, w->whole, &whole);
	if (rc == 0)
		rc = copy(&mem, w->split ? w->split : w->whole, &split);
	if (rc < 0) {
		arena_fini(&mem);
		return rc;
	}
	arena_fini(&r->want_mem);
	r->want_mem = mem;
	r->whole = whole;
	r->split = split;
	r->add_search = w->add_search;
	r->want = (struct os_dns_config){ 0 }; /* its texts are gone */
	return 0;
}

int resolver_want(struct resolver *r, const struct resolver_wish *w)
{
	static const struct os_dns_config nothing;
	static const struct resolver_wish none = { .whole = &nothing };
	int rc;

	if (r->closing)
		return 0;
	if (!w)
		w = &none;
	if (same(&r->whole, w->whole) && same(&r->split, w->split ? w->split : w->whole) &&
		r->add_search == w->add_search && r->state != RESOLVER_FAILED)
		return 0;
	rc = take(r, w);
	if (rc == 0)
		go(r);
	return rc;
}

void resolver_on_network_change(struct resolver *r)
{
	if (r->state == RESOLVER_FAILED || (r->ops && r->ops->follows_network))
		again(r);
	if (r->busy || r->looking)
		return;
	resolver_read_base(r);
	resolver_tell(r);
}

struct resolver_status resolver_status(const struct resolver *r)
{
	return (struct resolver_status){ .state = r->state,
		.manager = r->manager,
		.why = r->why,
		.since = r->since,
		.rc = r->rc,
		.splits = resolver_splits(r),
		.overwritten = r->overwritten,
		.other = r->other };
}

const struct os_dns_config *resolver_base(const struct resolver *r)
{
	return &r->base;
}

/* ---- life ---- */

static void recover(struct resolver *r)
{
	int rc = etc_undo(&r->etc);

	if (rc < 0)
		enter(r, RESOLVER_FAILED, rc);
	if (resolver_program_left(r, &r->manager)) {
		r->ops = &resolver_program_ops;
		r->why = "left behind";
		sync_now(r);
	} else {
		r->manager = RESOLVER_NOBODY;
		resolver_read_base(r);
	}
}

int resolver_new(struct resolver **ret, const struct resolver_cfg *cfg)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->cfg = *cfg;
	r->why = "";
	r->retry_after = RETRY_MIN;
	arena_init(&r->want_mem, WANT_MEM);
	arena_init(&r->base_mem, BASE_MEM);
	buf_init(&r->text, RESOLVCONF_TEXT_MAX);
	rc = etc_init(&r->etc, cfg->root);
	if (rc == 0 &&
		(snprintf(r->root, sizeof(r->root), "%s", cfg->root) >= (int)sizeof(r->root) ||
			snprintf(r->interface, sizeof(r->interface), "%s", cfg->interface) >=
				(int)sizeof(r->interface)))
		rc = -ENAMETOOLONG;
	if (rc == 0)
		rc = loop_timer_new(cfg->loop, tell_now, r, &r->tell);
	if (rc == 0)
		rc = loop_timer_new(cfg->loop, on_settle, r, &r->settle);
	if (rc == 0)
		rc = loop_timer_new(cfg->loop, on_retry, r, &r->retry);
	if (rc < 0) {
		resolver_free(r);
		return rc;
	}
	recover(r);
	*ret = r;
	return 0;
}

static void on_timeout(void *ctx)
{
	loop_stop(((struct resolver *)ctx)->cfg.loop);
}

/* Until the manager has undone what it was told. */
static void wait_for_it(struct resolver *r)
{
	struct loop_timer *t;

	if (!r->busy || loop_timer_new(r->cfg.loop, on_timeout, r, &t) < 0)
		return;
	loop_timer_set(t, mono_add(loop_now(r->cfg.loop).mono, CLOSE_TIMEOUT));
	loop_run(r->cfg.loop);
	loop_timer_free(t);
}

static void stop_looking(struct resolver *r)
{
	r->spawn = spawn_free(r->spawn);
	r->looking = false;
}

struct resolver *resolver_free(struct resolver *r)
{
	if (!r)
		return NULL;
	r->closing = true;
	if (r->looking)
		stop_looking(r);
	if (r->retry) {
		r->whole = r->split = r->want = (struct os_dns_config){ 0 };
		go(r);
		wait_for_it(r);
	}
	if (r->ops)
		r->ops->forget(r);
	dbus_close(r->bus);
	loop_timer_free(r->tell);
	loop_timer_free(r->retry);
	loop_timer_free(r->settle);
	buf_fini(&r->text);
	arena_fini(&r->want_mem);
	arena_fini(&r->base_mem);
	free(r);
	return NULL;
}

int resolver_cleanup(const char *root, const char *interface)
{
	struct resolver_cfg cfg = { .root = root, .interface = interface, .choice = RESOLVER_OFF };
	struct resolver *r;
	int rc = loop_new(&cfg.loop);

	if (rc < 0)
		return rc;
	rc = resolver_new(&r, &cfg);
	if (rc == 0) {
		r->closing = true;
		wait_for_it(r);
		rc = r->state == RESOLVER_FAILED ? r->rc : 0;
		resolver_free(r);
	}
	loop_free(cfg.loop);
	return rc;
}
