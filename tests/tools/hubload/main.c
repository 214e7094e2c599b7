/*
 * hubload: many nodes in one process against one hub. Figures: how long until all are joined and know all others, until
 * all have heard of one node more, and until all are back with a whole map after every connection was dropped; the hub's
 * memory from /proc.
 *
 *	hubload http://127.0.0.1:8080 AUTHKEY [clients [hub-pid [file]]]
 *
 * "-" for no key. file: gets the node key of each registration that was answered, one a line. Prints one JSON object. It exits 1 if a phase does not complete within a minute. Every client counts
 * the peers of what it was sent, so that a hub that forgets somebody is noticed.
 */
#include "core/ctlclient/ctlclient.h"
#include "os/stream/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 20000, NODE_ID_MAX = 1 << 17 };
#define PHASE_MAX SEC(60)

enum phase { JOIN, CHANGE, RECONNECT, PHASES };

struct link {
	struct client *of;
	enum ctlclient_conn id;
	struct stream *s;
};

struct client {
	struct load *load;
	struct ctlclient *c;
	struct loop_timer *timer;
	struct link *link[CTL_CONNS];
	uint64_t serial;
	size_t peers;   /* different ones that it was told of */
	uint8_t *known; /* a bit for each number of a device */
	mono_ns heard;  /* in this phase; 0: not yet */
};

struct load {
	struct loop *loop;
	struct loop_timer *timer;
	struct ipport hub;
	struct client *client;
	size_t n, active, waiting; /* allocated, taking part, not yet heard */
	enum phase phase;
	mono_ns began, took[PHASES], p50, p99;
	struct node_pub newcomer; /* the change */
	bool failed;
};

static void after(struct client *cl)
{
	for (int i = 0; i < CTL_CONNS; i++)
		if (cl->link[i] && cl->link[i]->s &&
			ctlclient_output(cl->c, (enum ctlclient_conn)i).len)
			stream_wake(cl->link[i]->s);
	loop_timer_set(cl->timer, ctlclient_deadline(cl->c));
}

static void on_connected(void *owner)
{
	struct link *k = owner;

	if (!k->of)
		return;
	ctlclient_connected(k->of->c, k->id, loop_now(k->of->load->loop));
	after(k->of);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct link *k = owner;
	struct client *cl = k->of;

	if (!cl)
		return -ERR_CLOSED;
	ctlclient_feed(cl->c, k->id, view_of(p, len), loop_now(cl->load->loop));
	after(cl);
	return 0;
}

static struct view output(void *owner)
{
	struct link *k = owner;

	return k->of ? ctlclient_output(k->of->c, k->id) : view_of("", 0);
}

static void written(void *owner, size_t n)
{
	struct link *k = owner;

	if (k->of)
		ctlclient_written(k->of->c, k->id, n);
}

static void on_closed(void *owner, int rc)
{
	struct link *k = owner;
	struct client *cl = k->of;

	if (cl) {
		cl->link[k->id] = NULL;
		ctlclient_closed(cl->c, k->id, rc, loop_now(cl->load->loop));
		after(cl);
	}
	free(k);
}

static const struct stream_ops stream_ops = { on_connected, on_data, output, written, on_closed,
	NULL };

static void dial(void *owner, enum ctlclient_conn id, const char *host, uint16_t port,
	enum ctlclient_tls tls)
{
	struct client *cl = owner;
	struct link *k = calloc(1, sizeof(*k));

	(void)host;
	(void)port;
	(void)tls;
	if (!k)
		abort();
	*k = (struct link){ .of = cl, .id = id };
	if (stream_connect(cl->load->loop, cl->load->hub, NULL, NULL, 0, &stream_ops, k, &k->s) <
		0) {
		free(k); /* the dial's own budget ends it */
		return;
	}
	cl->link[id] = k;
}

static void hangup(void *owner, enum ctlclient_conn id)
{
	struct client *cl = owner;

	if (!cl->link[id])
		return;
	cl->link[id]->of = NULL;
	stream_close(cl->link[id]->s);
	cl->link[id] = NULL;
}

static void describe(void *owner, struct tc_map_request *m)
{
	static struct tc_hostinfo h;
	static char name[32];

	snprintf(name, sizeof(name), "load-%llu",
		(unsigned long long)((struct client *)owner)->serial);
	h = (struct tc_hostinfo){ .hostname = name,
		.os = "linux",
		.backend_log_id =
			"0000000000000000000000000000000000000000000000000000000000000001" };
	m->hostinfo = &h;
}

