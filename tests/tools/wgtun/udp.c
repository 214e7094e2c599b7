#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BUFFER = 7 << 20, RUN_BYTES = 65535 - 40 - 8, RUNS = 16 };

static int open_one(int family, uint16_t port, bool *gso, bool offload)
{
	const int on = 1, size = SOCKET_BUFFER, none = 0;
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	/* Best effort each: without them it is slower, or loses packets earlier. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (offload) {
		(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
		*gso = setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof(none)) == 0;
	}
	rc = family == AF_INET ? bind(fd, (struct sockaddr *)&a4, sizeof(a4)) :
				 bind(fd, (struct sockaddr *)&a6, sizeof(a6));
	if (rc < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return 0;
	return ntohs(((struct sockaddr_in *)&a)->sin_port); /* the same place in both families */
}

int udp_open(struct udp *u, uint16_t port, bool offload)
{
	struct udp n = { .fd = { -1, -1 }, .mark = u->mark };
	int rc = -EADDRINUSE;

	n.mem = malloc(UDP_READS * sizeof(*n.mem));
	if (!n.mem)
		return -ENOMEM;
	/* A port that is free on IPv4 may be taken on IPv6: with any port, try another. */
	for (int tries = 0; tries < (port ? 1 : 16); tries++) {
		n.fd[0] = open_one(AF_INET, port, &n.gso, offload);
		if (n.fd[0] < 0)
			n.port = port;
		else
			n.port = port_of(n.fd[0]);
		n.fd[1] = open_one(AF_INET6, n.port, &n.gso, offload);
		rc = n.fd[0] >= 0 ? n.fd[1] : n.fd[0];
		if (n.fd[0] >= 0 && (n.fd[1] >= 0 || n.fd[1] == -EAFNOSUPPORT)) {
			*u = n;
			return udp_set_mark(u, u->mark);
		}
		if (n.fd[0] >= 0)
			close(n.fd[0]);
		if (n.fd[1] >= 0)
			close(n.fd[1]);
	}
	free(n.mem);
	return rc < 0 ? rc : -EADDRINUSE;
}

void udp_close(struct udp *u)
{
	for (int i = 0; i < 2; i++) {
		if (u->fd[i] >= 0)
			close(u->fd[i]);
		u->fd[i] = -1;
	}
	free(u->mem);
	u->mem = NULL;
}

int udp_set_mark(struct udp *u, uint32_t mark)
{
	u->mark = mark;
	for (int i = 0; i < 2; i++)
		if (u->fd[i] >= 0 && setsockopt(u->fd[i], SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 && mark)
			return -errno;
	return 0;
}

struct wg_source udp_source(struct ipport a)
{
	struct wg_source s = { .len = a.ip.family == 4 ? 6 : 18, .host_len = a.ip.family == 4 ? 4 : 8 };
	size_t n = s.len - 2u;

	memcpy(s.b, a.ip.b, n);
	s.b[n] = (uint8_t)a.port; /* little-endian, as wireguard-go has it in cookies */
	s.b[n + 1] = (uint8_t)(a.port >> 8);
	return s;
}

struct ipport udp_address(const struct wg_source *s)
{
	struct ipport a = { 0 };

	if (s->len != 6 && s->len != 18)
		return a;
	a.ip = s->len == 6 ? ipaddr_from4(s->b) : ipaddr_from16(s->b);
	a.port = (uint16_t)(s->b[s->len - 2] | s->b[s->len - 1] << 8);
	return a;
}

static socklen_t to_sockaddr(const struct wg_source *s, struct sockaddr_storage *ret)
{
	struct ipport a = udp_address(s);
	struct sockaddr_in *a4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (a.ip.family == 4) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons(a.port);
		memcpy(&a4->sin_addr, a.ip.b, 4);
		return sizeof(*a4);
	}
	if (a.ip.family == 6) {
		a6->sin6_family = AF_INET6;
		a6->sin6_port = htons(a.port);
		memcpy(&a6->sin6_addr, a.ip.b, 16);
		return sizeof(*a6);
	}
	return 0;
}

