/* A ping by PeerAPI: HEAD of its address, through the tunnel, as the original asks. What counts is that the whole way answers. */
#include "core/node/answers/answers.h"

#include "proto/http1/http1.h"

enum { ANSWER_WITHIN_S = 10 };

static struct node_peerapi_ping *at_stream(struct node *a, unsigned stream)
{
	return &a->peerapi_pings[stream - NODE_STREAM_PEERAPI];
}

static void free_ping(struct node_peerapi_ping *p)
{
	buf_fini(&p->in);
	buf_fini(&p->out);
	*p = (struct node_peerapi_ping){ 0 };
}

static void ended(struct node *a, struct node_peerapi_ping *p, mono_ns latency, const char *err)
{
	char text[IPPORT_TEXT_MAX], url[IPPORT_TEXT_MAX + sizeof("http://")];
	struct node_peerapi_ping done = *p;
	const struct tc_node *n = netmap_peer(a->nm, done.peer);
	struct ipn_ping_result r = { .err = err, .node_name = n ? n->name : NULL };

	free_ping(p);
	if (!err) {
		snprintf(url, sizeof(url), "http://%s", ipport_format(done.at, text));
		r.peerapi_url = url;
		r.latency_seconds = (double)latency / 1e9;
	}
	node_pong(a, done.ip, n, &r, done.fn, done.ctx);
}

const char *node_peerapi_ping_begin(
	struct node *a, struct ipaddr ip, const struct tc_node *n, node_ping_fn fn, void *ctx)
{
	struct ipport at = node_peerapi_of(a, n);
	struct node_peerapi_ping *p = NULL;
	char host[IPADDR_TEXT_MAX], text[IPPORT_TEXT_MAX];
	unsigned i;

	if (!at.port)
		return "it has no PeerAPI";
	for (i = 0; i < NODE_PEERAPI_PINGS && !p; i++)
		if (!a->peerapi_pings[i].fn)
			p = &a->peerapi_pings[i];
	if (!p)
		return "too many pings by PeerAPI at once; wait a moment";
	*p = (struct node_peerapi_ping){
		.fn = fn, .ctx = ctx, .ip = ip, .peer = n->id, .at = at, .began = a->now.mono
	};
	buf_init(&p->in, HTTP1_HEAD_MAX);
	buf_init(&p->out, HTTP1_HEAD_MAX);
	if (buf_printf(&p->out, "HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		    ipport_format(at, text)) < 0) {
		free_ping(p);
		return "out of memory";
	}
	a->ops->dial(a->owner, NODE_STREAM_PEERAPI + i - 1,
		&(struct node_dial){ .host = ipaddr_format(at.ip, host),
			.hint = { at.ip },
			.port = at.port,
			.tls = NODE_TLS_NONE,
			.name = host,
			.by_routes = true });
	return NULL;
}

void node_peerapi_ping_connected(struct node *a, unsigned stream)
{
	at_stream(a, stream)->up = true;
	a->ops->stream_wake(a->owner, stream);
}

struct view node_peerapi_ping_output(struct node *a, unsigned stream)
{
	const struct node_peerapi_ping *p = at_stream(a, stream);

	return p->up ? buf_view(&p->out) : view_of("", 0);
}

void node_peerapi_ping_written(struct node *a, unsigned stream, size_t n)
{
	buf_consume(&at_stream(a, stream)->out, n);
}

/* Negative: enough was heard. */
int node_peerapi_ping_feed(struct node *a, unsigned stream, struct view data)
{
	struct node_peerapi_ping *p = at_stream(a, stream);
	struct http1_head h;
	size_t used;
	int rc = p->fn ? buf_append(&p->in, data.p, data.len) : -ERR_CLOSED;

	if (rc == 0)
		rc = http1_parse(buf_data(&p->in), buf_len(&p->in), true, &h, &used);
	if (rc == HTTP1_MORE)
		return 0;
	if (p->fn)
		ended(a, p, a->now.mono - p->began,
			rc < 0            ? "its PeerAPI answered with something else"
			: h.status != 200 ? "its PeerAPI refused"
					  : NULL);
	return -ERR_CLOSED;
}

void node_peerapi_ping_closed(struct node *a, unsigned stream, int rc)
{
	struct node_peerapi_ping *p = at_stream(a, stream);

	if (p->fn)
		ended(a, p, 0, rc < 0 ? err_text(rc) : "its PeerAPI closed the connection");
}

mono_ns node_peerapi_pings_deadline(const struct node *a)
{
	mono_ns at = MONO_NEVER;

	for (size_t i = 0; i < NODE_PEERAPI_PINGS; i++)
		if (a->peerapi_pings[i].fn)
			at = mono_min(at, a->peerapi_pings[i].began + SEC(ANSWER_WITHIN_S));
	return at;
}

void node_peerapi_pings_run_deferred(struct node *a)
{
	for (unsigned i = 0; i < NODE_PEERAPI_PINGS; i++) {
		struct node_peerapi_ping *p = &a->peerapi_pings[i];

		if (!p->fn || a->now.mono < p->began + SEC(ANSWER_WITHIN_S))
			continue;
		a->ops->hangup(a->owner, NODE_STREAM_PEERAPI + i);
		ended(a, p, 0, "timed out");
	}
}

/* Nobody asks any more. ctx NULL: nobody at all. */
void node_peerapi_pings_cancel(struct node *a, const void *ctx)
{
	for (unsigned i = 0; i < NODE_PEERAPI_PINGS; i++) {
		struct node_peerapi_ping *p = &a->peerapi_pings[i];

		if (!p->fn || (ctx && p->ctx != ctx))
			continue;
		a->ops->hangup(a->owner, NODE_STREAM_PEERAPI + i);
		free_ping(p);
	}
}
