/*
 * One question at the servers of its route.
 *
 *	TRY_WAITS --begin--> TRY_RUNS --lost, soft answer--> TRY_ENDED      of each server; the next one begins when one ends
 *	        <--> TRY_PLACE  |                                           while it is asked where the server is
 *	                        | plain: UDP at 0 s and 1 s, TCP at 2 s, or at once after a cut or soft answer
 *
 * A good answer (or "no such name") ends the job. SERVFAIL, REFUSED and what was cut are held back while others may do better, and given when
 * they have not. A job that has its answer lingers for two seconds: what else comes tells how its servers are.
 */
#include "core/dns/internal.h"

enum rank { RANK_NONE, RANK_REFUSED, RANK_SERVFAIL, RANK_CUT };

enum { LOOP_RETURNS = 2 };

#define AGAIN_AFTER SEC(1)
#define PATIENCE MSEC(1500)    /* with something to fall back on */
#define STALE_AFTER MSEC(1800) /* RFC 8767, 5 */
#define STALE_RECHECK SEC(30)
#define GIVE_UP SEC(10)
#define LINGER SEC(2)

struct job *race_find(const struct dns *d, struct view key)
{
	struct map_node *n = map_find(&d->jobs, key.p, key.len);

	return n ? container_of(n, struct job, node) : NULL;
}

/* ---- Exchanges ---- */

static void exchange_drop(struct dns *d, struct exchange *e)
{
	e->job->tries[e->try].n_open--;
	map_remove(&d->exchanges, &e->node);
	list_remove(&e->link);
	free(e);
}

static void cancel_all(struct dns *d, struct job *j)
{
	list_for_each_safe(p, &j->exchanges) {
		struct exchange *e = container_of(p, struct exchange, link);

		out_cancel(d, e->number);
		exchange_drop(d, e);
	}
}

static uint16_t make_id(struct dns *d, enum dns_transport t)
{
	uint16_t id = 0;

	/* RFC 8484, 4.1: zero, so that caches on the way see one question. */
	if (t != DNS_HTTPS && t != DNS_PEER)
		rng_fill(d->rng, &id, sizeof(id));
	return id;
}

static bool send(
	struct dns *d, struct job *j, struct try *t, enum dns_transport transport, mono_ns now)
{
	struct exchange *e = calloc(1, sizeof(*e));

	if (!e) {
		d->n.no_memory++;
		return false;
	}
	*e = (struct exchange){ .number = ++d->next_exchange,
		.job = j,
		.try = (size_t)(t - j->tries),
		.transport = transport,
		.to = t->path->up,
		.sent = now,
		.id = make_id(d, transport) };
	e->to.transport = transport;
	if (map_insert(&d->exchanges, &e->node, &e->number, sizeof(e->number)) != 0) {
		free(e);
		d->n.no_memory++;
		return false;
	}
	list_push_tail(&j->exchanges, &e->link);
	t->n_open++;
	path_asked(t->path, now);
	store_be16(j->msg, e->id);
	out_send(d, e, view_of(j->msg, j->msg_len));
	return true;
}

/* ---- The end ---- */

void race_drop(struct dns *d, struct job *j)
{
	cancel_all(d, j);
	if (j->joinable)
		map_remove(&d->jobs, &j->node);
	heap_remove(&d->timers, &j->timer);
	list_remove(&j->link);
	d->n_jobs--;
	free(j->held);
	free(j);
}

/* Its answer is given. Nobody joins it any more; it stays until its servers have answered, or time is up. */
static void end(struct dns *d, struct job *j, mono_ns now)
{
	j->done = true;
	if (j->joinable)
		map_remove(&d->jobs, &j->node);
	j->joinable = false;
	j->deadline = mono_min(j->deadline, now + LINGER);
	for (size_t i = 0; i < j->n_tries; i++)
		if (j->tries[i].state == TRY_WAITS || j->tries[i].state == TRY_PLACE)
			j->tries[i].state = TRY_ENDED;
}

static void answer_all(struct dns *d, struct job *j, const struct cached *c)
{
	list_for_each_safe(p, &j->waiters) {
		struct ask *a = container_of(p, struct ask, link);

		if (c)
			out_reply(d, a, c);
		else
			out_error(d, a, DNSMSG_SERVFAIL);
		waiter_drop(d, a);
	}
}

