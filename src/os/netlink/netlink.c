#include "os/netlink/netlink.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
	BATCH_CHANGES = 64, /* their answers fit into a socket's default buffer */
	CHANGE_MAX = 256,   /* bytes of one change */
	BUF_LEN = 32768,    /* the most that the kernel puts into one answer */
	DUMP_TRIES = 4,     /* of a dump that somebody disturbs */
};

struct change {
	uint32_t seq;
	int fine, fine_too;
};

struct netlink {
	struct mnl_socket *sock;
	unsigned port;
	uint32_t seq;
	int failed; /* the first, since the last flush */
	size_t n_changes, out_len;
	struct nlmsghdr *open; /* between begin and end */
	struct change change[BATCH_CHANGES];
	_Alignas(struct nlmsghdr) uint8_t out[BATCH_CHANGES * CHANGE_MAX];
	_Alignas(struct nlmsghdr) uint8_t in[BUF_LEN];
};

int netlink_open(struct netlink **ret, int bus)
{
	struct netlink *nl = NEW_WITH_BUFFERS(struct netlink, change);
	const struct timeval timeout = {
		.tv_sec = 3
	}; /* the kernel answers at once: a belt over the braces */
	const int on = 1;
	int rc;

	if (!nl)
		return -ENOMEM;
	nl->sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		rc = -errno;
		netlink_close(nl);
		return rc;
	}
	/* Dumps of one table only, errors without the request in them: faster where the kernel can. */
	(void)mnl_socket_setsockopt(
		nl->sock, NETLINK_GET_STRICT_CHK, (void *)(uintptr_t)&on, sizeof(on));
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, (void *)(uintptr_t)&on, sizeof(on));
	(void)setsockopt(
		mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	nl->port = mnl_socket_get_portid(nl->sock);
	*ret = nl;
	return 0;
}

struct netlink *netlink_close(struct netlink *nl)
{
	if (nl && nl->sock)
		mnl_socket_close(nl->sock);
	free(nl);
	return NULL;
}

struct dump {
	netlink_fn fn;
	void *ctx;
};

static int on_dump(const struct nlmsghdr *h, void *ctx)
{
	struct dump *d = ctx;

	d->fn(d->ctx, h);
	return MNL_CB_OK;
}

static int ask_once(struct netlink *nl, struct nlmsghdr *h, struct dump *d)
{
	int rc = MNL_CB_OK;

	h->nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->sock, h, h->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, nl->in, sizeof(nl->in));

		if (n < 0)
			return -errno;
		rc = mnl_cb_run(nl->in, (size_t)n, nl->seq, nl->port, on_dump, d);
		if (rc < 0 && errno == EPROTO)
			rc = MNL_CB_OK; /* another number: the rest of an answer that was given up */
	}
	return rc < 0 ? -errno : 0;
}

int netlink_ask(struct netlink *nl, struct nlmsghdr *h, netlink_fn fn, void *ctx)
{
	struct dump d = { fn, ctx };
	int rc = -EINTR;

	for (int i = 0; i < DUMP_TRIES && rc == -EINTR; i++)
		rc = ask_once(nl, h, &d);
	return rc;
}

int netlink_dump(struct netlink *nl, uint16_t type, const void *hdr, size_t hdr_len, netlink_fn fn,
	void *ctx)
{
	_Alignas(struct nlmsghdr) uint8_t ask[CHANGE_MAX]; /* changes may be waiting in nl->out */
	struct nlmsghdr *h = mnl_nlmsg_put_header(ask);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	memcpy(mnl_nlmsg_put_extra_header(h, hdr_len), hdr, hdr_len);
	return netlink_ask(nl, h, fn, ctx);
}

struct nlmsghdr *netlink_begin(
	struct netlink *nl, uint16_t type, uint16_t flags, const void *hdr, size_t hdr_len)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(nl->out + nl->out_len);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = ++nl->seq;
	memcpy(mnl_nlmsg_put_extra_header(h, hdr_len), hdr, hdr_len);
	nl->open = h;
	return h;
}

void netlink_end(struct netlink *nl, int fine, int fine_too)
{
	CHECK(nl->open->nlmsg_len <= CHANGE_MAX);
	nl->change[nl->n_changes++] = (struct change){ nl->open->nlmsg_seq, fine, fine_too };
	nl->out_len += MNL_ALIGN(nl->open->nlmsg_len);
	nl->open = NULL;
	if (nl->n_changes == BATCH_CHANGES) {
		int rc = netlink_flush(nl);

		nl->failed = rc;
	}
}

static void on_answer(struct netlink *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	for (size_t i = 0; i < nl->n_changes; i++) {
		const struct change *c = &nl->change[i];

		if (c->seq == h->nlmsg_seq && e->error && -e->error != c->fine &&
			-e->error != c->fine_too && !nl->failed)
			nl->failed = e->error;
	}
}