/* How many datagrams from the first on can leave as one: side by side, one size, only the last may be shorter. */
static size_t run_length(const struct wg_packet *d, size_t n, bool gso)
{
	size_t k = 1, bytes = d[0].len;

	if (!gso)
		return 1;
	while (k < n && k < UDP_TRAIN_MAX && d[k].p == d[k - 1].p + d[k - 1].len && d[k - 1].len == d[0].len &&
		d[k].len <= d[0].len && bytes + d[k].len <= RUN_BYTES)
		bytes += d[k++].len;
	return k;
}

void udp_send(struct udp *u, const struct wg_source *to, const struct wg_packet *d, size_t n)
{
	_Alignas(struct cmsghdr) uint8_t control[RUNS][CMSG_SPACE(sizeof(uint16_t))];
	struct sockaddr_storage a;
	socklen_t a_len = to_sockaddr(to, &a);
	struct mmsghdr m[RUNS];
	struct iovec v[RUNS];
	unsigned n_runs = 0;
	int fd = u->fd[a.ss_family == AF_INET6];

	if (!a_len || fd < 0)
		return;
	for (size_t i = 0, k; i < n; i += k) {
		uint16_t size = (uint16_t)d[i].len;
		const uint8_t *end;

		k = run_length(&d[i], n - i, u->gso);
		end = d[i + k - 1].p + d[i + k - 1].len;
		v[n_runs] = (struct iovec){ d[i].p, (size_t)(end - d[i].p) };
		m[n_runs] = (struct mmsghdr){ .msg_hdr = { .msg_name = &a, .msg_namelen = a_len,
						      .msg_iov = &v[n_runs], .msg_iovlen = 1 } };
		if (k > 1) {
			struct cmsghdr *h = (struct cmsghdr *)(void *)control[n_runs];

			m[n_runs].msg_hdr.msg_control = h;
			m[n_runs].msg_hdr.msg_controllen = sizeof(control[0]);
			h->cmsg_level = IPPROTO_UDP;
			h->cmsg_type = UDP_SEGMENT;
			h->cmsg_len = CMSG_LEN(sizeof(size));
			memcpy(CMSG_DATA(h), &size, sizeof(size));
		}
		if (++n_runs == RUNS || i + k == n) {
			if (sendmmsg(fd, m, n_runs, 0) < 0 && errno == EIO)
				u->gso = false; /* the device cannot checksum: from now on one by one */
			n_runs = 0;
		}
	}
}

static struct wg_source source_of(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
	struct ipport p;

	if (a->ss_family == AF_INET)
		p = (struct ipport){ ipaddr_from4((const uint8_t *)&a4->sin_addr), ntohs(a4->sin_port) };
	else
		p = (struct ipport){ ipaddr_from16((const uint8_t *)&a6->sin6_addr), ntohs(a6->sin6_port) };
	return udp_source(p);
}

/* The size of each datagram of a train; 0: it is one. */
static size_t train_size(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			return size > 0 ? (size_t)size : 0;
		}
	return 0;
}

bool udp_receive(struct udp *u, int which, void (*fn)(void *ctx, struct wg_datagram *d, size_t n), void *ctx)
{
	_Alignas(struct cmsghdr) uint8_t control[UDP_READS][CMSG_SPACE(sizeof(int))];
	struct sockaddr_storage a[UDP_READS];
	struct wg_datagram d[WG_BATCH_MAX];
	struct mmsghdr m[UDP_READS];
	struct iovec v[UDP_READS];
	size_t n_d = 0;
	int n;

	for (int i = 0; i < UDP_READS; i++) {
		v[i] = (struct iovec){ u->mem[i], UDP_TRAIN };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &a[i], .msg_namelen = sizeof(a[i]),
						 .msg_iov = &v[i], .msg_iovlen = 1, .msg_control = control[i],
						 .msg_controllen = sizeof(control[i]) } };
	}
	n = recvmmsg(u->fd[which], m, UDP_READS, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct wg_source from = source_of(&a[i]);
		size_t size = train_size(&m[i].msg_hdr), left = m[i].msg_len;

		for (uint8_t *p = u->mem[i]; left;) {
			size_t len = size && size < left ? size : left;

			d[n_d++] = (struct wg_datagram){ .p = p, .len = len, .source = from };
			p += len;
			left -= len;
			if (n_d == WG_BATCH_MAX) {
				fn(ctx, d, n_d);
				n_d = 0;
			}
		}
	}
	if (n_d)
		fn(ctx, d, n_d);
	return n > 0;
}
