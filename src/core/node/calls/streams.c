/* The streams of a node: the hub's, its question's, pings by PeerAPI, the relays'. */
#include "core/node/answers/answers.h"
#include "core/node/calls/calls.h"

static void tell_relay(struct node *a, int region)
{
	struct node_event e = { .kind = NODE_RELAY, .region = region };

	arena_reset(&a->scratch);
	e.text = node_relay_error(a, region, &a->scratch);
	node_event_add(a, e);
}

static bool is_control(unsigned stream)
{
	return stream < CTL_CONNS;
}

static bool is_peerapi(unsigned stream)
{
	return stream >= NODE_STREAM_PEERAPI && stream < NODE_STREAM_PEERAPI + NODE_PEERAPI_PINGS;
}

static int region_of(unsigned stream)
{
	return (int)(stream - NODE_STREAM_RELAY);
}

void node_stream_connected(
	struct node *a, unsigned stream, const struct node_pub *fast_key, struct now now)
{
	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_connected(a->ctl, (enum ctlclient_conn)stream, now);
	} else if (stream == NODE_STREAM_PROBE) {
		node_probe_connected(a);
	} else if (is_peerapi(stream)) {
		node_peerapi_ping_connected(a, stream);
	} else if (magicsock_relay_connected(a->magicsock, region_of(stream), fast_key, now) < 0) {
		a->ops->hangup(a->owner, stream);
		magicsock_relay_closed(a->magicsock, region_of(stream), 0, now);
	}
	node_run_deferred(a);
}

int node_stream_feed(struct node *a, unsigned stream, uint8_t *p, size_t len, struct now now)
{
	int rc = 0;

	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_feed(a->ctl, (enum ctlclient_conn)stream, view_of(p, len), now);
	} else if (stream == NODE_STREAM_PROBE) {
		rc = -ERR_CLOSED; /* answered: that is all that was wanted */
	} else if (is_peerapi(stream)) {
		rc = node_peerapi_ping_feed(a, stream, view_of(p, len));
	} else {
		return magicsock_relay_feed(a->magicsock, region_of(stream), p, len, now);
	}
	node_run_deferred(a);
	return rc;
}

void node_stream_closed(struct node *a, unsigned stream, int rc, struct now now)
{
	a->now = now;
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_closed(a->ctl, (enum ctlclient_conn)stream, rc, now);
	} else if (stream == NODE_STREAM_PROBE) {
		node_probe_closed(a);
	} else if (is_peerapi(stream)) {
		node_peerapi_ping_closed(a, stream, rc);
	} else {
		magicsock_relay_closed(a->magicsock, region_of(stream), rc, now);
		tell_relay(a, region_of(stream));
	}
	node_run_deferred(a);
}

struct view node_stream_output(struct node *a, unsigned stream)
{
	if (is_control(stream))
		return a->ctl ? ctlclient_output(a->ctl, (enum ctlclient_conn)stream)
			      : view_of("", 0);
	if (stream == NODE_STREAM_PROBE)
		return a->head_up ? buf_view(&a->head_out) : view_of("", 0);
	if (is_peerapi(stream))
		return node_peerapi_ping_output(a, stream);
	return magicsock_relay_output(a->magicsock, region_of(stream));
}

void node_stream_written(struct node *a, unsigned stream, size_t n)
{
	if (is_control(stream)) {
		if (a->ctl)
			ctlclient_written(a->ctl, (enum ctlclient_conn)stream, n);
	} else if (stream == NODE_STREAM_PROBE) {
		buf_consume(&a->head_out, n);
	} else if (is_peerapi(stream)) {
		node_peerapi_ping_written(a, stream, n);
	} else {
		magicsock_relay_written(a->magicsock, region_of(stream), n);
	}
}
