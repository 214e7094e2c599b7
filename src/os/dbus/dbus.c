#include "os/dbus/dbus.h"
#include "base/text/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OUT_MAX = 256 << 10, IN_MAX = DBUS_MESSAGE_MAX + 4096, CHUNK = 16384 };

struct call {
	uint32_t serial; /* 0: free */
	dbus_fn fn;
	mono_ns deadline;
};

struct dbus {
	struct dbus_cfg cfg;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *timer;
	struct buf in, out, message; /* message: being written */
	bool authenticated;
	bool *gone; /* set when it is closed within a callback */
	uint32_t serial;
	struct call call[DBUS_CALLS_MAX];
};

static const char bus_name[] = "org.freedesktop.DBus";

/* ---- the end ---- */

struct dbus *dbus_close(struct dbus *b)
{
	if (!b)
		return NULL;
	if (b->gone)
		*b->gone = true;
	loop_watch_free(b->watch);
	loop_timer_free(b->timer);
	if (b->fd >= 0) {
		if (b->authenticated && buf_len(&b->out))
			(void)!send(b->fd, buf_data(&b->out), buf_len(&b->out), MSG_NOSIGNAL);
		close(b->fd);
	}
	buf_fini(&b->in);
	buf_fini(&b->out);
	buf_fini(&b->message);
	free(b);
	return NULL;
}

/* True: b was closed by the one who was told. */
static bool answer(
	struct dbus *b, struct call *c, int rc, const struct dbus_head *h, struct dbus_in *body)
{
	dbus_fn fn = c->fn;
	bool gone = false, *outer = b->gone;

	*c = (struct call){ 0 };
	b->gone = &gone;
	fn(b->cfg.ctx, rc, h, body);
	if (gone) {
		if (outer)
			*outer = true;
		return true;
	}
	b->gone = outer;
	return false;
}

static void lose(struct dbus *b, int rc)
{
	if (b->fd < 0)
		return;
	b->watch = loop_watch_free(b->watch);
	close(b->fd);
	b->fd = -1;
	for (size_t i = 0; i < DBUS_CALLS_MAX; i++)
		if (b->call[i].serial && answer(b, &b->call[i], -ERR_CLOSED, NULL, NULL))
			return;
	b->cfg.on_lost(b->cfg.ctx, rc);
}

/* ---- time ---- */

static void arm(struct dbus *b)
{
	mono_ns at = MONO_NEVER;

	for (size_t i = 0; i < DBUS_CALLS_MAX; i++)
		if (b->call[i].serial && b->call[i].deadline < at)
			at = b->call[i].deadline;
	loop_timer_set(b->timer, at);
}

static void on_timer(void *ctx)
{
	struct dbus *b = ctx;
	mono_ns now = loop_now(b->cfg.loop).mono;

	for (size_t i = 0; i < DBUS_CALLS_MAX; i++)
		if (b->call[i].serial && b->call[i].deadline <= now &&
			answer(b, &b->call[i], -ETIMEDOUT, NULL, NULL))
			return;
	arm(b);
}

/* ---- bytes out ---- */

