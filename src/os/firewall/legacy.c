/*
 * Hosts that filter with the kernel's old ip_tables (iptables-legacy): nftables cannot see into it, and what it drops stays dropped. Its
 * chains get the rules that others.c puts into those of nftables. All else (masquerading, forged sources) our own table does there, too.
 *
 * Changes are made by iptables' own program, which keeps to the lock that all its users share; each is all or nothing. The loop
 * waits for it, some milliseconds, and never longer than RUN_MAX_S.
 */
#include "os/firewall/internal.h"

#include "base/buf/buf.h"
#include "os/spawn/spawn.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

enum {
	RUN_MAX_S = 3,
	INPUT_MAX = 16 * 1024, /* LEGACY_OURS_MAX removals in each chain, and our rules */
};

static const char *const chain_names[LEGACY_CHAINS] = { "INPUT", "FORWARD" };

struct ended {
	struct loop *loop;
	int rc;
};

static void on_end(void *ctx, int rc, int status, struct view out, struct view err)
{
	struct ended *e = ctx;

	(void)out;
	(void)err;
	e->rc = rc < 0 ? rc : status ? -EIO : 0;
	loop_stop(e->loop);
}

/* On a loop of its own: nothing else happens meanwhile, and firewall_cleanup has none. */
static int change(uint32_t family, struct view input)
{
	/* A fixed path: not what our caller's environment says. */
	static const char *const env[] = { "PATH=/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin",
		"LC_ALL=C", NULL };
	const char *const argv[] = { family == NFPROTO_IPV6 ? "ip6tables-legacy-restore"
							    : "iptables-legacy-restore",
		"--noflush", "--wait", "1", NULL };
	struct ended end = { 0 };
	struct spawn_cfg cfg = { .argv = argv,
		.env = env,
		.dir = "/",
		.in = input,
		.out_max = 4096,
		.timeout = SEC(RUN_MAX_S),
		.on_end = on_end,
		.ctx = &end };
	struct spawn *s;
	int rc = loop_new(&end.loop);

	if (rc < 0)
		return rc;
	cfg.loop = end.loop;
	rc = spawn_new(&s, &cfg);
	if (rc == 0) {
		loop_run(end.loop);
		rc = end.rc;
	}
	loop_free(end.loop);
	return rc;
}

/* The comment says all that the rule is. */
struct accept {
	unsigned port4, port6, which;
};

static int write_rule(struct buf *b, const char *command, size_t chain, const char *ifname,
	const struct accept *a)
{
	char match[64];

	if (a->which == ACCEPT_IN || a->which == ACCEPT_OUT)
		snprintf(
			match, sizeof(match), "%s %s", a->which == ACCEPT_IN ? "-i" : "-o", ifname);
	else
		snprintf(match, sizeof(match), "-p udp -m udp --dport %u",
			a->which == ACCEPT_PORT4 ? a->port4 : a->port6);
	return buf_printf(b, "%s %s %s -m comment --comment \"warren-%s %u,%u %u\" -j ACCEPT\n",
		command, chain_names[chain], match, ifname, a->port4, a->port6, a->which);
}

/* Another program's comment may look like ours: it has to be one that we would write. */
static bool parse_comment(const char *comment, const char *ifname, struct accept *ret)
{
	char again[LEGACY_COMMENT_MAX];

	if (sscanf(comment + strlen("warren-") + strlen(ifname), " %5u,%5u %1u", &ret->port4,
		    &ret->port6, &ret->which) != 3 ||
		ret->which >= ACCEPTS)
		return false;
	snprintf(again, sizeof(again), "warren-%s %u,%u %u", ifname, ret->port4, ret->port6,
		ret->which);
	return !strcmp(again, comment);
}

/* 1: something is to be changed; 0; -errno. */
static int write_chain(struct buf *b, uint32_t family, size_t chain, const struct legacy_chain *c,
	const char *ifname, const struct firewall_config *want)
{
	unsigned should = others_accepts(family, c->hook, c->drops || c->n_others, want), have = 0;
	struct accept ours[LEGACY_OURS_MAX];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < c->n_ours; i++) {
		struct accept *a = &ours[n];

		if (!parse_comment(c->ours[i], ifname, a))
			continue;
		n++;
		if (want && a->port4 == want->port4 && a->port6 == want->port6)
			have |= 1u << a->which;
	}
	if (have == should && n == (size_t)__builtin_popcount(should))
		return 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = write_rule(b, "-D", chain, ifname, &ours[i]);
	for (unsigned i = 0; i < ACCEPTS && rc == 0; i++) {
		struct accept a = { want ? want->port4 : 0, want ? want->port6 : 0, i };

		if (should >> i & 1)
			rc = write_rule(b, "-I", chain, ifname, &a);
	}
	return rc < 0 ? rc : 1;
}

/* In the program's language some characters have a meaning. */
static bool is_plain(const char *ifname)
{
	for (; *ifname; ifname++)
		if (!isalnum((uint8_t)*ifname) && !strchr("-_.@", *ifname))
			return false;
	return true;
}

/* 1: changed; 0: all is as it should be; -errno. */
static int put_family(
	uint32_t family, const char *ifname, const struct firewall_config *want, bool *used)
{
	struct legacy_table *t = calloc(1, sizeof(*t));
	char mark[FIREWALL_NAME_MAX];
	bool changes = false;
	struct buf b;
	int rc;

	if (!t)
		return -ENOMEM;
	snprintf(mark, sizeof(mark), "warren-%s ", ifname);
	buf_init(&b, INPUT_MAX);
	rc = legacy_table_read(family, mark, t);
	*used |= rc != 0;
	if (rc > 0) {
		rc = buf_append_str(&b, "*filter\n");
		for (size_t i = 0; i < LEGACY_CHAINS && rc >= 0; i++) {
			rc = write_chain(&b, family, i, &t->chain[i], ifname, want);
			changes |= rc > 0;
		}
		if (rc >= 0)
			rc = buf_append_str(&b, "COMMIT\n");
		if (rc == 0 && changes)
			rc = !is_plain(ifname) ? -EINVAL : change(family, buf_view(&b));
	}
	buf_fini(&b);
	free(t);
	return rc < 0 ? rc : changes;
}

int legacy_put(const char *ifname, const struct firewall_config *want, bool *ret_used)
{
	bool used = false;
	int rc4, rc6;

	rc4 = put_family(NFPROTO_IPV4, ifname, want, &used);
	rc6 = put_family(NFPROTO_IPV6, ifname, want, &used);
	*ret_used = used;
	return rc4 < 0 ? rc4 : rc6 < 0 ? rc6 : rc4 || rc6;
}
