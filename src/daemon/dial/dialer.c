/* The engine's streams, and the requests by which the distance to relays is measured where UDP is blocked. */
#include "daemon/dial/internal.h"
#include "daemon/net/net.h"

#include <errno.h>
#include <stdlib.h>

struct dialer_stream {
	struct list link;
	struct dialer *d;
	unsigned id;
	struct dial *k;
};

/* ---- Streams ---- */

static void stream_free(struct dialer_stream *s)
{
	list_remove(&s->link);
	free(s);
}

static void on_up(void *owner)
{
	struct dialer_stream *s = owner;
	struct node_pub relay;

	node_stream_connected(s->d->e->node, s->id, dial_relay_key(s->k, &relay) ? &relay : NULL,
		engine_now(s->d->e));
}

static int on_data(void *owner, uint8_t *p, size_t len)
{
	struct dialer_stream *s = owner;
	struct engine *e = s->d->e;
	int rc = node_stream_feed(e->node, s->id, p, len, engine_now(e));

	if (e->net)
		net_take_packets(e->net);
	return rc;
}

static struct view on_output(void *owner)
{
	struct dialer_stream *s = owner;

	return node_stream_output(s->d->e->node, s->id);
}

static void on_written(void *owner, size_t n)
{
	struct dialer_stream *s = owner;

	node_stream_written(s->d->e->node, s->id, n);
}

static void on_closed(void *owner, int rc)
{
	struct dialer_stream *s = owner;
	struct dialer *d = s->d;
	unsigned id = s->id;

	stream_free(s);
	node_stream_closed(d->e->node, id, rc, engine_now(d->e));
}

static const struct dial_ops stream_dial_ops = { on_up, on_data, on_output, on_written, on_closed };

void dialer_dial(struct dialer *d, unsigned stream, const struct node_dial *to)
{
	struct dialer_stream *s = calloc(1, sizeof(*s));
	struct dial_how how = { .addrs = to->hint, .n_addrs = 1, .by_routes = true };

	if (!s)
		return; /* the engine's own timeout ends it */
	*s = (struct dialer_stream){ .d = d, .id = stream };
	list_push_tail(&d->streams, &s->link);
	s->k = dial_open(d, to, to->by_routes ? &how : NULL, &stream_dial_ops, s);
	if (!s->k)
		stream_free(s);
}

static struct dialer_stream *find(struct dialer *d, unsigned stream)
{
	list_for_each(l, &d->streams) {
		struct dialer_stream *s = container_of(l, struct dialer_stream, link);

		if (s->id == stream)
			return s;
	}
	return NULL;
}

void dialer_hangup(struct dialer *d, unsigned stream)
{
	struct dialer_stream *s = find(d, stream);

	if (!s)
		return;
	dial_close(s->k);
	stream_free(s);
}

void dialer_wake(struct dialer *d, unsigned stream)
{
	struct dialer_stream *s = find(d, stream);

	if (s)
		dial_wake(s->k);
}

/* ---- Measuring ---- */

/* One request on a fresh stream: the time from its sending to the answer, so that TCP and TLS do not count. */
struct dialer_measure {
	struct list link;
	struct dialer *d;
	int region;
	struct dial *k;
	struct buf request;
	mono_ns sent;
};

static void measure_free(struct dialer_measure *m)
{
	list_remove(&m->link);
	buf_fini(&m->request);
	free(m);
}

static void measure_up(void *owner)
{
	struct dialer_measure *m = owner;

	m->sent = engine_now(m->d->e).mono;
}

static int measure_data(void *owner, uint8_t *p, size_t len)
{
	struct dialer_measure *m = owner;
	struct now now = engine_now(m->d->e);

	(void)p;
	(void)len;
	dial_close(m->k);
	node_measured(m->d->e->node, m->region, MAX_OF(now.mono - m->sent, 1), now);
	measure_free(m);
	return 0;
}

static struct view measure_output(void *owner)
{
	return buf_view(&((struct dialer_measure *)owner)->request);
}

static void measure_written(void *owner, size_t n)
{
	buf_consume(&((struct dialer_measure *)owner)->request, n);
}

static void measure_closed(void *owner, int rc)
{
	struct dialer_measure *m = owner;
	struct dialer *d = m->d;
	int region = m->region;

	measure_free(m);
	node_measured(d->e->node, region, rc < 0 ? rc : -ERR_CLOSED, engine_now(d->e));
}

static const struct dial_ops measure_dial_ops = { measure_up, measure_data, measure_output,
	measure_written, measure_closed };

void dialer_measure(struct dialer *d, int region, const struct node_dial *to)
{
	struct dialer_measure *m = calloc(1, sizeof(*m));

	if (!m)
		return; /* netcheck does not wait for ever */
	*m = (struct dialer_measure){ .d = d, .region = region };
	list_push_tail(&d->measures, &m->link);
	buf_init(&m->request, 1024);
	if (buf_printf(&m->request,
		    "GET /derp/latency-check HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		    to->host) < 0 ||
		!(m->k = dial_open(d, to, NULL, &measure_dial_ops, m)))
		measure_free(m);
}

void dialer_close_all(struct dialer *d)
{
	list_for_each_safe(l, &d->streams) {
		struct dialer_stream *s = container_of(l, struct dialer_stream, link);

		dial_close(s->k);
		stream_free(s);
	}
	list_for_each_safe(l, &d->measures) {
		struct dialer_measure *m = container_of(l, struct dialer_measure, link);

		dial_close(m->k);
		measure_free(m);
	}
}

void dialer_resolve(struct dialer *d, const char *host)
{
	dial_resolve(d, host);
}

/* ---- Life ---- */

int dialer_new(struct dialer **ret, struct engine *e)
{
	struct dialer *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->e = e;
	list_init(&d->dials);
	list_init(&d->streams);
	list_init(&d->measures);
	*ret = d;
	return 0;
}

struct dialer *dialer_free(struct dialer *d)
{
	if (!d)
		return NULL;
	dialer_tls_free(d);
	free(d);
	return NULL;
}

const struct dialer_counters *dialer_counters(const struct dialer *d)
{
	return &d->n;
}
