/*
 * rawhub: a hub that says whatever it is told to say to the devices that ask it. One after the other, on 127.0.0.1 or another address.
 *
 *	rawhub ADDRESS:PORT
 *
 * Standard input, a line each; KEY in it is replaced by the node key of the device that it goes to:
 *	register JSON   the answer to registrations from now on; the first polls wait for "first"
 *	first JSON      a map response that each poll begins with
 *	say JSON        a map response to all polls that are open
 *	hubkey          another key of the hub from now on; connections end
 * Its end ends the program. Standard output: "ready KEY" at first, then "<-- METHOD PATH" for each request of a device, over Noise or
 * before it, and "said N" after a "say", N polls.
 */
#include "base/rng/rng.h"
#include "base/text/text.h"
#include "core/ts2021/ts2021.h"
#include "proto/tailcfg/tailcfg.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

enum { CONNS_MAX = 32, POLLS_MAX = 8, IN_MAX = 1 << 16, LINE_MAX_LEN = 8 << 20 };

struct device_poll {
	struct ts_stream *s; /* NULL: unused */
	char key[KEY_TEXT_MAX];
	struct buf out;
};

struct conn {
	int fd; /* -1: unused */
	struct ts2021 *t;
	struct buf in, out;
	bool over; /* ends when its output is written */
	struct device_poll poll[POLLS_MAX];
};

static struct conn conns[CONNS_MAX];
static struct secret_machine hub;
static struct rng_seeded rng;
static char *answer, *first;

static char *with_key(const char *json, const char *key)
{
	struct buf b;
	char *ret;

	buf_init(&b, 2 * LINE_MAX_LEN);
	for (const char *p; (p = strstr(json, "KEY")); json = p + 3)
		CHECK(buf_append(&b, json, (size_t)(p - json)) == 0 &&
			buf_append_str(&b, key) == 0);
	CHECK(buf_append(&b, json, strlen(json) + 1) == 0);
	ret = strdup((const char *)buf_data(&b));
	buf_fini(&b);
	CHECK(ret);
	return ret;
}

static void tell(struct device_poll *p, const char *json)
{
	char *text = with_key(json, p->key);
	size_t room = ZSTD_compressBound(strlen(text));
	uint8_t *frame = malloc(room + 4);
	size_t n;

	CHECK(frame);
	n = ZSTD_compress(frame + 4, room, text, strlen(text), 1);
	CHECK(!ZSTD_isError(n));
	store_le32(frame, (uint32_t)n);
	CHECK(buf_append(&p->out, frame, n + 4) == 0);
	free(frame);
	free(text);
	ts_stream_wake(p->s);
}

static void begin_poll(struct conn *c, struct ts_stream *s, const struct tc_map_request *m)
{
	for (size_t i = 0; i < POLLS_MAX; i++) {
		struct device_poll *p = &c->poll[i];

		if (p->s)
			continue;
		*p = (struct device_poll){ .s = s };
		key_format(KEY_NODE, m->node_key.b, p->key);
		buf_init(&p->out, 2 * LINE_MAX_LEN);
		ts_stream_set_owner(s, p);
		CHECK(ts_stream_begin(s, 200, NULL) == 0);
		if (first)
			tell(p, first);
		return;
	}
}

static void on_map(struct conn *c, struct ts_stream *s, struct view body)
{
	struct tc_map_request m;
	struct arena a;

	arena_init(&a, 1 << 22);
	if (json_decode(&tc_map_request_type, body.p, body.len, &m, &a, NULL) == 0 && m.stream)
		begin_poll(c, s, &m);
	else
		CHECK(ts_stream_respond(s, 200, NULL, view_of("", 0)) == 0);
	arena_fini(&a);
}

static void on_request(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	printf("<-- %s %s\n", method, path);
	if (!strcmp(path, "/machine/register"))
		CHECK(ts_stream_respond(
			      s, 200, "application/json", view_of(answer, strlen(answer))) == 0);
	else if (!strcmp(path, "/machine/map"))
		on_map(owner, s, body);
	else
		CHECK(ts_stream_respond(s, 204, NULL, view_of("", 0)) == 0);
}