static void new_node_key(void *owner, struct node_pub *ret)
{
	struct client *cl = owner;
	uint8_t secret[KEY_LEN]; /* nobody speaks WireGuard here */

	key_generate(loop_rng(), secret);
	if (key_public(secret, ret->b) < 0)
		abort();
	if (cl->serial == cl->load->n - 1)
		cl->load->newcomer = *ret;
}

static void on_hub_key(void *owner, const struct machine_pub *key)
{
	(void)owner;
	(void)key;
}

static int registered_fd = -1;

static void on_registered(
	void *owner, const struct node_pub *key, const struct tc_register_response *r)
{
	char line[KEY_TEXT_MAX + 1];

	(void)owner;
	(void)r;
	if (registered_fd < 0)
		return;
	key_format(KEY_NODE, key->b, line);
	strcat(line, "\n");
	if (write(registered_fd, line, strlen(line)) < 0)
		abort();
}

static int by_time(const void *a, const void *b)
{
	mono_ns x = ((const struct client *)a)->heard, y = ((const struct client *)b)->heard;

	return (x > y) - (x < y);
}

static void client_open(struct load *l, size_t i, const char *url, const char *key);
static const char *the_url, *the_key;

static void note(struct client *cl, const struct json_list *nodes)
{
	for (size_t i = 0; i < nodes->n; i++) {
		int64_t id = JSON_AT(*nodes, struct tc_node, i)->id;
		uint8_t bit = (uint8_t)(1 << id % 8);

		if (id < 0 || id >= NODE_ID_MAX || cl->known[id / 8] & bit)
			continue;
		cl->known[id / 8] |= bit;
		cl->peers++;
	}
}

static void forget(struct client *cl)
{
	memset(cl->known, 0, NODE_ID_MAX / 8);
	cl->peers = 0;
}

/* Not the loop's: it samples once per turn, and a turn that decodes a thousand maps is what we are about to measure. */
static mono_ns clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return SEC(t.tv_sec) + t.tv_nsec;
}

static void phase_begin(struct load *l, enum phase p)
{
	l->phase = p;
	l->began = clock_now();
	l->waiting = l->active;
	for (size_t i = 0; i < l->n; i++)
		l->client[i].heard = 0;
	loop_timer_set(l->timer, l->began + PHASE_MAX);
}

static void percentiles(struct load *l)
{
	struct client *sorted = calloc(l->active, sizeof(*sorted));

	if (!sorted)
		abort();
	memcpy(sorted, l->client, l->active * sizeof(*sorted));
	qsort(sorted, l->active, sizeof(*sorted), by_time);
	l->p50 = sorted[l->active / 2].heard - l->began;
	l->p99 = sorted[l->active * 99 / 100].heard - l->began;
	free(sorted);
}

static void phase_end(struct load *l)
{
	l->took[l->phase] = clock_now() - l->began;
	switch (l->phase) {
	case JOIN:
		phase_begin(l, CHANGE);
		client_open(l, l->n - 1, the_url, the_key);
		break;
	case CHANGE:
		percentiles(l);
		phase_begin(l, RECONNECT);
		for (size_t i = 0; i < l->active; i++) {
			struct link *k = l->client[i].link[CTL_CONN_PLAIN];

			forget(&l->client[i]);
			if (k)
				stream_close(k->s);
		}
		break;
	case RECONNECT:
	case PHASES:
		loop_stop(l->loop);
		break;
	}
}

static bool holds_newcomer(const struct load *l, const struct json_list *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (!memcmp(&JSON_AT(*nodes, struct tc_node, i)->key, &l->newcomer,
			    sizeof(l->newcomer)))
			return true;
	return false;
}

static void on_map(void *owner, const struct tc_map_response *m)
{
	struct client *cl = owner;
	struct load *l = cl->load;
	size_t due =
		l->phase == JOIN ? l->active - 1 : l->active; /* all others; the one more too */

	if (m->peers.n)
		forget(cl);
	note(cl, &m->peers);
	note(cl, &m->peers_changed);
	if (cl == &l->client[l->n - 1] || cl->heard)
		return;
	if (l->phase == CHANGE && !holds_newcomer(l, &m->peers_changed) &&
		!holds_newcomer(l, &m->peers))
		return;
	if (l->phase != CHANGE && cl->peers < due)
		return;
	cl->heard = clock_now();
	if (--l->waiting == 0)
		phase_end(l);
}