static void flush(struct dbus *b)
{
	while (b->fd >= 0 && buf_len(&b->out)) {
		ssize_t n = send(b->fd, buf_data(&b->out), buf_len(&b->out), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* a broken connection is seen by reading */
		buf_consume(&b->out, (size_t)n);
	}
	if (b->watch)
		loop_watch_set(b->watch, buf_len(&b->out) ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

/* Until the bus has said OK, messages wait behind the words of the authentication. */
static int send_message(struct dbus *b)
{
	int rc = buf_append(&b->out, buf_data(&b->message), buf_len(&b->message));

	buf_clear(&b->message);
	if (rc == 0 && b->authenticated)
		flush(b);
	return rc;
}

/* ---- calls ---- */

static struct call *free_call(struct dbus *b)
{
	for (size_t i = 0; i < DBUS_CALLS_MAX; i++)
		if (!b->call[i].serial)
			return &b->call[i];
	return NULL;
}

void dbus_begin(struct dbus *b, struct dbus_out *o, const struct dbus_method *m)
{
	buf_clear(&b->message);
	dbus_call_begin(o, &b->message, m, DBUS_NO_AUTO_START);
}

int dbus_end(struct dbus *b, struct dbus_out *o, dbus_fn fn)
{
	struct call *c = free_call(b);
	int rc = !c ? -ERR_TOO_MANY : b->fd < 0 ? -ERR_CLOSED : 0;

	b->serial += b->serial == UINT32_MAX ? 2 : 1;
	if (rc == 0)
		rc = dbus_call_end(o, b->serial);
	if (rc == 0 && !fn)
		b->message.mem[b->message.head + 2] |= DBUS_NO_REPLY;
	if (rc == 0)
		rc = send_message(b);
	if (rc == 0 && fn) {
		*c = (struct call){ .serial = b->serial,
			.fn = fn,
			.deadline = mono_add(loop_now(b->cfg.loop).mono, DBUS_CALL_TIMEOUT) };
		arm(b);
	}
	return rc;
}

static int call_bus(struct dbus *b, const char *member, const char *arg, dbus_fn fn)
{
	const struct dbus_method m = { bus_name, "/org/freedesktop/DBus", bus_name, member,
		arg ? "s" : "" };
	struct dbus_out o;

	dbus_begin(b, &o, &m);
	if (arg)
		dbus_put_text(&o, view_of(arg, strlen(arg)));
	return dbus_end(b, &o, fn);
}

int dbus_match(struct dbus *b, const char *rule)
{
	return call_bus(b, "AddMatch", rule, NULL);
}

int dbus_has_owner(struct dbus *b, const char *name, dbus_fn fn)
{
	return call_bus(b, "NameHasOwner", name, fn);
}

int dbus_get_property(struct dbus *b, const char *destination, const char *path,
	const char *interface, const char *name, dbus_fn fn)
{
	const struct dbus_method m = { destination, path, "org.freedesktop.DBus.Properties", "Get",
		"ss" };
	struct dbus_out o;

	dbus_begin(b, &o, &m);
	dbus_put_text(&o, view_of(interface, strlen(interface)));
	dbus_put_text(&o, view_of(name, strlen(name)));
	return dbus_end(b, &o, fn);
}

/* ---- bytes in ---- */

static struct call *call_of(struct dbus *b, uint32_t serial)
{
	for (size_t i = 0; i < DBUS_CALLS_MAX; i++)
		if (serial && b->call[i].serial == serial)
			return &b->call[i];
	return NULL;
}

/* True: b was closed. */
static bool take_message(struct dbus *b, const struct dbus_head *h, struct dbus_in *body)
{
	struct call *c = call_of(b, h->reply_serial);
	bool gone = false;

	if (c && (h->kind == DBUS_RETURN || h->kind == DBUS_ERROR))
		return answer(b, c, h->kind == DBUS_ERROR ? -ERR_PEER : 0, h, body);
	if (h->kind != DBUS_SIGNAL || !b->cfg.on_signal)
		return false; /* a call of us has no answer: we offer nothing */
	b->gone = &gone;
	b->cfg.on_signal(b->cfg.ctx, h, body);
	if (!gone)
		b->gone = NULL;
	return gone;
}

/* "OK <guid>" is all that we accept: who we are is known by the socket. */
static int authenticate(struct dbus *b)
{
	const uint8_t *p = buf_data(&b->in), *end = memchr(p, '\n', buf_len(&b->in));

	if (!end)
		return buf_len(&b->in) > 512 ? -ERR_BAD_FORMAT : DBUS_MORE;
	if (buf_len(&b->in) < 3 || memcmp(p, "OK ", 3) != 0)
		return -ERR_DENIED;
	buf_consume(&b->in, (size_t)(end - p) + 1);
	b->authenticated = true;
	flush(b);
	return 0;
}

/* 0; DBUS_MORE; negative: the bus speaks nonsense. *gone: b was closed. */
static int take_one(struct dbus *b, bool *gone)
{
	struct dbus_head h;
	struct dbus_in body;
	size_t used;
	int rc;

	if (!b->authenticated)
		return authenticate(b);
	rc = dbus_parse(buf_data(&b->in), buf_len(&b->in), &h, &body, &used);
	if (rc != 0)
		return rc;
	*gone = take_message(b, &h, &body);
	if (!*gone)
		buf_consume(&b->in, used);
	return 0;
}

/* What came; a negative result: the connection has ended. */
static int receive(struct dbus *b)
{
	uint8_t *room;
	ssize_t n;
	int rc = buf_reserve(&b->in, CHUNK, &room);

	if (rc < 0)
		return rc;
	n = recv(b->fd, room, CHUNK, 0);
	if (n > 0)
		buf_commit(&b->in, (size_t)n);
	if (n == 0)
		return -ERR_CLOSED;
	return n > 0 || errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static void on_event(void *ctx, int events)
{
	struct dbus *b = ctx;
	bool gone = false;
	int ended = 0, rc;

	if (events & LOOP_WRITE)
		flush(b);
	if (events & LOOP_READ)
		ended = receive(b);
	do {
		rc = take_one(b, &gone);
		if (gone)
			return;
	} while (rc == 0 && b->fd >= 0);
	if (rc < 0 || ended < 0)
		lose(b, rc < 0 ? rc : ended);
	else
		arm(b);
}

/* ---- the beginning ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* Our number in decimal, and that in hex: the words of EXTERNAL. */
static int greet(struct dbus *b)
{
	char uid[24], hex[48], text[96];
	int n = snprintf(uid, sizeof(uid), "%lu", (unsigned long)geteuid());

	hex_encode((const uint8_t *)uid, (size_t)n, hex);
	n = snprintf(text, sizeof(text), "%cAUTH EXTERNAL %s\r\n", 0, hex);
	if (send(b->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return -EIO;
	return buf_append_str(&b->out, "BEGIN\r\n");
}

static void on_hello(void *ctx, int rc, const struct dbus_head *h, struct dbus_in *body)
{
	/* Our own name is of no use; if it is refused, so is all that follows. */
}

static int begin(struct dbus *b)
{
	int rc = loop_timer_new(b->cfg.loop, on_timer, b, &b->timer);

	if (rc == 0)
		rc = loop_watch_new(b->cfg.loop, b->fd, on_event, b, &b->watch);
	if (rc == 0)
		rc = greet(b);
	if (rc == 0)
		rc = call_bus(b, "Hello", NULL, on_hello);
	if (rc == 0)
		loop_watch_set(b->watch, LOOP_READ);
	return rc;
}

int dbus_open(struct dbus **ret, const struct dbus_cfg *cfg)
{
	struct dbus *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return -ENOMEM;
	b->cfg = *cfg;
	buf_init(&b->in, IN_MAX);
	buf_init(&b->out, OUT_MAX);
	buf_init(&b->message, DBUS_MESSAGE_MAX);
	b->fd = connect_to(cfg->socket);
	rc = b->fd < 0 ? b->fd : begin(b);
	if (rc < 0) {
		dbus_close(b);
		return rc;
	}
	*ret = b;
	return 0;
}
