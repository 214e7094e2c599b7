/* Listeners, and the time of connections. */
#include "http/server/internal.h"

#include <errno.h>
#include <stdlib.h>

static void on_tick(void *ctx)
{
	struct httpd *h = ctx;
	mono_ns now = loop_now(h->cfg.loop).mono;
	struct heap_node *due;

	while ((due = heap_pop_due(&h->due, now))) {
		h->n.timed_out++;
		stream_close(container_of(due, struct httpd_conn, due)->stream);
	}
	httpd_rearm(h);
}

static void on_accept(void *ctx, struct stream *s)
{
	conn_accept(ctx, s);
}

int httpd_new(struct httpd **ret, const struct httpd_cfg *cfg)
{
	struct httpd *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return -ENOMEM;
	h->cfg = *cfg;
	list_init(&h->conns);
	list_init(&h->held);
	rc = loop_timer_new(cfg->loop, on_tick, h, &h->timer);
	if (rc < 0) {
		free(h);
		return rc;
	}
	*ret = h;
	return 0;
}

static void free_conns(struct list *conns)
{
	list_for_each_safe(l, conns) {
		struct httpd_conn *c = container_of(l, struct httpd_conn, link);

		stream_set_owner(c->stream, NULL, NULL);
		stream_close(c->stream);
		conn_free(c);
	}
}

struct httpd *httpd_free(struct httpd *h)
{
	if (!h)
		return NULL;
	for (size_t i = 0; i < h->n_listeners; i++)
		listener_close(h->listeners[i]);
	free_conns(&h->conns);
	free_conns(&h->held);
	loop_timer_free(h->timer);
	heap_fini(&h->due);
	free(h);
	return NULL;
}

int httpd_listen(struct httpd *h, struct ipport addr, struct tls_ctx *tls, struct ipport *ret_bound)
{
	int rc;

	if (h->n_listeners == HTTPD_LISTEN_MAX)
		return -ERR_TOO_MANY;
	rc = stream_listen(h->cfg.loop, addr, tls, on_accept, h, &h->listeners[h->n_listeners]);
	if (rc < 0)
		return rc;
	listener_set_ledger(h->listeners[h->n_listeners], h->cfg.ledger);
	if (h->cfg.proxy_protocol)
		listener_set_proxies(h->listeners[h->n_listeners], h->cfg.proxies);
	*ret_bound = listener_addr(h->listeners[h->n_listeners++]);
	return 0;
}

int httpd_listen_unix(struct httpd *h, const char *path, mode_t mode)
{
	int rc;

	if (h->n_listeners == HTTPD_LISTEN_MAX)
		return -ERR_TOO_MANY;
	rc = stream_listen_unix(
		h->cfg.loop, path, mode, on_accept, h, &h->listeners[h->n_listeners]);
	if (rc < 0)
		return rc;
	listener_set_ledger(h->listeners[h->n_listeners++], h->cfg.ledger);
	return 0;
}

struct stream *httpd_stream(struct httpd_conn *c)
{
	return c->stream;
}

size_t httpd_held(const struct httpd *h)
{
	return h->n_held;
}

const struct httpd_counters *httpd_counters(const struct httpd *h)
{
	return &h->n;
}

size_t httpd_conns(const struct httpd *h)
{
	return h->n_conns;
}
