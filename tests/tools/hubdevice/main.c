/*
 * hubdevice: one device at a hub, without tunnel and packets: says what it is told to say, and prints what it is told.
 *
 *	hubdevice http://127.0.0.1:8080 HOSTNAME AUTHKEY|- [TAG,...]
 *
 * Standard input, a line each: "hostname NAME", "tags TAG,..." (or none), "login AUTHKEY|-" (anew, with a fresh node key),
 * "logout". Its end ends the device. Standard output, fields with tabs between:
 *	state NAME TEXT      starting, login (text: the URL, or why not), running, out
 *	trouble TEXT         why the hub is not reached
 *	self ID NAME USER ADDRESS TAGS AUTHORIZED
 *	peer ID NAME USER    of every list of devices that it is sent
 *	gone ID
 *	user ID LOGIN        of every list of users
 *	secret HEX           the node key that the hub took, for what else speaks with it (derppair)
 */
#include "base/text/text.h"
#include "core/ctlclient/ctlclient.h"
#include "os/loop/loop.h"
#include "os/stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_LEN = 4096, TAGS = 100 };

struct device;

struct link {
	struct device *of;
	enum ctlclient_conn id;
	struct stream *s;
};

struct device {
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_watch *in;
	struct ipport hub;
	struct ctlclient *c;
	struct link *link[CTL_CONNS];
	char hostname[LINE_LEN], tags[LINE_LEN];
	char line[LINE_LEN];
	size_t len;
	uint8_t secret[KEY_LEN]; /* the latest node key's */
};

static void after(struct device *d)
{
	for (int i = 0; i < CTL_CONNS; i++)
		if (d->link[i] && d->link[i]->s &&
			ctlclient_output(d->c, (enum ctlclient_conn)i).len)
			stream_wake(d->link[i]->s);
	loop_timer_set(d->timer, ctlclient_deadline(d->c));
}

static void on_connected(void *owner)
{
	struct link *k = owner;

	if (!k->of)
		return;
	ctlclient_connected(k->of->c, k->id, loop_now(k->of->loop));
	after(k->of);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct link *k = owner;
	struct device *d = k->of;

	if (!d)
		return -ERR_CLOSED;
	ctlclient_feed(d->c, k->id, view_of(p, len), loop_now(d->loop));
	after(d);
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
	struct device *d = k->of;

	if (d) {
		d->link[k->id] = NULL;
		ctlclient_closed(d->c, k->id, rc, loop_now(d->loop));
		after(d);
	}
	free(k);
}

static const struct stream_ops stream_ops = { on_connected, on_data, output, written, on_closed,
	NULL };

static void dial(void *owner, enum ctlclient_conn id, const char *host, uint16_t port,
	enum ctlclient_tls tls)
{
	struct device *d = owner;
	struct link *k = calloc(1, sizeof(*k));

	(void)host;
	(void)port;
	(void)tls;
	if (!k)
		abort();
	*k = (struct link){ .of = d, .id = id };
	if (stream_connect(d->loop, d->hub, NULL, NULL, 0, &stream_ops, k, &k->s) < 0) {
		free(k); /* the dial's own budget ends it */
		return;
	}
	d->link[id] = k;
}

static void hangup(void *owner, enum ctlclient_conn id)
{
	struct device *d = owner;

	if (!d->link[id])
		return;
	d->link[id]->of = NULL;
	stream_close(d->link[id]->s);
	d->link[id] = NULL;
}

static void describe(void *owner, struct tc_map_request *m)
{
	static struct tc_hostinfo h;
	static char text[LINE_LEN], *tag[TAGS];
	struct device *d = owner;
	char *rest = text, *word;
	size_t n = 0;

	memcpy(text, d->tags, sizeof(text));
	while (n < TAGS && (word = strsep(&rest, ",")))
		if (*word)
			tag[n++] = word;
	h = (struct tc_hostinfo){ .hostname = d->hostname,
		.os = "linux",
		.request_tags = json_list_of(tag, n),
		.backend_log_id =
			"0000000000000000000000000000000000000000000000000000000000000001" };
	m->hostinfo = &h;
}

static void new_node_key(void *owner, struct node_pub *ret)
{
	struct device *d = owner;

	key_generate(loop_rng(), d->secret);
	if (key_public(d->secret, ret->b) < 0)
		abort();
}

static void on_hub_key(void *owner, const struct machine_pub *key)
{
	(void)owner;
	(void)key;
}

static void on_registered(
	void *owner, const struct node_pub *key, const struct tc_register_response *r)
{
	struct device *d = owner;
	char hex[2 * KEY_LEN + 1];

	(void)key;
	(void)r;
	hex_encode(d->secret, KEY_LEN, hex);
	printf("secret\t%.*s\n", 2 * KEY_LEN, hex);
}

