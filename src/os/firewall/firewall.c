#include "os/firewall/internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	LOOK_AFTER_MS = 250,  /* changes come in swarms */
	LOOK_APART_MS = 2000, /* others may write all the time: Docker, Kubernetes */
	LOOK_PERIOD_S = 60,   /* without word; also until what failed is tried again */
	LEGACY_PERIOD_S = 5,  /* ip_tables tells nobody of changes */
};

struct firewall {
	struct table table;
	struct nft *nft;
	struct netlink_monitor *monitor;
	struct loop *loop;
	struct loop_timer *look, *legacy_look;
	mono_ns look_at, look_not_before;
	uint32_t generation; /* of the kernel's rules, as we have seen them last */
	firewall_on_look on_look;
	void *ctx;
	struct firewall_config want;
	int failed, legacy_failed; /* -errno of the last time; 0 */
	bool killswitch_mine;      /* to be made or removed: somebody has said which */
	struct firewall_counters counters;
};

/* What there is of rules in one batch. */
static int commit_all(struct firewall *f, bool table)
{
	int rc, others;

	nft_begin(f->nft);
	if (table)
		table_put(f->nft, &f->table, &f->want);
	if (table && f->killswitch_mine)
		killswitch_put(f->nft, &f->table, &f->want);
	others = others_put(f->nft, f->table.ifname, &f->want);
	rc = others < 0 ? others : nft_commit(f->nft);
	if (rc < 0)
		return rc;
	if (table) {
		f->table.there = f->want.mode != FIREWALL_OFF;
		f->killswitch_mine = f->killswitch_mine && f->want.killswitch;
	}
	return others > 0 || table;
}

/* 1: something had to be changed. */
static int enforce(struct firewall *f, bool table)
{
	int rc = commit_all(f, table);

	if (rc == -EOPNOTSUPP && f->table.can_own) {
		f->table.can_own = false; /* before Linux 5.12 */
		rc = commit_all(f, table);
	} else if (rc == -ENOENT && table && f->table.there) {
		f->table.there = false; /* somebody has removed it */
		rc = commit_all(f, table);
	}
	f->failed = MIN_OF(rc, 0);
	if (rc >= 0 && nft_generation(f->nft, &f->generation) < 0)
		f->generation = 0; /* looked at in vain the next time */
	return rc;
}

static void look_by(struct firewall *f, mono_ns at)
{
	f->look_at = at;
	loop_timer_set(f->look, at);
}

/* Is there anything that others could take away? */
static bool is_watched(const struct firewall *f)
{
	return f->want.mode != FIREWALL_OFF || f->want.killswitch;
}

static void look_later(struct firewall *f)
{
	mono_ns now = loop_now(f->loop).mono;

	f->look_not_before = mono_add(now, MSEC(LOOK_APART_MS));
	look_by(f, is_watched(f) || f->failed ? mono_add(now, SEC(LOOK_PERIOD_S)) : MONO_NEVER);
}

static int look(struct firewall *f)
{
	uint32_t generation = 0;
	int rc = nft_generation(f->nft, &generation);

	if (rc < 0 || (generation == f->generation && !f->failed))
		return rc;
	rc = table_is_there(f->nft, &f->table, &f->want);
	if (rc > 0)
		rc = killswitch_is_there(f->nft, &f->table, &f->want);
	return rc < 0 ? rc : enforce(f, f->failed || rc == 0);
}

/* The same for ip_tables; looked at more often only where that is in use. 1: something had to be changed; 0; -errno. */
static int enforce_legacy(struct firewall *f)
{
	bool used;
	int rc = legacy_put(f->table.ifname, &f->want, &used);

	f->legacy_failed = MIN_OF(rc, 0);
	if (f->legacy_look)
		loop_timer_set(f->legacy_look,
			used && rc >= 0 && f->want.mode == FIREWALL_ON
				? mono_add(loop_now(f->loop).mono, SEC(LEGACY_PERIOD_S))
				: MONO_NEVER);
	return rc;
}

static void on_legacy_look(void *ctx)
{
	struct firewall *f = ctx;
	int rc = enforce_legacy(f);

	f->counters.repaired += rc > 0;
	if (rc)
		f->on_look(f->ctx, f->failed, rc > 0);
}

static void on_look(void *ctx)
{
	struct firewall *f = ctx;
	bool failed = f->failed || f->legacy_failed, repaired;
	int rc = look(f), legacy = enforce_legacy(f);

	repaired = rc > 0 || legacy > 0;
	f->counters.looks++;
	f->counters.repaired += repaired;
	f->failed = MIN_OF(rc, 0);
	look_later(f);
	if (rc || legacy || failed)
		f->on_look(f->ctx, f->failed, repaired);
}

static void on_word(void *ctx, const struct nlmsghdr *h)
{
	struct firewall *f = ctx;
	mono_ns at = mono_add(loop_now(f->loop).mono, MSEC(LOOK_AFTER_MS));

	(void)h; /* the generation tells whether it was us */
	if (!is_watched(f))
		return;
	at = MAX_OF(at, f->look_not_before);
	if (at < f->look_at)
		look_by(f, at);
}

