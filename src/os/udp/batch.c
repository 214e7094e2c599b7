#include "os/udp/internal.h"

#include "os/addr/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

enum {
	TRAIN_MAX =
		64, /* datagrams that the kernel cuts from one send: UDP_MAX_SEGMENTS of older kernels */
	RUN_BYTES = 65535 - 40 - 8,
	RUNS = 16, /* a call of sendmmsg */
	FULL_WAIT_MS =
		5, /* for a full socket buffer: the queue of a fast link is through by then */
};

/* One message to send: a run of datagrams. */
struct run {
	size_t first, n;
};

struct sending {
	_Alignas(struct cmsghdr) uint8_t control[RUNS][CMSG_SPACE(sizeof(uint16_t))];
	struct sockaddr_storage to;
	socklen_t to_len;
	struct mmsghdr m[RUNS];
	struct iovec v[RUNS];
	struct run run[RUNS];
	unsigned n_runs;
};

/* How many datagrams from the first on can leave as one: side by side, one size, only the last may be shorter. */
static size_t run_length(const struct pkt *d, size_t n, bool gso)
{
	size_t k = 1, bytes = d[0].len;

	if (!gso)
		return 1;
	while (k < n && k < TRAIN_MAX && d[k].p == d[k - 1].p + d[k - 1].len &&
		d[k - 1].len == d[0].len && d[k].len <= d[0].len && bytes + d[k].len <= RUN_BYTES)
		bytes += d[k++].len;
	return k;
}

static void put_segment_size(struct msghdr *h, uint8_t *control, size_t control_len, size_t len)
{
	uint16_t size = (uint16_t)len;
	struct cmsghdr *c = (struct cmsghdr *)(void *)control;

	h->msg_control = c;
	h->msg_controllen = control_len;
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
}

static void put_run(struct sending *s, const struct pkt *d, size_t first, size_t n)
{
	unsigned i = s->n_runs++;
	const struct pkt *last = &d[first + n - 1];

	s->run[i] = (struct run){ first, n };
	s->v[i] = (struct iovec){ d[first].p, (size_t)(last->p + last->len - d[first].p) };
	s->m[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &s->to,
					    .msg_namelen = s->to_len,
					    .msg_iov = &s->v[i],
					    .msg_iovlen = 1 } };
	if (n > 1)
		put_segment_size(
			&s->m[i].msg_hdr, s->control[i], sizeof(s->control[i]), d[first].len);
}

/* Runs that were not taken as such: one datagram a message. The first failure. */
static int send_singly(
	struct udp *u, struct udp_sock *sock, struct sending *s, const struct pkt *d, struct run r)
{
	int rc = 0;

	for (size_t i = r.first; i < r.first + r.n; i++) {
		u->counters.out_calls++;
		if (sendto(sock->fd, d[i].p, d[i].len, MSG_NOSIGNAL, (struct sockaddr *)&s->to,
			    s->to_len) >= 0) {
			u->counters.out++;
			continue;
		}
		rc = rc ? rc : -errno;
		if (errno == EAGAIN)
			u->counters.out_full++;
		else
			u->counters.out_failed++;
	}
	return rc;
}

static bool wait_for_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, FULL_WAIT_MS) == 1 && (p.revents & POLLOUT);
}

/* The run at `at` was refused with this error. Returns 0 when it was dealt with. */
static int on_refused(struct udp *u, struct udp_sock *sock, struct sending *s, const struct pkt *d,
	unsigned at, int err)
{
	struct run r = s->run[at];

	if (r.n > 1 && (err == EIO || err == EINVAL || err == EMSGSIZE)) {
		if (err == EIO)
			sock->gso = false; /* the device cannot checksum: from now on one by one */
		/* The others: longer than the path takes. Whole datagrams are cut by IP, trains are not. */
		return send_singly(u, sock, s, d, r);
	}
	u->counters.out_failed += r.n;
	return -err;
}