static void print_self(const struct tc_node *n)
{
	char text[IPPREFIX_TEXT_MAX] = "";

	if (n->addresses.n)
		ipaddr_format(JSON_AT(n->addresses, struct ipprefix, 0)->ip, text);
	printf("self\t%lld\t%s\t%lld\t%s\t", (long long)n->id, n->name, (long long)n->user, text);
	for (size_t i = 0; i < n->tags.n; i++)
		printf("%s%s", i ? "," : "", *JSON_AT(n->tags, const char *, i));
	printf("\t%d\n", n->machine_authorized);
}

static void print_peers(const struct json_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct tc_node *n = JSON_AT(*l, struct tc_node, i);

		printf("peer\t%lld\t%s\t%lld\n", (long long)n->id, n->name, (long long)n->user);
	}
}

static void on_map(void *owner, const struct tc_map_response *m)
{
	(void)owner;
	for (size_t i = 0; i < m->user_profiles.n; i++) {
		const struct tc_user *u = JSON_AT(m->user_profiles, struct tc_user, i);

		printf("user\t%lld\t%s\n", (long long)u->id, u->login_name);
	}
	if (m->node)
		print_self(m->node);
	print_peers(&m->peers);
	print_peers(&m->peers_changed);
	for (size_t i = 0; i < m->peers_removed.n; i++)
		printf("gone\t%lld\n", (long long)*JSON_AT(m->peers_removed, int64_t, i));
}

static void on_state(void *owner, enum ctlclient_state s, const char *text)
{
	static const char *const names[] = { [CTL_STOPPED] = "stopped",
		[CTL_CONNECTING] = "starting",
		[CTL_NEEDS_LOGIN] = "login",
		[CTL_RUNNING] = "running",
		[CTL_LOGGED_OUT] = "out" };

	(void)owner;
	printf("state\t%s\t%s\n", names[s], text ? text : "");
}

static void on_error(void *owner, const char *why)
{
	(void)owner;
	printf("trouble\t%s\n", why);
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

static void on_tick(void *ctx)
{
	struct device *d = ctx;

	ctlclient_tick(d->c, loop_now(d->loop));
	after(d);
}

static void obey(struct device *d, char *line)
{
	char *rest = line, *word = strsep(&rest, " ");
	struct now now = loop_now(d->loop);

	rest = rest ? rest : "";
	if (!strcmp(word, "hostname")) {
		snprintf(d->hostname, sizeof(d->hostname), "%s", rest);
		ctlclient_update(d->c, now);
	} else if (!strcmp(word, "tags")) {
		snprintf(d->tags, sizeof(d->tags), "%s", rest);
		ctlclient_update(d->c, now);
	} else if (!strcmp(word, "login")) {
		ctlclient_login(d->c, strcmp(rest, "-") != 0 ? rest : NULL, now);
	} else if (!strcmp(word, "logout")) {
		ctlclient_logout(d->c, now);
	} else {
		fprintf(stderr, "hubdevice: \"%s\" is no command\n", word);
	}
	after(d);
}

static void on_input(void *ctx, int events)
{
	struct device *d = ctx;
	ssize_t n = read(STDIN_FILENO, d->line + d->len, sizeof(d->line) - d->len - 1);
	char *end;

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		_exit(0);
	d->len += (size_t)n;
	while ((end = memchr(d->line, '\n', d->len))) {
		*end++ = 0;
		obey(d, d->line);
		d->len -= (size_t)(end - d->line);
		memmove(d->line, end, d->len);
	}
}

int main(int argc, char **argv)
{
	struct device d = { 0 };
	struct ctlclient_config cfg = { .url = argc > 1 ? argv[1] : "" };

	if (argc < 4 || strncmp(argv[1], "http://", 7) != 0 ||
		ipport_parse(argv[1] + 7, strlen(argv[1] + 7), &d.hub) < 0) {
		fprintf(stderr,
			"usage: hubdevice http://ADDRESS:PORT HOSTNAME AUTHKEY|- [TAG,...]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(d.hostname, sizeof(d.hostname), "%s", argv[2]);
	snprintf(d.tags, sizeof(d.tags), "%s", argc > 4 ? argv[4] : "");
	cfg.auth_key = strcmp(argv[3], "-") != 0 ? argv[3] : NULL;
	if (loop_new(&d.loop) < 0)
		return 2;
	key_generate(loop_rng(), cfg.machine.b);
	if (ctlclient_new(&d.c, &cfg, loop_rng(), &ops, &d) < 0 ||
		loop_timer_new(d.loop, on_tick, &d, &d.timer) < 0 ||
		fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0 ||
		loop_watch_new(d.loop, STDIN_FILENO, on_input, &d, &d.in) < 0)
		return 2;
	loop_watch_set(d.in, LOOP_READ);
	ctlclient_start(d.c, loop_now(d.loop));
	after(&d);
	loop_run(d.loop);
	return 0;
}
