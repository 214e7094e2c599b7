/* nf_tables over netlink: batches, dumps. Blocking, because the kernel answers at once. */
#include "os/firewall/internal.h"

#include <errno.h>
#include <sys/time.h>

enum {
	BATCH_LEN = 65536,
	MESSAGE_MAX = 2048, /* bytes of one change */
	ASK_MAX = 256,
};

struct nft {
	struct netlink *ask;
	struct mnl_socket *sock;   /* owns our table */
	uint32_t seq, first, last; /* of the batch */
	size_t len;
	bool full;
	_Alignas(struct nlmsghdr) uint8_t out[BATCH_LEN];
	_Alignas(struct nlmsghdr) uint8_t in[8192];
};

int nft_open(struct nft **ret)
{
	struct nft *k = NEW_WITH_BUFFERS(struct nft, out);
	const struct timeval timeout = { .tv_sec = 3 };
	const int size = 1 << 20; /* a batch has as many answers as changes */
	int rc;

	if (!k)
		return -ENOMEM;
	rc = netlink_open(&k->ask, NETLINK_NETFILTER);
	if (rc == 0) {
		k->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
		if (!k->sock || mnl_socket_bind(k->sock, 0, MNL_SOCKET_AUTOPID) < 0)
			rc = -errno;
	}
	if (rc < 0) {
		nft_close(k);
		return rc;
	}
	(void)setsockopt(
		mnl_socket_get_fd(k->sock), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(mnl_socket_get_fd(k->sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*ret = k;
	return 0;
}

struct nft *nft_close(struct nft *k)
{
	if (k) {
		netlink_close(k->ask);
		if (k->sock)
			mnl_socket_close(k->sock);
	}
	free(k);
	return NULL;
}

/* resource: of the kernel, for the ends of a batch; else 0. */
static struct nlmsghdr *put_header(
	void *mem, uint16_t type, uint16_t family, uint16_t flags, uint32_t seq, uint16_t resource)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(mem);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	g->nfgen_family = (uint8_t)family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(resource);
	return h;
}

void nft_begin(struct nft *k)
{
	k->full = false;
	k->first = k->last = ++k->seq;
	k->len =
		put_header(k->out, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, 0, k->seq, NFNL_SUBSYS_NFTABLES)
			->nlmsg_len;
}

/* The length of the last change is known only when the next one begins. */
static void close_last(struct nft *k)
{
	const struct nlmsghdr *h = (const void *)(k->out + k->len);

	if (k->last != k->first)
		k->len += MNL_ALIGN(h->nlmsg_len);
}

struct nlmsghdr *nft_add(struct nft *k, uint16_t type, uint16_t family, uint16_t flags)
{
	close_last(k);
	if (k->len + 2 * MESSAGE_MAX > sizeof(k->out)) {
		k->full = true; /* and nothing of it is sent; this one is overwritten */
		k->len = sizeof(k->out) - 2 * MESSAGE_MAX;
	}
	k->last = ++k->seq;
	return put_header(k->out + k->len, NFNL_SUBSYS_NFTABLES << 8 | type, family,
		flags | NLM_F_ACK, k->seq, 0);
}

/* Each change has an answer, in order; the first failure counts. */
static int read_answers(struct nft *k)
{
	int failed = 0;

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(k->sock, k->in, sizeof(k->in));
		const struct nlmsghdr *h = (const void *)k->in;
		int left = (int)n;

		if (n < 0)
			return -errno;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR ||
				h->nlmsg_seq - k->first > k->seq - k->first)
				continue;
			if (e->error && !failed)
				failed = e->error;
			/* The batch as a whole is refused: no more answers come. */
			if (h->nlmsg_seq == k->last || (e->error && h->nlmsg_seq == k->first))
				return failed;
		}
	}
}

int nft_commit(struct nft *k)
{
	close_last(k);
	if (k->last == k->first || k->full)
		return k->full ? -ENOBUFS : 0;
	k->len += put_header(
		k->out + k->len, NFNL_MSG_BATCH_END, AF_UNSPEC, 0, ++k->seq, NFNL_SUBSYS_NFTABLES)
			  ->nlmsg_len;
	if (mnl_socket_sendto(k->sock, k->out, k->len) < 0)
		return -errno;
	return read_answers(k);
}

static struct nlmsghdr *question(void *mem, uint16_t type, uint32_t family, uint16_t flags)
{
	return put_header(mem, NFNL_SUBSYS_NFTABLES << 8 | type, (uint16_t)family, flags, 0, 0);
}

int nft_chains(struct nft *k, netlink_fn fn, void *ctx)
{
	_Alignas(struct nlmsghdr) uint8_t ask[ASK_MAX];

	return netlink_ask(
		k->ask, question(ask, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP), fn, ctx);
}

int nft_rules(struct nft *k, uint32_t family, const char *table, const char *chain, netlink_fn fn,
	void *ctx)
{
	_Alignas(struct nlmsghdr) uint8_t ask[ASK_MAX];
	struct nlmsghdr *h = question(ask, NFT_MSG_GETRULE, family, NLM_F_DUMP);

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain);
	return netlink_ask(k->ask, h, fn, ctx);
}

static void on_generation(void *ctx, const struct nlmsghdr *h)
{
	const struct nlattr *tb[NFTA_GEN_MAX + 1];

	netlink_attrs(h, sizeof(struct nfgenmsg), tb, ARRAY_LEN(tb));
	*(uint32_t *)ctx = ntohl(netlink_u32(tb[NFTA_GEN_ID]));
}

static void count_rule(void *ctx, const struct nlmsghdr *h)
{
	(void)h;
	++*(unsigned *)ctx;
}

int nft_count_rules(
	struct nft *k, uint32_t family, const char *table, const char *chain, unsigned *n)
{
	int rc = nft_rules(k, family, table, chain, count_rule, n);

	return rc == -ENOENT ? 0 : rc;
}

int nft_generation(struct nft *k, uint32_t *ret)
{
	_Alignas(struct nlmsghdr) uint8_t ask[ASK_MAX];

	return netlink_ask(
		k->ask, question(ask, NFT_MSG_GETGEN, AF_UNSPEC, NLM_F_ACK), on_generation, ret);
}