static void on_end(void *owner, struct ts_stream *s, int rc)
{
	struct device_poll *p = ts_stream_owner(s);

	(void)owner;
	(void)rc;
	if (!p)
		return;
	buf_fini(&p->out);
	p->s = NULL;
}

static void fill(void *owner, struct ts_stream *s, struct buf *out)
{
	struct device_poll *p = ts_stream_owner(s);

	(void)owner;
	if (!p || !buf_len(&p->out))
		return;
	CHECK(buf_append(out, buf_data(&p->out), buf_len(&p->out)) == 0);
	buf_clear(&p->out);
}

static void nothing(void *owner)
{
	(void)owner;
}

static const struct ts2021_ops ops = {
	.on_request = on_request, .on_end = on_end, .fill = fill, .on_output = nothing
};

/* ---- Connections ---- */

static void end(struct conn *c)
{
	ts2021_free(c->t);
	buf_fini(&c->in);
	buf_fini(&c->out);
	close(c->fd);
	*c = (struct conn){ .fd = -1 };
}

static void answer_key(struct conn *c)
{
	char key[KEY_TEXT_MAX], body[128];
	struct machine_pub pub;

	CHECK(key_public(hub.b, pub.b) == 0);
	snprintf(body, sizeof(body), "{\"publicKey\":\"%s\"}", key_format(KEY_MACHINE, pub.b, key));
	CHECK(buf_printf(&c->out,
		      "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		      strlen(body), body) == 0);
	c->over = true;
}

/* The whole head is shown, a line each: what a device puts into it is what is looked at. */
static void show(struct view head)
{
	for (size_t i = 0, from = 0; i < head.len; i++)
		if (head.p[i] == '\n') {
			printf("%s %.*s\n", from ? "   " : "<--", (int)(i - from - (i > from)),
				(const char *)head.p + from);
			from = i + 1;
		}
}

static mono_ns now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return SEC(t.tv_sec) + NSEC(t.tv_nsec);
}

static int take_head(struct conn *c)
{
	const struct ts2021_server how = { .self = &hub, .rng = &rng.rng, .now = now() };
	struct http1_head h;
	size_t used;
	int rc = http1_parse(buf_data(&c->in), buf_len(&c->in), false, &h, &used);

	if (rc == HTTP1_MORE)
		return 0;
	if (rc < 0)
		return rc;
	show(view_of(buf_data(&c->in), used));
	if (http1_method_is(&h, "POST"))
		rc = ts2021_accept(&c->t, &h, &how, &ops, c);
	else
		answer_key(c);
	buf_consume(&c->in, used);
	return rc;
}

static int feed(struct conn *c)
{
	uint8_t data[16384];
	ssize_t n = read(c->fd, data, sizeof(data));
	int rc;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	if (buf_append(&c->in, data, (size_t)n) < 0)
		return -1;
	rc = c->t ? 0 : take_head(c);
	if (rc == 0 && c->t && buf_len(&c->in)) {
		rc = ts2021_feed(c->t, buf_data(&c->in), buf_len(&c->in), now());
		buf_clear(&c->in);
	}
	return rc;
}

static struct view output(struct conn *c)
{
	return buf_len(&c->out) || !c->t ? buf_view(&c->out) : ts2021_output(c->t);
}

static int flush(struct conn *c)
{
	struct view v;

	while ((v = output(c)).len) {
		ssize_t n = write(c->fd, v.p, v.len);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		if (buf_len(&c->out))
			buf_consume(&c->out, (size_t)n);
		else
			ts2021_written(c->t, (size_t)n);
	}
	return c->over ? -1 : 0;
}

static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < CONNS_MAX; i++)
		if (conns[i].fd < 0) {
			conns[i].fd = fd;
			buf_init(&conns[i].in, IN_MAX);
			buf_init(&conns[i].out, IN_MAX);
			return;
		}
	if (fd >= 0)
		close(fd);
}

