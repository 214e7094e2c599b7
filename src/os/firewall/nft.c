/* nf_tables over netlink: batches, dumps. Blocking, because the kernel answers at once. */
#include "os/firewall/internal.h"

#include "os/netlink/netlink.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <sys/time.h>

enum {
	BATCH_LEN = 65536,
	MESSAGE_MAX = 2048, /* bytes of one change */
	DUMP_TRIES = 4,     /* of a dump that somebody disturbs */
};

struct nft {
	struct mnl_socket *sock;
	unsigned port;
	uint32_t seq, first, last; /* of the batch */
	size_t len;
	bool full;
	_Alignas(struct nlmsghdr) char out[BATCH_LEN];
	_Alignas(struct nlmsghdr) char in[32768];
};

int nft_open(struct nft **ret)
{
	struct nft *k = NEW_WITH_BUFFERS(struct nft, out);
	const struct timeval timeout = { .tv_sec = 3 };
	const int size = 1 << 20; /* a batch has as many answers as changes */
	int rc;

	if (!k)
		return -ENOMEM;
	k->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!k->sock || mnl_socket_bind(k->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		rc = -errno;
		nft_close(k);
		return rc;
	}
	(void)setsockopt(
		mnl_socket_get_fd(k->sock), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(mnl_socket_get_fd(k->sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	k->port = mnl_socket_get_portid(k->sock);
	*ret = k;
	return 0;
}

struct nft *nft_close(struct nft *k)
{
	if (k && k->sock)
		mnl_socket_close(k->sock);
	free(k);
	return NULL;
}

void nft_begin(struct nft *k)
{
	k->full = false;
	k->first = ++k->seq;
	nftnl_batch_begin(k->out, k->seq);
	k->len = ((struct nlmsghdr *)(void *)k->out)->nlmsg_len;
}

/* The length of the last change is known only when the next one begins. */
static void close_last(struct nft *k)
{
	const struct nlmsghdr *h = (const void *)(k->out + k->len);

	if (k->last > k->first)
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
	return nftnl_nlmsg_build_hdr(k->out + k->len, type, family, flags | NLM_F_ACK, k->seq);
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
	bool empty = k->last <= k->first;

	close_last(k);
	k->last = empty ? k->first : k->last;
	nftnl_batch_end(k->out + k->len, ++k->seq);
	k->len += ((struct nlmsghdr *)(void *)(k->out + k->len))->nlmsg_len;
	if (empty || k->full)
		return k->full ? -ENOBUFS : 0;
	if (mnl_socket_sendto(k->sock, k->out, k->len) < 0)
		return -errno;
	return read_answers(k);
}

static int dump_once(struct nft *k, struct nlmsghdr *ask, mnl_cb_t fn, void *ctx)
{
	int rc = MNL_CB_OK;

	if (mnl_socket_sendto(k->sock, ask, ask->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(k->sock, k->in, sizeof(k->in));

		if (n < 0)
			return -errno;
		rc = mnl_cb_run(k->in, (size_t)n, ask->nlmsg_seq, k->port, fn, ctx);
		if (rc < 0 && errno == EPROTO)
			rc = MNL_CB_OK; /* another number: the rest of an answer that was given up */
	}
	return rc < 0 ? -errno : 0;
}

struct dump {
	nft_chain_fn chain;
	nft_rule_fn rule;
	void *ctx;
};

static int on_chain(const struct nlmsghdr *h, void *ctx)
{
	const struct dump *d = ctx;
	struct nftnl_chain *c = nftnl_chain_alloc();

	if (!c)
		return MNL_CB_ERROR;
	if (nftnl_chain_nlmsg_parse(h, c) == 0)
		d->chain(d->ctx, c);
	nftnl_chain_free(c);
	return MNL_CB_OK;
}

static int on_rule(const struct nlmsghdr *h, void *ctx)
{
	const struct dump *d = ctx;
	struct nftnl_rule *r = nftnl_rule_alloc();

	if (!r)
		return MNL_CB_ERROR;
	if (nftnl_rule_nlmsg_parse(h, r) == 0)
		d->rule(d->ctx, r);
	nftnl_rule_free(r);
	return MNL_CB_OK;
}

int nft_chains(struct nft *k, nft_chain_fn fn, void *ctx)
{
	_Alignas(struct nlmsghdr) char ask[256];
	struct dump d = { .chain = fn, .ctx = ctx };

	return dump_once(k,
		nftnl_nlmsg_build_hdr(ask, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP, ++k->seq),
		on_chain, &d);
}

int nft_rules(struct nft *k, uint32_t family, const char *table, const char *chain, nft_rule_fn fn,
	void *ctx)
{
	_Alignas(struct nlmsghdr) char ask[1024];
	struct dump d = { .rule = fn, .ctx = ctx };
	struct nlmsghdr *h =
		nftnl_nlmsg_build_hdr(ask, NFT_MSG_GETRULE, (uint16_t)family, NLM_F_DUMP, ++k->seq);

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain);
	return dump_once(k, h, on_rule, &d);
}

static int on_generation(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *tb[NFTA_GEN_MAX + 1];

	netlink_attrs(h, sizeof(struct nfgenmsg), tb, ARRAY_LEN(tb));
	*(uint32_t *)ctx = ntohl(netlink_u32(tb[NFTA_GEN_ID]));
	return MNL_CB_STOP;
}

int nft_generation(struct nft *k, uint32_t *ret)
{
	_Alignas(struct nlmsghdr) char ask[64];

	return dump_once(k, nftnl_nlmsg_build_hdr(ask, NFT_MSG_GETGEN, AF_UNSPEC, 0, ++k->seq),
		on_generation, ret);
}
