/*
 * derppair: two relay clients in one process; the first sends a packet to the second every 10 ms. Says "ready" when the first one
 * has come through, and at SIGTERM one JSON object with the longest time between two arrivals.
 *
 *	derppair ADDRESS:PORT [SECRET-HEX SECRET-HEX]
 *
 * With the node keys that are given, or fresh ones.
 */
#include "base/text/text.h"
#include "core/derpclient/derpclient.h"
#include "os/stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SENDER, RECEIVER };
#define EVERY MSEC(10)

struct client {
	struct pair *pair;
	struct derpclient *c;
	struct stream *s;
	struct node_pub key;
};

struct pair {
	struct loop *loop;
	struct loop_timer *timer;
	struct ipport relay;
	const char *host;
	struct client client[2];
	mono_ns heard, worst; /* the last arrival; the longest time between two */
	unsigned sent, arrived;
};

/* Not the loop's: it samples once per turn. */
static mono_ns clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return SEC(t.tv_sec) + t.tv_nsec;
}

static void on_connected(void *owner)
{
	struct client *cl = owner;

	if (derpclient_connected(cl->c, cl->pair->host, NULL, NULL, clock_now()) < 0)
		exit(1);
	stream_wake(cl->s);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct client *cl = owner;
	int rc = derpclient_feed(cl->c, p, len, clock_now());

	stream_wake(cl->s);
	return rc;
}

static struct view output(void *owner)
{
	return derpclient_output(((struct client *)owner)->c);
}

static void written(void *owner, size_t n)
{
	derpclient_written(((struct client *)owner)->c, n);
}

/* One lost connection is a result by itself. */
static void on_closed(void *owner, int rc)
{
	(void)owner;
	fprintf(stderr, "derppair: the relay closed a connection: %s\n", err_text(rc));
	exit(1);
}

static const struct stream_ops stream_ops = { on_connected, on_data, output, written, on_closed,
	NULL };

static void dial(void *owner)
{
	struct client *cl = owner;

	if (stream_connect(
		    cl->pair->loop, cl->pair->relay, NULL, NULL, 0, &stream_ops, cl, &cl->s) < 0)
		exit(1);
}

static void hang_up(void *owner)
{
	(void)owner;
	fprintf(stderr, "derppair: gave up\n");
	exit(1);
}

static void on_output(void *owner)
{
	struct client *cl = owner;

	if (cl->s)
		stream_wake(cl->s);
}

static void note_gap(struct pair *p)
{
	mono_ns now = clock_now();

	if (p->heard && now - p->heard > p->worst)
		p->worst = now - p->heard;
	p->heard = now;
}

static void on_event(void *owner, const struct derpclient_event *e)
{
	struct client *cl = owner;

	if (e->type != DERPCLIENT_PACKET || cl != &cl->pair->client[RECEIVER])
		return;
	note_gap(cl->pair);
	if (cl->pair->arrived++ == 0) {
		printf("ready\n");
		fflush(stdout);
	}
}

static void on_tick(void *ctx)
{
	static const uint8_t packet[200];
	struct pair *p = ctx;

	for (int i = 0; i < 2; i++)
		derpclient_tick(p->client[i].c, clock_now());
	if (derpclient_is_ready(p->client[SENDER].c) &&
		derpclient_is_ready(p->client[RECEIVER].c)) {
		if (derpclient_send(p->client[SENDER].c, &p->client[RECEIVER].key, packet,
			    sizeof(packet), clock_now()) < 0)
			exit(1);
		p->sent++;
	}
	loop_timer_set(p->timer, loop_now(p->loop).mono + EVERY);
}

static void client_open(struct pair *p, int i, const char *secret)
{
	struct client *cl = &p->client[i];
	struct derpclient_cfg cfg = { .rng = loop_rng(),
		.owner = cl,
		.dial = dial,
		.hang_up = hang_up,
		.on_output = on_output,
		.on_event = on_event };

	cl->pair = p;
	key_generate(loop_rng(), cfg.private.b);
	if (secret && (strlen(secret) != 2 * KEY_LEN ||
			      hex_decode(secret, 2 * KEY_LEN, cfg.private.b) < 0))
		exit(2);
	if (key_public(cfg.private.b, cl->key.b) < 0 || derpclient_new(&cl->c, &cfg) < 0)
		exit(1);
	derpclient_start(cl->c, clock_now());
	derpclient_tick(cl->c, clock_now());
}

int main(int argc, char **argv)
{
	struct pair p = { .host = argc > 1 ? argv[1] : "" };

	if ((argc != 2 && argc != 4) || ipport_parse(argv[1], strlen(argv[1]), &p.relay) < 0) {
		fprintf(stderr, "usage: derppair ADDRESS:PORT [SECRET-HEX SECRET-HEX]\n");
		return 2;
	}
	if (loop_new(&p.loop) < 0 || loop_stop_on_signals(p.loop) < 0 ||
		loop_timer_new(p.loop, on_tick, &p, &p.timer) < 0)
		return 1;
	client_open(&p, SENDER, argc == 4 ? argv[2] : NULL);
	client_open(&p, RECEIVER, argc == 4 ? argv[3] : NULL);
	loop_timer_set(p.timer, loop_now(p.loop).mono + EVERY);
	loop_run(p.loop);
	note_gap(&p);
	printf("{\"sent\":%u,\"arrived\":%u,\"worst_gap_ms\":%lld}\n", p.sent, p.arrived,
		(long long)(p.worst / MSEC(1)));
	fflush(stdout);
	return p.arrived ? 0 : 1;
}