/* ---- What it is told ---- */

static void say_to_all(const char *json)
{
	size_t n = 0;

	for (size_t i = 0; i < CONNS_MAX; i++)
		for (size_t k = 0; k < POLLS_MAX; k++)
			if (conns[i].fd >= 0 && conns[i].poll[k].s) {
				tell(&conns[i].poll[k], json);
				n++;
			}
	printf("said %zu\n", n);
}

static void another_key(void)
{
	key_generate(&rng.rng, hub.b);
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (conns[i].fd >= 0)
			end(&conns[i]);
}

static void told(const char *line)
{
	if (!strncmp(line, "register ", 9)) {
		free(answer);
		answer = strdup(line + 9);
	} else if (!strncmp(line, "first ", 6)) {
		free(first);
		first = strdup(line + 6);
	} else if (!strncmp(line, "say ", 4)) {
		say_to_all(line + 4);
	} else if (!strcmp(line, "hubkey")) {
		another_key();
	}
}

/* False: the input has ended. */
static bool read_lines(struct buf *in)
{
	uint8_t data[65536], *nl;
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	CHECK(buf_append(in, data, (size_t)n) == 0);
	while (buf_len(in) && (nl = memchr(buf_data(in), '\n', buf_len(in)))) {
		size_t len = (size_t)(nl - (uint8_t *)buf_data(in));

		*nl = 0;
		told((const char *)buf_data(in));
		buf_consume(in, len + 1);
	}
	return true;
}

static int listen_at(const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct ipport at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (ipport_parse(text, strlen(text), &at) < 0 || at.ip.family != 4)
		return -1;
	memcpy(&to.sin_addr, at.ip.b, 4);
	to.sin_port = htons(at.port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(fd, CONNS_MAX) < 0 ? -1
											     : fd;
}

static void turn(int listener, struct buf *lines)
{
	struct pollfd p[CONNS_MAX + 2] = { { STDIN_FILENO, POLLIN, 0 }, { listener, POLLIN, 0 } };

	for (size_t i = 0; i < CONNS_MAX; i++)
		p[i + 2] = (struct pollfd){
			.fd = conns[i].fd,
			.events = (short)(POLLIN |
					  (conns[i].fd >= 0 && output(&conns[i]).len ? POLLOUT : 0))
		};
	fflush(stdout);
	if (poll(p, ARRAY_LEN(p), -1) < 0)
		return;
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (p[i + 2].revents &&
			((p[i + 2].revents & (POLLIN | POLLHUP | POLLERR) && feed(&conns[i]) < 0) ||
				flush(&conns[i]) < 0))
			end(&conns[i]);
	if (p[1].revents)
		accept_one(listener);
	if (p[0].revents && !read_lines(lines))
		exit(0);
}

int main(int argc, char **argv)
{
	char key[KEY_TEXT_MAX];
	struct machine_pub pub;
	struct buf lines;
	uint64_t seed;
	int listener = argc == 2 ? listen_at(argv[1]) : -1;

	if (listener < 0 || getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		fprintf(stderr, "usage: rawhub ADDRESS:PORT\n");
		return 2;
	}
	rng_seeded_init(&rng, seed);
	key_generate(&rng.rng, hub.b);
	CHECK(key_public(hub.b, pub.b) == 0);
	answer = strdup(
		"{\"User\":{\"ID\":1,\"DisplayName\":\"anna\"},\"Login\":{\"ID\":1,\"LoginName\":\"anna@example\"},\"MachineAuthorized\":true}");
	for (size_t i = 0; i < CONNS_MAX; i++)
		conns[i].fd = -1;
	buf_init(&lines, LINE_MAX_LEN);
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	printf("ready %s\n", key_format(KEY_MACHINE, pub.b, key));
	for (;;)
		turn(listener, &lines);
}
