#include "os/udp/internal.h"

#include "os/addr/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

enum { BUFFER_LEN = 7 << 20, PORT_TRIES = 16 };

/* Best effort: without it packets are lost earlier. */
static void set_buffer(int fd, int forced, int plain)
{
	const int size = BUFFER_LEN;

	if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static int set_mark(int fd, uint32_t mark)
{
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ? -errno : 0;
}

static void set_offload(struct udp_sock *s)
{
	const struct udp *u = s->udp;
	const int none = 0, gro = !u->no_gro && !u->cfg.no_offload;

	(void)setsockopt(s->fd, IPPROTO_UDP, UDP_GRO, &gro, sizeof(gro));
	s->gso = !u->no_gso && !u->cfg.no_offload &&
		 setsockopt(s->fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof(none)) == 0;
}

void udp_set_offload(struct udp *u, bool gso, bool gro)
{
	if (u->no_gso == !gso && u->no_gro == !gro)
		return;
	u->no_gso = !gso;
	u->no_gro = !gro;
	for (size_t i = 0; i < ARRAY_LEN(u->sock); i++)
		if (u->sock[i].fd >= 0)
			set_offload(&u->sock[i]);
}

static void set_options(struct udp_sock *s, int family)
{
	const int on = 1;
	const struct udp_cfg *cfg = &s->udp->cfg;

	set_buffer(s->fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(s->fd, SO_SNDBUFFORCE, SO_SNDBUF);
	(void)setsockopt(s->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	if (cfg->mark)
		(void)set_mark(s->fd,
			cfg->mark); /* no right to: then there are no rules that need it either */
	if (family == AF_INET6)
		(void)setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	set_offload(s);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return 0;
	return ntohs(((struct sockaddr_in *)&a)->sin_port); /* the same place in both families */
}

static void close_sock(struct udp_sock *s)
{
	s->watch = loop_watch_free(s->watch);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->port = 0;
	s->udp->generation++;
}

static int open_sock(struct udp_sock *s, int family, uint16_t port)
{
	struct ipport any = { .ip.family = family == AF_INET ? 4 : 6, .port = port };
	struct sockaddr_storage a;
	socklen_t len = addr_to_sockaddr(any, &a);
	int rc;

	s->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	s->overflow = 0;
	set_options(s, family);
	if (bind(s->fd, (struct sockaddr *)&a, len) == 0) {
		s->port = port_of(s->fd);
		return 0;
	}
	rc = -errno;
	close_sock(s);
	return rc;
}

static bool is_absent(int rc)
{
	return rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL || rc == -EPROTONOSUPPORT;
}

/* The same port on both. A family that the host does not have is no failure, unless both are missing. */
static int open_pair(struct udp *u, uint16_t port)
{
	int rc4 = open_sock(&u->sock[0], AF_INET, port);
	int rc6 = open_sock(&u->sock[1], AF_INET6, rc4 == 0 ? u->sock[0].port : port);

	if ((rc4 == 0 || is_absent(rc4)) && (rc6 == 0 || is_absent(rc6)) && (rc4 == 0 || rc6 == 0))
		return 0;
	close_sock(&u->sock[0]);
	close_sock(&u->sock[1]);
	return rc4 < 0 ? rc4 : rc6;
}

/* Each its own port: better than one family only. */
static int open_apart(struct udp *u)
{
	int rc4 = open_sock(&u->sock[0], AF_INET, 0), rc6 = open_sock(&u->sock[1], AF_INET6, 0);

	return rc4 == 0 || rc6 == 0 ? 0 : rc4;
}

static int open_any(struct udp *u, uint16_t wanted, uint16_t before)
{
	if (wanted && open_pair(u, wanted) == 0)
		return 0;
	if (before && before != wanted && open_pair(u, before) == 0)
		return 0;
	/* What is free on IPv4 may be taken on IPv6. */
	for (int i = 0; i < PORT_TRIES; i++)
		if (open_pair(u, 0) == 0)
			return 0;
	return open_apart(u);
}

static void on_ready(void *ctx, int events)
{
	udp_read(ctx);
}

static int watch(struct udp *u)
{
	for (int i = 0; i < 2; i++) {
		struct udp_sock *s = &u->sock[i];
		int rc = s->fd < 0 ? 0 : loop_watch_new(u->loop, s->fd, on_ready, s, &s->watch);

		if (rc < 0)
			return rc;
		if (s->watch)
			loop_watch_set(s->watch, LOOP_READ);
	}
	return 0;
}

int udp_rebind(struct udp *u, uint16_t port)
{
	uint16_t before = u->sock[0].port ? u->sock[0].port : u->sock[1].port;
	int rc;

	close_sock(&u->sock[0]);
	close_sock(&u->sock[1]);
	rc = open_any(u, port, before);
	return rc == 0 ? watch(u) : rc;
}

int udp_open(struct udp **ret, struct loop *l, const struct udp_cfg *cfg)
{
	struct udp *u =
		calloc(1, sizeof(*u)); /* the reading memory stays untouched until it is needed */
	int rc;

	if (!u)
		return -ENOMEM;
	u->loop = l;
	u->cfg = *cfg;
	for (int i = 0; i < 2; i++)
		u->sock[i] = (struct udp_sock){ .udp = u, .fd = -1 };
	rc = udp_rebind(u, cfg->port);
	if (rc < 0) {
		udp_close(u);
		return rc;
	}
	*ret = u;
	return 0;
}

struct udp *udp_close(struct udp *u)
{
	if (!u)
		return NULL;
	close_sock(&u->sock[0]);
	close_sock(&u->sock[1]);
	free(u);
	return NULL;
}

uint16_t udp_port(const struct udp *u, int family)
{
	return u->sock[family == 6].port;
}

int udp_set_mark(struct udp *u, uint32_t mark)
{
	int rc = 0;

	u->cfg.mark = mark;
	for (int i = 0; i < 2; i++)
		if (rc == 0 && u->sock[i].fd >= 0)
			rc = set_mark(u->sock[i].fd, mark);
	return rc;
}

const struct udp_counters *udp_counters(const struct udp *u)
{
	return &u->counters;
}