static void on_state(void *owner, enum ctlclient_state s, const char *text)
{
	if (s == CTL_NEEDS_LOGIN)
		fprintf(stderr, "hubload: client %llu: %s\n",
			(unsigned long long)((struct client *)owner)->serial, text ? text : "");
}

static void on_error(void *owner, const char *why)
{
	(void)owner;
	(void)why;
}

static const struct ctlclient_ops ops = { .dial = dial,
	.hangup = hangup,
	.describe = describe,
	.new_node_key = new_node_key,
	.on_hub_key = on_hub_key,
	.on_registered = on_registered,
	.on_map = on_map,
	.on_state = on_state,
	.on_error = on_error };

static void client_tick(void *ctx)
{
	struct client *cl = ctx;

	ctlclient_tick(cl->c, loop_now(cl->load->loop));
	after(cl);
}

static void client_open(struct load *l, size_t i, const char *url, const char *key)
{
	struct ctlclient_config cfg = { .url = url,
		.auth_key = strcmp(key, "-") != 0 ? key : NULL };
	struct client *cl = &l->client[i];

	cl->load = l;
	cl->serial = i;
	cl->known = calloc(1, NODE_ID_MAX / 8);
	if (!cl->known)
		abort();
	key_generate(loop_rng(), cfg.machine.b);
	if (ctlclient_new(&cl->c, &cfg, loop_rng(), &ops, cl) < 0 ||
		loop_timer_new(l->loop, client_tick, cl, &cl->timer) < 0) {
		fprintf(stderr, "hubload: no client for %s\n", url);
		exit(2);
	}
	ctlclient_start(cl->c, loop_now(l->loop));
	after(cl);
}

static void too_late(void *ctx)
{
	struct load *l = ctx;

	fprintf(stderr, "hubload: %zu of %zu clients still waited in phase %d\n", l->waiting,
		l->active, (int)l->phase);
	l->failed = true;
	loop_stop(l->loop);
}

static long rss_kb(const char *pid)
{
	char path[64], line[128];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmRSS:", 6))
			kb = strtol(line + 6, NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

int main(int argc, char **argv)
{
	struct load l = { 0 };
	const char *at;

	if (argc < 3 || strncmp(argv[1], "http://", 7) != 0) {
		fprintf(stderr,
			"usage: hubload http://ADDRESS:PORT AUTHKEY|- [CLIENTS [HUB-PID [FILE]]]\n");
		return 2;
	}
	/* A thousand maps come and go: the generator's own page faults are not what is measured. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	/* Under a test runner that fills freed memory (MALLOC_PERTURB_), a growing buffer at the heap's end would fill all that is behind it. */
	mallopt(M_PERTURB, 0);
	the_url = argv[1];
	the_key = argv[2];
	l.active = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
	at = argv[1] + 7;
	if (ipport_parse(at, strlen(at), &l.hub) < 0 || l.active < 2 || l.active > CLIENTS_MAX ||
		loop_new(&l.loop) < 0) {
		fprintf(stderr, "hubload: needs an address with a port, and 2 to %d clients\n",
			CLIENTS_MAX);
		return 2;
	}
	if (argc > 5 && (registered_fd = open(
				 argv[5], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
		return 2;
	l.n = l.active + 1; /* the last one is the change */
	l.client = calloc(l.n, sizeof(*l.client));
	if (!l.client || loop_timer_new(l.loop, too_late, &l, &l.timer) < 0)
		return 2;
	phase_begin(&l, JOIN);
	for (size_t i = 0; i < l.active; i++)
		client_open(&l, i, the_url, the_key);
	loop_run(l.loop);
	printf("{\"clients\":%zu,\"joined_ms\":%lld,\"change_p50_ms\":%lld,\"change_p99_ms\":%lld,\"reconnect_ms\":%lld,"
	       "\"hub_rss_kb\":%ld,\"complete\":%s}\n",
		l.active, (long long)(l.took[JOIN] / MSEC(1)), (long long)(l.p50 / MSEC(1)),
		(long long)(l.p99 / MSEC(1)), (long long)(l.took[RECONNECT] / MSEC(1)),
		argc > 4 ? rss_kb(argv[4]) : 0, l.failed ? "false" : "true");
	fflush(stdout);
	_exit(l.failed); /* a thousand clients are not taken down one by one */
}
