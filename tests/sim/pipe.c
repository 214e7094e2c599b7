#include "tests/sim/pipe.h"

#include "base/err/err.h"

enum { HELLO_LEN = 517, FLIGHT_LEN = 1200 };

enum phase { OPENING, HELLO, FLIGHT, UP };

struct pipe {
	struct vnet *v;
	struct vnet_stream *s;
	struct vnet_event wake;
	const struct pipe_ops *ops;
	void *owner;
	enum phase phase;
	bool tls, finishing;
	struct node_pub key;
	size_t got; /* of the handshake */
	int busy;
	bool dead;
};

static void pipe_free(struct pipe *p)
{
	vnet_at(p->v, &p->wake, MONO_NEVER);
	free(p);
}

static void gone(struct pipe *p)
{
	p->dead = true;
	p->s = NULL;
	if (!p->busy)
		pipe_free(p);
}

static void enter(struct pipe *p)
{
	p->busy++;
}

static void leave(struct pipe *p)
{
	if (--p->busy == 0 && p->dead)
		pipe_free(p);
}

static void end_telling(struct pipe *p, int rc)
{
	const struct pipe_ops *ops = p->ops;
	void *owner = p->owner;

	gone(p);
	if (ops)
		ops->on_closed(owner, rc);
}

/* Writes until the engine has no more or the stream takes no more. False: there is more. */
static bool flush(struct pipe *p)
{
	while (!p->dead && p->ops) {
		struct view out = p->ops->output(p->owner);
		size_t n;

		if (!out.len)
			return true;
		n = vnet_write(p->s, out.p, out.len);
		if (n)
			p->ops->written(p->owner, n);
		if (n < out.len)
			return false;
	}
	return true;
}

static void on_wake(struct vnet_event *e)
{
	struct pipe *p = container_of(e, struct pipe, wake);

	if (p->phase != UP)
		return;
	enter(p);
	if (flush(p) && p->finishing && !p->dead) {
		p->s = vnet_stream_close(p->s);
		end_telling(p, 0);
	}
	leave(p);
}

void pipe_wake(struct pipe *p)
{
	if (p->phase == UP && !p->dead)
		vnet_at(p->v, &p->wake, vnet_now(p->v));
}

static void go_up(struct pipe *p)
{
	p->phase = UP;
	p->ops->on_up(p->owner, p->tls ? &p->key : NULL);
	pipe_wake(p);
}

static void on_connected(void *ctx)
{
	static const uint8_t hello[HELLO_LEN];
	struct pipe *p = ctx;

	enter(p);
	if (p->tls) {
		p->phase = FLIGHT;
		vnet_write(p->s, hello, sizeof(hello));
	} else {
		go_up(p);
	}
	leave(p);
}

static void send_flight(struct pipe *p)
{
	uint8_t flight[FLIGHT_LEN] = { 0 };

	memcpy(flight, p->key.b, KEY_LEN);
	vnet_write(p->s, flight, sizeof(flight));
	go_up(p);
}

/* The handshake's part of what came; returns its length. */
static size_t handshake(struct pipe *p, const uint8_t *b, size_t len)
{
	size_t want = p->phase == HELLO ? HELLO_LEN : FLIGHT_LEN, n = MIN_OF(len, want - p->got);

	if (p->phase == FLIGHT && p->got < KEY_LEN)
		memcpy(p->key.b + p->got, b, MIN_OF(n, KEY_LEN - p->got));
	p->got += n;
	if (p->got < want)
		return n;
	if (p->phase == HELLO)
		send_flight(p);
	else
		go_up(p);
	return n;
}

static void on_data(void *ctx, const uint8_t *b, size_t len)
{
	struct pipe *p = ctx;
	uint8_t copy[VNET_STREAM_SEGMENT];
	size_t used = 0;
	int rc = 0;

	enter(p);
	if (p->phase != UP)
		used = handshake(p, b, len);
	if (!p->dead && used < len) {
		CHECK(len - used <= sizeof(copy));
		memcpy(copy, b + used, len - used); /* engines may open it in place */
		rc = p->ops->on_data(p->owner, copy, len - used);
	}
	if (!p->dead && rc < 0) {
		p->s = vnet_stream_reset(p->s);
		end_telling(p, rc);
	} else {
		pipe_wake(p);
	}
	leave(p);
}

static void on_room(void *ctx)
{
	pipe_wake(ctx);
}

static void on_closed(void *ctx, int rc)
{
	struct pipe *p = ctx;

	enter(p);
	p->s = NULL;
	end_telling(p, rc ? rc : -ERR_CLOSED);
	leave(p);
}

static const struct vnet_stream_ops stream_ops = {
	.on_connected = on_connected, .on_data = on_data, .on_room = on_room, .on_closed = on_closed
};

static struct pipe *pipe_new(struct vnet *v, bool tls, const struct pipe_ops *ops, void *owner)
{
	struct pipe *p = calloc(1, sizeof(*p));

	CHECK(p);
	p->v = v;
	p->wake.fire = on_wake;
	p->tls = tls;
	p->ops = ops;
	p->owner = owner;
	return p;
}

struct pipe *pipe_connect(struct vnet *v, struct vnet_dev *d, struct ipport to, bool tls,
	const struct pipe_ops *ops, void *owner)
{
	struct pipe *p = pipe_new(v, tls, ops, owner);

	p->s = vnet_connect(d, to, &stream_ops, p);
	return p;
}

struct pipe *pipe_accept(struct vnet *v, struct vnet_stream *s, const struct node_pub *tls_key,
	const struct pipe_ops *ops, void *owner)
{
	struct pipe *p = pipe_new(v, tls_key != NULL, ops, owner);

	p->s = s;
	if (tls_key)
		p->key = *tls_key;
	p->phase = tls_key ? HELLO : UP;
	vnet_stream_set(s, &stream_ops, p);
	return p;
}

void pipe_set_owner(struct pipe *p, const struct pipe_ops *ops, void *owner)
{
	p->ops = ops;
	p->owner = owner;
}

struct ipport pipe_remote(const struct pipe *p)
{
	return vnet_stream_remote(p->s);
}

void pipe_finish(struct pipe *p)
{
	p->finishing = true;
	pipe_wake(p);
}

struct pipe *pipe_close(struct pipe *p)
{
	if (!p)
		return NULL;
	p->ops = NULL;
	if (p->s)
		p->s = vnet_stream_close(p->s);
	gone(p);
	return NULL;
}

struct pipe *pipe_reset(struct pipe *p)
{
	if (!p)
		return NULL;
	p->ops = NULL;
	if (p->s)
		p->s = vnet_stream_reset(p->s);
	gone(p);
	return NULL;
}
