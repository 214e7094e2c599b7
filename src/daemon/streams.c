/* The engine's streams over links, and the requests by which the distance to relays is measured where UDP is blocked. */
#include "daemon/internal.h"

#include <errno.h>

struct node_stream {
	struct list link;
	struct daemon *n;
	unsigned id;
	struct link *k;
};

/* ---- Streams ---- */

static void stream_free(struct node_stream *s)
{
	list_remove(&s->link);
	free(s);
}

static void on_up(void *owner)
{
	struct node_stream *s = owner;
	struct node_pub relay;

	node_stream_connected(s->n->node, s->id, link_relay_key(s->k, &relay) ? &relay : NULL,
		loop_now(s->n->loop));
}

static int on_data(void *owner, uint8_t *p, size_t len)
{
	struct node_stream *s = owner;

	return node_stream_feed(s->n->node, s->id, p, len, loop_now(s->n->loop));
}

static struct view on_output(void *owner)
{
	struct node_stream *s = owner;

	return node_stream_output(s->n->node, s->id);
}

static void on_written(void *owner, size_t n)
{
	struct node_stream *s = owner;

	node_stream_written(s->n->node, s->id, n);
}

static void on_closed(void *owner, int rc)
{
	struct node_stream *s = owner;
	struct daemon *n = s->n;
	unsigned id = s->id;

	stream_free(s);
	node_stream_closed(n->node, id, rc, loop_now(n->loop));
}

static const struct link_ops stream_link_ops = { on_up, on_data, on_output, on_written, on_closed };

void streams_dial(void *owner, unsigned stream, const struct node_dial *d)
{
	struct daemon *n = owner;
	struct node_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return; /* the engine's own patience ends it */
	*s = (struct node_stream){ .n = n, .id = stream };
	list_push_tail(&n->streams, &s->link);
	s->k = link_open(n, d, &stream_link_ops, s);
	if (!s->k)
		stream_free(s);
}

static struct node_stream *find(struct daemon *n, unsigned stream)
{
	list_for_each(l, &n->streams) {
		struct node_stream *s = container_of(l, struct node_stream, link);

		if (s->id == stream)
			return s;
	}
	return NULL;
}

void streams_hangup(void *owner, unsigned stream)
{
	struct node_stream *s = find(owner, stream);

	if (!s)
		return;
	link_close(s->k);
	stream_free(s);
}

void streams_wake(void *owner, unsigned stream)
{
	struct node_stream *s = find(owner, stream);

	if (s)
		link_wake(s->k);
}

/* ---- Measuring ---- */

/* One request on a fresh stream: the time from its sending to the answer, so that TCP and TLS do not count. */
struct measure {
	struct list link;
	struct daemon *n;
	int region;
	struct link *k;
	struct buf request;
	mono_ns sent;
};

static void measure_free(struct measure *m)
{
	list_remove(&m->link);
	buf_fini(&m->request);
	free(m);
}

static void measure_up(void *owner)
{
	((struct measure *)owner)->sent = loop_now(((struct measure *)owner)->n->loop).mono;
}

static int measure_data(void *owner, uint8_t *p, size_t len)
{
	struct measure *m = owner;
	struct now now = loop_now(m->n->loop);

	(void)p;
	(void)len;
	link_close(m->k);
	node_measured(m->n->node, m->region, MAX_OF(now.mono - m->sent, 1), now);
	measure_free(m);
	return 0;
}

static struct view measure_output(void *owner)
{
	return buf_view(&((struct measure *)owner)->request);
}

static void measure_written(void *owner, size_t n)
{
	buf_consume(&((struct measure *)owner)->request, n);
}

static void measure_closed(void *owner, int rc)
{
	struct measure *m = owner;
	struct daemon *n = m->n;
	int region = m->region;

	measure_free(m);
	node_measured(n->node, region, rc < 0 ? rc : -ERR_CLOSED, loop_now(n->loop));
}

static const struct link_ops measure_link_ops = { measure_up, measure_data, measure_output,
	measure_written, measure_closed };

void streams_measure(void *owner, int region, const struct node_dial *d)
{
	struct daemon *n = owner;
	struct measure *m = calloc(1, sizeof(*m));

	if (!m)
		return; /* netcheck does not wait for ever */
	*m = (struct measure){ .n = n, .region = region };
	list_push_tail(&n->measures, &m->link);
	buf_init(&m->request, 1024);
	if (buf_printf(&m->request,
		    "GET /derp/latency-check HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		    d->host) < 0 ||
		!(m->k = link_open(n, d, &measure_link_ops, m)))
		measure_free(m);
}

void streams_close_all(struct daemon *n)
{
	list_for_each_safe(l, &n->streams) {
		struct node_stream *s = container_of(l, struct node_stream, link);

		link_close(s->k);
		stream_free(s);
	}
	list_for_each_safe(l, &n->measures) {
		struct measure *m = container_of(l, struct measure, link);

		link_close(m->k);
		measure_free(m);
	}
}
