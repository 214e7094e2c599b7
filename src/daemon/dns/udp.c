/*
 * Exchanges over UDP. A reply counts only from the address and port that was asked, to the port that asked: that is what a connected
 * socket is for. The system chooses the port at random. A socket whose exchange ended with its reply serves the next one with the same
 * server, for some times; one that was given up is closed, so that a late reply finds nobody.
 */
#include "daemon/dns/internal.h"
#include "os/addr/addr.h"
#include "os/route/route.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_PER_TURN = 16 };

struct udp_socket {
	struct list link; /* of busy or idle */
	struct dnsd_udp *u;
	struct loop_watch *watch;
	int fd;
	struct ipport to;
	bool marked; /* it does not go into the tunnel */
	unsigned uses;
	uint64_t exchange; /* 0: idle */
	mono_ns idle_since;
};

struct dnsd_udp {
	struct dnsd_env env;
	struct list busy, idle;
	size_t n_busy, n_idle;
};

static void socket_close(struct udp_socket *s)
{
	struct dnsd_udp *u = s->u;

	list_remove(&s->link);
	*(s->exchange ? &u->n_busy : &u->n_idle) -= 1;
	loop_watch_free(s->watch);
	close(s->fd);
	free(s);
}

/* Its exchange has ended well. */
static void socket_rest(struct udp_socket *s)
{
	struct dnsd_udp *u = s->u;

	if (s->uses >= DNSD_UDP_USES_MAX || u->n_idle == DNSD_UDP_IDLE_MAX) {
		socket_close(s);
		return;
	}
	list_remove(&s->link);
	u->n_busy--;
	s->exchange = 0;
	s->idle_since = engine_now(u->env.e).mono;
	list_push_tail(&u->idle, &s->link);
	u->n_idle++;
}

static void on_ready(void *ctx, int events)
{
	struct udp_socket *s = ctx;
	struct dnsd_sink *sink = &s->u->env.sink;
	uint8_t *mem = loop_scratch(s->u->env.e->loop);
	uint64_t exchange = s->exchange;

	(void)events;
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(s->fd, mem, LOOP_SCRATCH_LEN, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (!exchange || n < 0) {
			int rc = n < 0 ? -errno : 0;

			s->u->env.n->udp_late += n >= 0;
			socket_close(s);
			if (exchange)
				sink->failed(sink->ctx, exchange, rc);
			return;
		}
		if (sink->reply(sink->ctx, exchange, view_of(mem, (size_t)n))) {
			socket_rest(s);
			return;
		}
	}
}

static int socket_open(struct dnsd_udp *u, struct ipport to, bool marked, struct udp_socket **ret)
{
	static const unsigned mark = ROUTE_MARK;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	struct udp_socket *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (!s)
		return -ENOMEM;
	*s = (struct udp_socket){ .u = u, .to = to, .marked = marked };
	list_init(&s->link);
	s->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 ||
		(marked && setsockopt(s->fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0) ||
		connect(s->fd, (struct sockaddr *)&ss, len) != 0)
		rc = -errno;
	if (rc == 0)
		rc = loop_watch_new(u->env.e->loop, s->fd, on_ready, s, &s->watch);
	if (rc < 0) {
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return rc;
	}
	loop_watch_set(s->watch, LOOP_READ);
	u->env.n->udp_sockets++;
	*ret = s;
	return 0;
}

static struct udp_socket *take_idle(struct dnsd_udp *u, struct ipport to, bool marked)
{
	list_for_each(l, &u->idle) {
		struct udp_socket *s = container_of(l, struct udp_socket, link);

		if (s->marked == marked && ipport_eq(s->to, to)) {
			list_remove(&s->link);
			u->n_idle--;
			return s;
		}
	}
	return NULL;
}

int dnsd_udp_send(struct dnsd_udp *u, uint64_t exchange, struct ipport to, struct view msg)
{
	bool marked = !engine_routes_to(u->env.e, to.ip);
	struct udp_socket *s = take_idle(u, to, marked);
	int rc = 0;

	if (!s && u->n_busy == DNSD_UDP_MAX) {
		u->env.n->udp_full++;
		return -ERR_TOO_MANY;
	}
	if (!s && (rc = socket_open(u, to, marked, &s)) < 0)
		return rc;
	s->exchange = exchange;
	s->uses++;
	list_push_tail(&u->busy, &s->link);
	u->n_busy++;
	if (send(s->fd, msg.p, msg.len, MSG_NOSIGNAL) < 0) {
		rc = -errno;
		socket_close(s);
	}
	return rc;
}

bool dnsd_udp_cancel(struct dnsd_udp *u, uint64_t exchange)
{
	list_for_each(l, &u->busy) {
		struct udp_socket *s = container_of(l, struct udp_socket, link);

		if (s->exchange == exchange) {
			socket_close(s);
			return true;
		}
	}
	return false;
}

void dnsd_udp_tick(struct dnsd_udp *u, mono_ns now)
{
	list_for_each_safe(l, &u->idle) {
		struct udp_socket *s = container_of(l, struct udp_socket, link);

		if (now >= s->idle_since + SEC(DNSD_UDP_IDLE_S))
			socket_close(s);
	}
}

mono_ns dnsd_udp_deadline(const struct dnsd_udp *u)
{
	/* The first one rests longest. */
	return list_empty(&u->idle)
		       ? MONO_NEVER
		       : container_of(u->idle.next, struct udp_socket, link)->idle_since +
				 SEC(DNSD_UDP_IDLE_S);
}

void dnsd_udp_close_all(struct dnsd_udp *u)
{
	list_for_each_safe(l, &u->busy)
		socket_close(container_of(l, struct udp_socket, link));
	list_for_each_safe(l, &u->idle)
		socket_close(container_of(l, struct udp_socket, link));
}

int dnsd_udp_new(struct dnsd_udp **ret, const struct dnsd_env *env)
{
	struct dnsd_udp *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->env = *env;
	list_init(&u->busy);
	list_init(&u->idle);
	*ret = u;
	return 0;
}

struct dnsd_udp *dnsd_udp_free(struct dnsd_udp *u)
{
	if (u)
		dnsd_udp_close_all(u);
	free(u);
	return NULL;
}