/* Old data, if there are any. */
static bool answer_stale(struct dns *d, struct job *j, mono_ns now)
{
	struct view key = view_of(j->key, j->key_len);
	struct cached c;

	if (!j->had_stale || !cache_find(&d->cache, key, now, &c))
		return false;
	cache_postpone(&d->cache, key, now + STALE_RECHECK);
	answer_all(d, j, &c);
	return true;
}

/* No good answer has come, and none will. */
static void give_up(struct dns *d, struct job *j, mono_ns now)
{
	struct cached held = { .msg = view_of(j->held, j->held_len) };

	if (!list_empty(&j->waiters) && !answer_stale(d, j, now)) {
		if (j->held) {
			answer_all(d, j, &held);
		} else {
			d->n.servfail_made++;
			answer_all(d, j, NULL);
		}
	}
	if (!j->held && !d->failing_since)
		d->failing_since = now;
	end(d, j, now);
}

/* ---- Running ---- */

static void begin_tcp(struct dns *d, struct job *j, struct try *t, mono_ns now)
{
	t->next = MONO_NEVER;
	if (t->path->up.transport == DNS_UDP && !t->tcp && !t->path->loop &&
		!d->setup->no_tcp_retries) {
		t->tcp = true;
		(void)send(d, j, t, DNS_TCP, now);
	}
}

static void begin(struct dns *d, struct job *j, struct try *t, mono_ns now)
{
	switch (places_find(d, t->path, now)) {
	case PLACE_KNOWN:
		t->state = TRY_RUNS;
		(void)send(d, j, t, t->path->up.transport, now);
		if (t->path->up.transport == DNS_UDP) {
			t->n_udp = 1;
			t->next = now + AGAIN_AFTER;
		}
		break;
	case PLACE_ASKED:
		t->state = TRY_PLACE;
		break;
	case PLACE_UNKNOWN:
		t->state = TRY_ENDED;
		path_failed(t->path, now);
		break;
	}
}

static void step(struct dns *d, struct job *j, struct try *t, mono_ns now)
{
	if (t->state == TRY_WAITS && t->begin <= now) {
		begin(d, j, t, now);
	} else if (t->state == TRY_RUNS && t->next <= now) {
		if (t->n_udp < 2 && !t->path->loop) {
			t->n_udp++;
			t->next = now + AGAIN_AFTER;
			(void)send(d, j, t, DNS_UDP, now);
		} else {
			begin_tcp(d, j, t, now);
		}
	}
	if (t->state == TRY_RUNS && !t->n_open && t->next == MONO_NEVER)
		t->state = TRY_ENDED;
}

/* One server has ended: the next that waits has its turn now. */
static void next_begins(struct job *j, mono_ns now)
{
	for (size_t i = 0; i < j->n_tries; i++)
		if (j->tries[i].state == TRY_WAITS) {
			j->tries[i].begin = mono_min(j->tries[i].begin, now);
			return;
		}
}

static bool all_ended(const struct job *j)
{
	for (size_t i = 0; i < j->n_tries; i++)
		if (j->tries[i].state != TRY_ENDED)
			return false;
	return true;
}

static mono_ns job_deadline(const struct job *j)
{
	mono_ns at = j->deadline;

	if (j->done)
		return at;
	if (!list_empty(&j->waiters))
		at = mono_min(at, j->stale_at);
	at = mono_min(at, j->fallback_at);
	for (size_t i = 0; i < j->n_tries; i++) {
		const struct try *t = &j->tries[i];

		if (t->state == TRY_WAITS)
			at = mono_min(at, t->begin);
		else if (t->state == TRY_RUNS)
			at = mono_min(at, t->next);
	}
	return at;
}

/* Time is up for those that have not answered. */
static void lose_all(struct dns *d, struct job *j, mono_ns now)
{
	list_for_each_safe(p, &j->exchanges) {
		struct exchange *e = container_of(p, struct exchange, link);
		struct path *path = j->tries[e->try].path;

		d->n.timeouts++;
		if (path->silent_since && path->silent_since <= e->sent)
			path_failed(path, now);
		out_cancel(d, e->number);
		exchange_drop(d, e);
	}
}

