/* The services of one daemon, as a list. */
#include "daemon/services/service.h"

#include <errno.h>
#include <stdlib.h>

struct services {
	struct loop *loop;
	struct loop_timer *timer; /* the earliest deadline */
	size_t n, n_tables, n_peerapi;
	const struct service *is[LAPI_TABLES_MAX];
	void *self[LAPI_TABLES_MAX];
	struct lapi_table tables[LAPI_TABLES_MAX], peerapi[LAPI_TABLES_MAX];
};

/* What is due is done at the end of the turn. */
static void on_timer(void *ctx) {}

int services_new(struct services **ret, struct loop *l)
{
	struct services *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->loop = l;
	rc = loop_timer_new(l, on_timer, s, &s->timer);
	if (rc < 0)
		free(s);
	else
		*ret = s;
	return rc;
}

struct services *services_free(struct services *s)
{
	if (!s)
		return NULL;
	while (s->n--)
		if (s->is[s->n]->stop)
			s->is[s->n]->stop(s->self[s->n]);
	loop_timer_free(s->timer);
	free(s);
	return NULL;
}

void services_add(struct services *s, const struct service *is, void *self)
{
	CHECK(s->n < LAPI_TABLES_MAX);
	s->is[s->n] = is;
	s->self[s->n++] = self;
	if (is->routes)
		s->tables[s->n_tables++] = (struct lapi_table){ is->routes, self };
	if (is->peerapi)
		s->peerapi[s->n_peerapi++] = (struct lapi_table){ is->peerapi, self };
}

int services_start(struct services *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->n && rc == 0; i++)
		if (s->is[i]->start)
			rc = s->is[i]->start(s->self[i]);
	return rc;
}

void services_turn_end(struct services *s)
{
	struct now now = loop_now(s->loop);
	mono_ns next = MONO_NEVER, at;

	for (size_t i = 0; i < s->n; i++) {
		if (!s->is[i]->deadline)
			continue;
		at = s->is[i]->deadline(s->self[i]);
		if (at <= now.mono) {
			s->is[i]->tick(s->self[i], now);
			at = s->is[i]->deadline(s->self[i]);
		}
		next = MIN_OF(next, at);
	}
	loop_timer_set(s->timer, next);
}

const struct lapi_table *services_tables(const struct services *s, size_t *ret_n)
{
	*ret_n = s->n_tables;
	return s->tables;
}

const struct lapi_table *services_peerapi(const struct services *s, size_t *ret_n)
{
	*ret_n = s->n_peerapi;
	return s->peerapi;
}
