/*
 * Programs on this device that ask over TCP (RFC 7766). Their packets for the service address are turned round by core/quad100 and
 * come to a listener on an address of ours, from the service address: who comes from anywhere else is not one of them. Questions of
 * one connection are answered in any order.
 */
#include "daemon/dns/internal.h"
#include "os/log/log.h"
#include "os/stream/stream.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <stdlib.h>

enum { LEN = 2 };

struct client {
	struct list link;
	struct dnsd_listeners *t;
	struct dnsd_asker asker;
	struct stream *s;
	struct buf in, out;
	mono_ns idle_since;
};

struct dnsd_listeners {
	struct dnsd *d;
	struct loop *loop;
	struct dnsd_io_counters *n;
	struct ipaddr own[2];
	struct listener *at[2];
	struct list clients;
	size_t n_clients;
};

static void client_free(struct client *c)
{
	dnsd_leave(c->t->d, &c->asker);
	list_remove(&c->link);
	c->t->n_clients--;
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

/* An answer that has no room ends the connection: its client would wait for it in vain. */
static void on_answer(struct dnsd_asker *a, struct view msg)
{
	struct client *c = container_of(a, struct client, asker);
	uint8_t len[LEN];

	store_be16(len, (uint16_t)msg.len);
	if (buf_append(&c->out, len, LEN) < 0 || buf_append(&c->out, msg.p, msg.len) < 0)
		stream_close(c->s);
	else
		stream_wake(c->s);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct client *c = owner;
	int rc = buf_append(&c->in, p, len);

	c->idle_since = loop_now(c->t->loop).mono;
	while (rc == 0 && buf_len(&c->in) >= LEN) {
		size_t n = load_be16(buf_data(&c->in));

		if (n > DNS_ASK_MAX)
			return -ERR_TOO_BIG;
		if (buf_len(&c->in) < LEN + n)
			break;
		if (!dnsd_ask(c->t->d, &c->asker, view_of(buf_data(&c->in) + LEN, n)))
			rc = -ERR_BAD_FORMAT;
		buf_consume(&c->in, LEN + n);
	}
	return rc;
}

static bool is_full(void *owner)
{
	return buf_len(&((struct client *)owner)->out) > DNSD_CLIENT_OUT_MAX / 2;
}

static struct view on_output(void *owner)
{
	return buf_view(&((struct client *)owner)->out);
}

static void on_written(void *owner, size_t n)
{
	struct client *c = owner;

	buf_consume(&c->out, n);
	c->idle_since = loop_now(c->t->loop).mono;
}

static void on_closed(void *owner, int rc)
{
	(void)rc;
	client_free(owner);
}

static const struct stream_ops ops = {
	.on_data = on_data,
	.output = on_output,
	.written = on_written,
	.on_closed = on_closed,
	.full = is_full,
};

static void on_client(void *ctx, struct stream *s)
{
	struct dnsd_listeners *t = ctx;
	struct ipport from = stream_peer(s);
	struct client *c;

	if (!ipaddr_eq(from.ip, tsaddr_service) && !ipaddr_eq(from.ip, tsaddr_service6)) {
		t->n->tcp_strangers++;
		stream_close(s);
		return;
	}
	c = t->n_clients < DNSD_CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		t->n->tcp_full++;
		stream_close(s);
		return;
	}
	*c = (struct client){ .t = t, .s = s, .idle_since = loop_now(t->loop).mono };
	c->asker =
		(struct dnsd_asker){ .group = (uint64_t)1 << 32 | from.port, .answer = on_answer };
	dnsd_join(t->d, &c->asker);
	buf_init(&c->in, LEN + DNS_ASK_MAX + STREAM_READ_MAX);
	buf_init(&c->out, DNSD_CLIENT_OUT_MAX);
	list_push_tail(&t->clients, &c->link);
	t->n_clients++;
	t->n->tcp_clients++;
	stream_set_owner(s, &ops, c);
}

void dnsd_listeners_set(
	struct dnsd_listeners *t, const struct ipaddr own[static 2], struct ipport ret[static 2])
{
	for (size_t i = 0; i < 2; i++) {
		int rc = 0;

		if (!ipaddr_eq(own[i], t->own[i]) || (ipaddr_is_set(own[i]) && !t->at[i])) {
			t->at[i] = listener_close(t->at[i]);
			t->own[i] = own[i];
			if (ipaddr_is_set(own[i]))
				rc = stream_listen(t->loop, (struct ipport){ own[i], 0 }, NULL,
					on_client, t, &t->at[i]);
		}
		if (rc < 0)
			log_warn("dns", "names cannot be asked for over TCP", "family=%d err=%s",
				own[i].family, err_text(rc));
		ret[i] = t->at[i] ? listener_addr(t->at[i]) : (struct ipport){ .port = 0 };
	}
}

static mono_ns rests_until(const struct client *c)
{
	return c->idle_since + SEC(DNSD_CLIENT_IDLE_S);
}

void dnsd_listeners_tick(struct dnsd_listeners *t, mono_ns now)
{
	list_for_each_safe(l, &t->clients) {
		struct client *c = container_of(l, struct client, link);

		if (now >= rests_until(c)) {
			c->idle_since = now; /* closed from the loop */
			stream_close(c->s);
		}
	}
}

mono_ns dnsd_listeners_deadline(const struct dnsd_listeners *t)
{
	mono_ns at = MONO_NEVER;

	list_for_each(l, &t->clients)
		at = MIN_OF(at, rests_until(container_of(l, struct client, link)));
	return at;
}

int dnsd_listeners_new(
	struct dnsd_listeners **ret, struct dnsd *d, struct loop *l, struct dnsd_io_counters *n)
{
	struct dnsd_listeners *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*t = (struct dnsd_listeners){ .d = d, .loop = l, .n = n };
	list_init(&t->clients);
	*ret = t;
	return 0;
}

struct dnsd_listeners *dnsd_listeners_free(struct dnsd_listeners *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < 2; i++)
		t->at[i] = listener_close(t->at[i]);
	list_for_each_safe(l, &t->clients) {
		struct client *c = container_of(l, struct client, link);

		stream_set_owner(c->s, NULL, NULL);
		stream_close(c->s);
		client_free(c);
	}
	free(t);
	return NULL;
}