/* Sends all runs. A refused run does not keep those behind it back. */
static int flush(struct udp *u, struct udp_sock *sock, struct sending *s, const struct pkt *d)
{
	bool waited = false;
	int rc = 0;

	for (unsigned at = 0; at < s->n_runs;) {
		int n = sendmmsg(sock->fd, s->m + at, s->n_runs - at, MSG_NOSIGNAL);

		u->counters.out_calls++;
		for (int i = 0; i < n; i++)
			u->counters.out += s->run[at + (unsigned)i].n;
		if (n > 0) {
			at += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS) {
			if (!waited && (waited = true) && wait_for_room(sock->fd))
				continue;
			for (; at < s->n_runs; at++)
				u->counters.out_full += s->run[at].n;
			break;
		}
		n = on_refused(u, sock, s, d, at, errno);
		rc = rc ? rc : n;
		at++;
	}
	s->n_runs = 0;
	return rc == -EAGAIN ? 0 : rc;
}

int udp_send(struct udp *u, struct ipport to, const struct pkt *d, size_t n)
{
	struct udp_sock *sock = &u->sock[to.ip.family == 6];
	struct sending s;
	int rc = 0;

	s.n_runs = 0;
	s.to_len = addr_to_sockaddr(to, &s.to);
	if (!ipaddr_is_set(to.ip) || sock->fd < 0) {
		u->counters.out_failed += n;
		return -EAFNOSUPPORT;
	}
	for (size_t i = 0, k; i < n; i += k) {
		k = run_length(&d[i], n - i, sock->gso);
		put_run(&s, d, i, k);
		if (s.n_runs == RUNS || i + k == n) {
			int rc_flush = flush(u, sock, &s, d);

			rc = rc ? rc : rc_flush;
		}
	}
	return rc;
}

/* Returns the size of each datagram of a train; 0: it is one. */
static size_t read_control(struct udp_sock *s, struct msghdr *h)
{
	size_t size = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		uint32_t v;

		memcpy(&v, CMSG_DATA(c), sizeof(v));
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			size = v <= UDP_TRAIN ? v : 0;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
			s->udp->counters.in_overflow += v - s->overflow;
			s->overflow = v;
		}
	}
	return size;
}

struct reading {
	_Alignas(struct cmsghdr)
		uint8_t control[UDP_READS][CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint32_t))];
	struct sockaddr_storage from[UDP_READS];
	struct mmsghdr m[UDP_READS];
	struct iovec v[UDP_READS];
	struct magicsock_datagram d[UDP_BATCH_MAX];
	size_t n_d;
};

static void hand_over(struct udp *u, struct reading *r)
{
	u->counters.in += r->n_d;
	u->cfg.on_datagrams(u->cfg.ctx, r->d, r->n_d);
	r->n_d = 0;
}

/* Cuts one message into its datagrams. False: the sockets were closed meanwhile. */
static bool take(struct udp_sock *s, struct reading *r, int i)
{
	struct udp *u = s->udp;
	unsigned generation = u->generation;
	struct ipport from = addr_from_sockaddr(&r->from[i]);
	size_t size = read_control(s, &r->m[i].msg_hdr), left = r->m[i].msg_len;

	for (uint8_t *p = u->mem[i]; left;) {
		size_t len = size && size < left ? size : left;

		r->d[r->n_d++] = (struct magicsock_datagram){ .p = p, .len = len, .from = from };
		p += len;
		left -= len;
		if (r->n_d == UDP_BATCH_MAX) {
			hand_over(u, r);
			if (u->generation != generation)
				return false;
		}
	}
	return true;
}

/* False: nothing more to read now. */
static bool read_once(struct udp_sock *s)
{
	struct udp *u = s->udp;
	unsigned generation = u->generation;
	struct reading r;
	int n;

	r.n_d = 0;
	for (int i = 0; i < UDP_READS; i++) {
		r.v[i] = (struct iovec){ u->mem[i], UDP_TRAIN };
		r.m[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &r.from[i],
						   .msg_namelen = sizeof(r.from[i]),
						   .msg_iov = &r.v[i],
						   .msg_iovlen = 1,
						   .msg_control = r.control[i],
						   .msg_controllen = sizeof(r.control[i]) } };
	}
	/* A failure is word of an earlier send (a port that was closed): it is taken by this call, and the next one goes on. */
	n = recvmmsg(s->fd, r.m, UDP_READS, MSG_DONTWAIT, NULL);
	u->counters.in_calls++;
	for (int i = 0; i < n; i++)
		if (!take(s, &r, i))
			return false;
	if (r.n_d)
		hand_over(u, &r);
	return n > 0 && u->generation == generation;
}

void udp_read(struct udp_sock *s)
{
	for (int i = 0; i < UDP_ROUNDS && read_once(s); i++)
		;
}
