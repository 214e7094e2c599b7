/*
 * hubask: any request to a hub, inside Noise, and its answer as it is.
 *
 *	hubask ADDRESS PORT HUB-KEY-HEX MACHINE-SECRET-HEX [SOURCE-ADDRESS]
 *
 * Standard input, a line each: "PATH JSON", a POST. Standard output, a line each, fields with tabs between: status, Retry-After (or
 * "-"), "end" if the answer ended or "open" if half a second brought nothing more, and its body in base64. One request at a time;
 * exit 1 when the hub ends the connection.
 */
#include "base/text/text.h"
#include "core/ts2021/ts2021.h"
#include "os/loop/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE_LEN = 1 << 22, VERSION = 148, PATIENCE_MS = 500, FIRST_MS = 10000, BODY_MAX = 1 << 24 };

struct asker {
	int fd;
	struct ts2021 *t;
	struct ts_stream *s;
	bool ready, ended;
	int status;
	char retry[TS2021_RETRY_MAX];
	struct buf body;
};

static void die(const char *what)
{
	fprintf(stderr, "hubask: %s\n", what);
	exit(1);
}

static void on_response(void *owner, struct ts_stream *s, int status)
{
	struct asker *a = owner;

	a->status = status;
	snprintf(a->retry, sizeof(a->retry), "%s", ts_stream_retry_after(s));
}

static void on_data(void *owner, struct ts_stream *s, struct view data)
{
	(void)s;
	if (buf_append(&((struct asker *)owner)->body, data.p, data.len) < 0)
		die("the answer is too long");
}

static void on_end(void *owner, struct ts_stream *s, int rc)
{
	struct asker *a = owner;

	(void)rc;
	if (a->s == s) {
		a->ended = true;
		a->s = NULL;
	}
}

static void on_output(void *owner)
{
	(void)owner;
}

static void on_ready(void *owner)
{
	((struct asker *)owner)->ready = true;
}

static const struct ts2021_ops ops = { .on_response = on_response,
	.on_data = on_data,
	.on_end = on_end,
	.on_output = on_output,
	.on_ready = on_ready };

static void flush(struct asker *a)
{
	struct view out;

	while ((out = ts2021_output(a->t)).len) {
		ssize_t n = write(a->fd, out.p, out.len);

		if (n <= 0)
			die("the hub does not read");
		ts2021_written(a->t, (size_t)n);
	}
}

static mono_ns now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return SEC(t.tv_sec) + NSEC(t.tv_nsec);
}

/* Writes what there is and reads once. False: nothing came in that time. */
static bool turn(struct asker *a, int timeout_ms)
{
	struct pollfd p = { .fd = a->fd, .events = POLLIN };
	uint8_t in[1 << 16];
	ssize_t n;

	flush(a);
	if (poll(&p, 1, timeout_ms) <= 0)
		return false;
	n = read(a->fd, in, sizeof(in));
	if (n <= 0 || ts2021_feed(a->t, in, (size_t)n, now()) < 0)
		die("the hub ended the connection");
	return true;
}

static void ask(struct asker *a, char *line)
{
	char *body = strchr(line, ' ');
	char *text;

	if (!body)
		die("a line is PATH JSON");
	*body++ = 0;
	a->ended = false;
	a->status = 0;
	a->retry[0] = 0;
	buf_clear(&a->body);
	if (ts2021_request(a->t, "POST", line, view_of(body, strlen(body)), NULL, &a->s) < 0)
		die("the request cannot be sent");
	while (!a->ended && turn(a, a->status ? PATIENCE_MS : FIRST_MS))
		;
	text = malloc(BASE64_LEN(buf_len(&a->body)) + 1);
	if (!text)
		die("no memory");
	base64_encode(buf_data(&a->body), buf_len(&a->body), text);
	printf("%d\t%s\t%s\t%s\n", a->status, a->retry[0] ? a->retry : "-",
		a->ended ? "end" : "open", text);
	fflush(stdout);
	free(text);
	if (a->s)
		ts_stream_reset(a->s);
	a->s = NULL;
	flush(a);
}

static void open_session(struct asker *a, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argv[2])) },
			   from = { .sin_family = AF_INET };
	struct machine_pub hub;
	struct secret_machine self;

	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || strlen(argv[3]) != 64 ||
		hex_decode(argv[3], 64, hub.b) < 0 || strlen(argv[4]) != 64 ||
		hex_decode(argv[4], 64, self.b) < 0)
		die("usage: hubask ADDRESS PORT HUB-KEY-HEX MACHINE-SECRET-HEX [SOURCE-ADDRESS]");
	a->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (argv[5] && (inet_pton(AF_INET, argv[5], &from.sin_addr) != 1 ||
			       bind(a->fd, (struct sockaddr *)&from, sizeof(from)) < 0))
		die("that is no address of ours");
	if (a->fd < 0 || connect(a->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("the hub is not reached");
	if (ts2021_connect(&a->t, argv[1], &self, &hub, VERSION, loop_rng(), &ops, a) < 0)
		die("no session");
	while (!a->ready)
		if (!turn(a, FIRST_MS))
			die("the hub does not answer");
}

int main(int argc, char **argv)
{
	static char line[LINE_LEN];
	struct asker a = { 0 };

	if (argc != 5 && argc != 6)
		die("usage: hubask ADDRESS PORT HUB-KEY-HEX MACHINE-SECRET-HEX [SOURCE-ADDRESS]");
	buf_init(&a.body, BODY_MAX);
	open_session(&a, argv);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		ask(&a, line);
	}
	ts2021_free(a.t);
	buf_fini(&a.body);
	close(a.fd);
	return 0;
}