static void run_all(struct dns *d, struct job *j, mono_ns now)
{
	bool ended;

	do {
		ended = false;
		for (size_t i = 0; i < j->n_tries; i++) {
			struct try *t = &j->tries[i];
			enum try_state was = t->state;

			step(d, j, t, now);
			ended |= t->state == TRY_ENDED && was != TRY_ENDED;
		}
		if (ended)
			next_begins(j, now);
	} while (ended);
}

void race_run(struct dns *d, struct job *j, struct now now)
{
	if (!j->done) {
		if (now.mono >= j->stale_at) {
			j->stale_at = MONO_NEVER;
			(void)answer_stale(d, j, now.mono);
		}
		if (now.mono < j->deadline && now.mono < j->fallback_at)
			run_all(d, j, now.mono);
		if (now.mono >= j->deadline || now.mono >= j->fallback_at || all_ended(j))
			give_up(d, j, now.mono);
	}
	if (j->done && now.mono >= j->deadline)
		lose_all(d, j, now.mono);
	if (j->done && list_empty(&j->exchanges)) {
		race_drop(d, j);
		return;
	}
	if (heap_set(&d->timers, &j->timer, job_deadline(j)) < 0) {
		d->n.no_memory++; /* without a timer it would never end */
		answer_all(d, j, NULL);
		race_drop(d, j);
	}
}

void race_places(struct dns *d, struct now now)
{
	list_for_each_safe(p, &d->all_jobs) {
		struct job *j = container_of(p, struct job, link);
		bool waits = false;

		for (size_t i = 0; i < j->n_tries; i++) {
			struct try *t = &j->tries[i];

			if (t->state != TRY_PLACE)
				continue;
			t->state = TRY_WAITS;
			t->begin = now.mono;
			waits = true;
		}
		if (waits)
			race_run(d, j, now);
	}
}

void race_lost(struct dns *d, struct exchange *e, struct now now)
{
	struct job *j = e->job;
	struct try *t = &j->tries[e->try];
	bool udp = e->transport == DNS_UDP;

	d->n.failures++;
	path_failed(t->path, now.mono);
	exchange_drop(d, e);
	if (!j->done) {
		if (udp)
			begin_tcp(d, j, t, now.mono);
		if (!t->n_open) {
			t->state = TRY_ENDED;
			next_begins(j, now.mono);
		}
	}
	race_run(d, j, now);
}

/*
 * A server that asks us, unchanged: each question would come back until somebody gives up. (One that gives it another id waits with us for
 * the same answer, and so asks nobody.) Twice, because a program may have taken the same id by chance.
 */
void race_returned(struct dns *d, struct job *j, uint16_t id, struct now now)
{
	list_for_each(p, &j->exchanges) {
		struct exchange *e = container_of(p, struct exchange, link);
		struct path *path = j->tries[e->try].path;

		if (e->id != id || (e->transport != DNS_UDP && e->transport != DNS_TCP) ||
			++path->returned < LOOP_RETURNS)
			continue;
		path->loop = true;
		d->n.loops++;
		out_cancel(d, e->number);
		race_lost(d, e, now);
		return;
	}
}

/* ---- Answers ---- */

/* A copy without OPT and what follows it, to be freed. NULL: no memory. */
static uint8_t *without_opt(const struct job *j, const struct dnsmsg *m, size_t *len)
{
	size_t n = m->opt.at && !j->raw ? m->opt.at : j->raw ? m->bytes.len : m->end, index = 0;
	uint16_t kept = 0;
	uint8_t *copy = malloc(n);
	struct dnsmsg_record r;

	if (!copy)
		return NULL;
	memcpy(copy, m->bytes.p, n);
	*len = n;
	if (!m->opt.at || j->raw)
		return copy;
	while (dnsmsg_next(m->bytes, &m->h, m->question_end, &index, &r) == 0 && r.at < m->opt.at)
		kept = (uint16_t)(kept + (r.section == DNSMSG_ADDITIONAL));
	store_be16(copy + 10, kept);
	return copy;
}

static void hold(struct dns *d, struct job *j, const struct dnsmsg *m, int rank, mono_ns now)
{
	size_t len;
	uint8_t *copy = rank > j->held_rank ? without_opt(j, m, &len) : NULL;

	if (!copy)
		return;
	free(j->held);
	j->held = copy;
	j->held_len = len;
	j->held_rank = rank;
	if (j->fallback_at == MONO_NEVER)
		j->fallback_at = now + PATIENCE;
}