/* Reads answers until the last change has its own. */
static int read_answers(struct netlink *nl)
{
	for (uint32_t last = nl->change[nl->n_changes - 1].seq;;) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, nl->in, sizeof(nl->in));
		const struct nlmsghdr *h = (const void *)nl->in;
		int left = (int)n;

		if (n < 0)
			return -errno;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			on_answer(nl, h);
			if (h->nlmsg_seq == last)
				return 0;
		}
	}
}

int netlink_flush(struct netlink *nl)
{
	int rc = 0;

	if (nl->n_changes) {
		rc = mnl_socket_sendto(nl->sock, nl->out, nl->out_len) < 0 ? -errno
									   : read_answers(nl);
		nl->n_changes = nl->out_len = 0;
	}
	if (nl->failed)
		rc = nl->failed;
	nl->failed = 0;
	return rc;
}

bool netlink_is_own(const struct netlink *nl, const struct nlmsghdr *h)
{
	return h->nlmsg_pid == nl->port;
}

struct attrs {
	const struct nlattr **tb;
	size_t n_tb;
};

static int on_attr(const struct nlattr *a, void *ctx)
{
	struct attrs *t = ctx;

	if (mnl_attr_get_type(a) < t->n_tb)
		t->tb[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

void netlink_attrs(const struct nlmsghdr *h, size_t hdr_len, const struct nlattr **tb, size_t n_tb)
{
	struct attrs t = { tb, n_tb };

	memset(tb, 0, n_tb * sizeof(*tb));
	(void)mnl_attr_parse(
		h, (unsigned)hdr_len, on_attr, &t); /* it only stops early where we say so */
}

uint32_t netlink_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) == 4 ? mnl_attr_get_u32(a) : 0;
}

struct ipaddr netlink_addr(const struct nlattr *a, int family)
{
	struct ipaddr ip = { 0 };
	size_t n = family == AF_INET ? 4 : 16;

	if (!a || mnl_attr_get_payload_len(a) != n)
		return ip;
	ip.family = family == AF_INET ? 4 : 6;
	memcpy(ip.b, mnl_attr_get_payload(a), n);
	return ip;
}

void netlink_put_addr(struct nlmsghdr *h, uint16_t type, struct ipaddr a)
{
	mnl_attr_put(h, type, a.family == 4 ? 4 : 16, a.b);
}

struct netlink_monitor {
	struct mnl_socket *sock;
	struct loop_watch *watch;
	netlink_fn fn;
	void *ctx;
	bool in_callback, closed;
	_Alignas(struct nlmsghdr) uint8_t in[BUF_LEN];
};

static void free_monitor(struct netlink_monitor *m)
{
	loop_watch_free(m->watch);
	if (m->sock)
		mnl_socket_close(m->sock);
	free(m);
}

static void on_readable(void *ctx, int events)
{
	struct netlink_monitor *m = ctx;

	m->in_callback = true;
	while (!m->closed) {
		ssize_t n = recv(
			mnl_socket_get_fd(m->sock), m->in, sizeof(m->in), MSG_DONTWAIT | MSG_TRUNC);
		const struct nlmsghdr *h = (const void *)m->in;
		int left = (int)n;

		if (n < 0 && errno != ENOBUFS)
			break;
		if (n < 0 || (size_t)n > sizeof(m->in)) {
			m->fn(m->ctx, NULL);
			continue;
		}
		for (; mnl_nlmsg_ok(h, left) && !m->closed; h = mnl_nlmsg_next(h, &left))
			m->fn(m->ctx, h);
	}
	m->in_callback = false;
	if (m->closed)
		free_monitor(m);
}

int netlink_monitor_open(struct netlink_monitor **ret, struct loop *l, int bus, const int *groups,
	size_t n_groups, netlink_fn fn, void *ctx)
{
	struct netlink_monitor *m = NEW_WITH_BUFFERS(struct netlink_monitor, in);
	int rc = 0;

	if (!m)
		return -ENOMEM;
	m->fn = fn;
	m->ctx = ctx;
	m->sock = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!m->sock || mnl_socket_bind(m->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		rc = -errno;
	for (size_t i = 0; rc == 0 && i < n_groups; i++)
		if (mnl_socket_setsockopt(m->sock, NETLINK_ADD_MEMBERSHIP,
			    (void *)(uintptr_t)&groups[i], sizeof(int)) < 0)
			rc = -errno;
	if (rc == 0)
		rc = loop_watch_new(l, mnl_socket_get_fd(m->sock), on_readable, m, &m->watch);
	if (rc < 0) {
		free_monitor(m);
		return rc;
	}
	loop_watch_set(m->watch, LOOP_READ);
	*ret = m;
	return 0;
}

struct netlink_monitor *netlink_monitor_close(struct netlink_monitor *m)
{
	if (!m)
		return NULL;
	m->closed = true;
	if (!m->in_callback)
		free_monitor(m);
	return NULL;
}