static void free_firewall(struct firewall *f)
{
	netlink_monitor_close(f->monitor);
	loop_timer_free(f->look);
	loop_timer_free(f->legacy_look);
	nft_close(f->nft);
	free(f);
}

static int new_firewall(struct firewall **ret, const char *ifname)
{
	struct firewall *f;
	int rc;

	if (!*ifname || strlen(ifname) >= IFNAMSIZ)
		return -EINVAL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->table.can_own = true;
	strcpy(f->table.ifname, ifname);
	snprintf(f->table.name, sizeof(f->table.name), "warren-%s", ifname);
	snprintf(f->table.killswitch, sizeof(f->table.killswitch), "warren-%s-only", ifname);
	rc = nft_open(&f->nft);
	if (rc < 0) {
		free_firewall(f);
		return rc;
	}
	*ret = f;
	return 0;
}

/* Is there one, of this life or an earlier one? */
static int killswitch_left(struct firewall *f)
{
	unsigned n = 0;
	int rc = nft_count_rules(f->nft, NFPROTO_INET, f->table.killswitch, "output", &n);

	return rc < 0 ? rc : n > 0;
}

/* Of an earlier life: a table that was not owned, and rules in others' chains. */
static int remove_left(struct firewall *f)
{
	int rc;

	f->table.there = true;
	rc = enforce(f, true);
	(void)enforce_legacy(f); /* what stays there is said when rules are wanted */
	/* A kernel without nftables has nothing of ours. */
	return rc == -EOPNOTSUPP || rc == -EPROTONOSUPPORT ? 0 : MIN_OF(rc, 0);
}

int firewall_open(
	struct firewall **ret, struct loop *l, const char *ifname, firewall_on_look fn, void *ctx)
{
	static const int groups[] = { NFNLGRP_NFTABLES };
	struct firewall *f;
	int rc = new_firewall(&f, ifname);

	if (rc < 0)
		return rc;
	f->loop = l;
	f->on_look = fn;
	f->ctx = ctx;
	f->look_at = MONO_NEVER;
	rc = loop_timer_new(l, on_look, f, &f->look);
	if (rc == 0)
		rc = loop_timer_new(l, on_legacy_look, f, &f->legacy_look);
	if (rc == 0)
		rc = remove_left(f);
	if (rc == 0)
		rc = netlink_monitor_open(
			&f->monitor, l, NETLINK_NETFILTER, groups, ARRAY_LEN(groups), on_word, f);
	if (rc < 0) {
		free_firewall(f);
		return rc;
	}
	*ret = f;
	return 0;
}

static bool lists_same(const struct ipprefix *a, size_t n_a, const struct ipprefix *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!ipprefix_eq(a[i], b[i]))
			return false;
	return true;
}

static bool same(const struct firewall_config *a, const struct firewall_config *b)
{
	if (a->mode != b->mode || a->port4 != b->port4 || a->port6 != b->port6 ||
		a->masquerade != b->masquerade || a->stateful != b->stateful ||
		a->spoofing_allowed != b->spoofing_allowed || a->killswitch != b->killswitch)
		return false;
	return lists_same(a->nets, a->n_nets, b->nets, b->n_nets) &&
	       lists_same(a->lans, a->n_lans, b->lans, b->n_lans);
}

int firewall_apply(struct firewall *f, const struct firewall_config *want)
{
	int rc;

	if (same(&f->want, want) && !f->failed && !f->legacy_failed && f->counters.applied)
		return 0;
	f->want = *want;
	f->killswitch_mine |= want->killswitch || killswitch_left(f) > 0;
	f->counters.applied++;
	rc = enforce(f, true);
	(void)enforce_legacy(f); /* firewall_legacy tells */
	look_later(f);
	return MIN_OF(rc, 0);
}

struct firewall *firewall_close(struct firewall *f)
{
	if (!f)
		return NULL;
	f->want = (struct firewall_config){ .mode = FIREWALL_OFF };
	f->killswitch_mine = false;
	(void)enforce(f,
		f->table.there); /* nothing more can be done; firewall_cleanup may be tried later */
	(void)enforce_legacy(f);
	free_firewall(f);
	return NULL;
}

int firewall_cleanup(const char *ifname, bool killswitch)
{
	struct firewall *f;
	int rc = new_firewall(&f, ifname);

	if (rc < 0)
		return rc == -EPROTONOSUPPORT ? 0 : rc;
	f->killswitch_mine = killswitch;
	rc = remove_left(f);
	if (rc == 0)
		rc = f->legacy_failed;
	free_firewall(f);
	return rc;
}

int firewall_has_killswitch(const char *ifname)
{
	struct firewall *f;
	int rc = new_firewall(&f, ifname);

	if (rc < 0)
		return rc == -EPROTONOSUPPORT ? 0 : rc;
	rc = killswitch_left(f);
	free_firewall(f);
	return rc;
}

int firewall_legacy(const struct firewall *f)
{
	return f->legacy_failed;
}

const struct firewall_counters *firewall_counters(const struct firewall *f)
{
	return &f->counters;
}