static void deliver(struct dns *d, struct job *j, const struct dnsmsg *m, mono_ns now)
{
	struct cached c = { 0 };
	uint8_t *copy = without_opt(j, m, &c.msg.len);
	struct dnsmsg plain;

	c.msg.p = copy;
	if (copy && !j->raw && dnsmsg_read(c.msg, &plain) == 0 &&
		cache_put(&d->cache, view_of(j->key, j->key_len), &plain, now) < 0)
		d->n.no_memory++;
	answer_all(d, j, copy ? &c : NULL);
	free(copy);
	end(d, j, now);
}

static int rank_of(const struct dnsmsg *m, const struct exchange *e, bool tcp_allowed)
{
	if (m->h.flags & DNSMSG_TC && e->transport == DNS_UDP && tcp_allowed)
		return RANK_CUT;
	switch (m->h.flags & DNSMSG_RCODE) {
	case DNSMSG_SERVFAIL:
		return RANK_SERVFAIL;
	case DNSMSG_REFUSED:
		return RANK_REFUSED;
	}
	return RANK_NONE;
}

void race_won(struct dns *d, struct exchange *e, const struct dnsmsg *m, struct now now)
{
	struct job *j = e->job;
	struct try *t = &j->tries[e->try];
	int rank = rank_of(m, e, !d->setup->no_tcp_retries);
	bool udp = e->transport == DNS_UDP;

	path_heard(t->path, now.mono - e->sent);
	d->failing_since = 0;
	d->n.replies += !j->done;
	d->n.late += j->done;
	exchange_drop(d, e);
	if (!j->done && rank == RANK_NONE) {
		deliver(d, j, m, now.mono);
	} else if (!j->done) {
		hold(d, j, m, rank, now.mono);
		if (udp)
			begin_tcp(d, j, t, now.mono);
		if (!t->n_open)
			t->state = TRY_ENDED;
		if (rank != RANK_CUT || !t->n_open)
			next_begins(j, now.mono); /* it may do better */
	}
	race_run(d, j, now);
}

/* ---- The beginning ---- */

static size_t question_len(const struct ask *a, struct view raw)
{
	return raw.len ? raw.len
		       : DNSMSG_HEADER + a->q.name.len + 4u + (a->has_opt ? DNSMSG_OPT_LEN : 0);
}

static void write_question(struct job *j, const struct ask *a, struct view raw)
{
	struct wcur w = wcur_over(j->msg, j->msg_len);

	if (raw.len) {
		memcpy(j->msg, raw.p, raw.len);
		return;
	}
	dnsmsg_put_header(&w, 0, a->flags & (DNSMSG_RD | DNSMSG_AD | DNSMSG_CD));
	dnsmsg_put_question(&w, &a->q);
	if (a->has_opt)
		dnsmsg_put_opt(&w, DNS_UDP_SIZE, 0, a->dnssec_ok);
	CHECK(!w.bad);
}

bool race_begin(struct dns *d, const struct route *r, const struct ask *a, struct view raw,
	bool stale, struct now now)
{
	size_t len = question_len(a, raw);
	struct job *j = calloc(1, sizeof(*j) + len);

	if (!j)
		return false;
	j->msg_len = len;
	write_question(j, a, raw);
	j->q = a->q;
	j->flags = a->flags;
	j->raw = raw.len != 0;
	j->had_stale = stale;
	list_init(&j->waiters);
	list_init(&j->exchanges);
	j->fallback_at = MONO_NEVER;
	j->stale_at = stale ? now.mono + STALE_AFTER : MONO_NEVER;
	j->deadline = now.mono + GIVE_UP;
	j->key_len = cache_key(a, j->key);
	if (!waiter_add(d, j, a)) {
		free(j);
		return false;
	}
	j->joinable = !j->raw && !a->own && map_insert(&d->jobs, &j->node, j->key, j->key_len) == 0;
	list_push_tail(&d->all_jobs, &j->link);
	d->n_jobs++;
	d->n.forwarded++;
	paths_plan(j, r, a->own, now.mono);
	race_run(d, j, now);
	return true;
}
